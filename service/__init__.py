"""The HTTP service. It contains no model logic: `cxr` classifies and `attribution` explains."""
