"""Locate evidence in the chest: lungs, zones and boxes."""
