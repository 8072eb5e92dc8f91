"""From snapshots of runs to selection, candidate, the paper's tables, and a bundle."""
