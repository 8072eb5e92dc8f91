"""Random variations of a batch, on the training device."""
