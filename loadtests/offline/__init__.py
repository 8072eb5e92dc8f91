"""Measurements without a server: archives, and the lower bounds of each stage's time."""
