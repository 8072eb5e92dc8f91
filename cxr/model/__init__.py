"""The bundle and what it computes: pre-processing, inference, posterior."""
