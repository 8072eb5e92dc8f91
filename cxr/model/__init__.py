"""The bundle, and the computation with it: pre-processing, inference, posterior."""
