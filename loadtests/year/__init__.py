"""A year of operation in an hour or so: load, and all that happens to a service meanwhile."""
