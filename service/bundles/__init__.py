"""The bundle that is served: how it is loaded, followed, replaced, and kept by the explainer."""
