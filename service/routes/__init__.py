"""Every route, and what its request says: parameters, Accept, media types, forms, the description of all that."""
