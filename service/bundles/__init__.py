"""The served bundle: how it is loaded, watched, replaced, and kept by the explainer."""
