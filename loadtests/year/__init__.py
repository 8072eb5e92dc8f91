"""The events of a year of operation, under load, in about an hour."""
