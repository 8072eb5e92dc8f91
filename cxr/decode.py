"""Bytes of a radiograph → an 8-bit grey image. See `Radiograph`."""
