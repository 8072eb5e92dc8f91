"""The maps of a bundle in report and card: what they are worth, and what they meet."""
