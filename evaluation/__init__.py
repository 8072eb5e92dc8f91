"""Metrics with confidence intervals, of a bundle, a network or an explanation."""
