"""The maps of a bundle in report and card: their quality, and their agreement with radiologists' marks."""
