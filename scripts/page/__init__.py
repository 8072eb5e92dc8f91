"""Screenshots of the page."""
