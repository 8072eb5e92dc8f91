"""Figures of merit with their intervals: a bundle, a network or an explanation, measured."""
