"""Training of snapshot ensembles. Runs on the machine with the GPU; not used by the service."""
