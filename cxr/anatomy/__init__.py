"""Lungs, zones and boxes: where in the chest something lies."""
