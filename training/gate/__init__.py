"""The gate: what it must let in, what it must not, and how it is trained to tell them apart."""
