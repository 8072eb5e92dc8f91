"""Snapshots of runs → selection → candidate → the paper's tables → a bundle."""
