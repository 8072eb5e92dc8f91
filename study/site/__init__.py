"""A hospital's acceptance test: measure a bundle on local images, and make a bundle recalibrated for them."""
