"""Training of snapshot ensembles, and their honest evaluation. Runs where the GPU is; serves nothing."""
