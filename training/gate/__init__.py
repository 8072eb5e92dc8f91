"""The gate's training: the images that it must accept, the images that it must reject, and the optimisation."""
