"""Random variations of a batch on the device that trains."""
