"""A hospital's own acceptance test: what a bundle is worth on local images, and a bundle recalibrated for them."""
