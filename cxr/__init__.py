"""The core of DeepCOVIDExplainer: bytes of a radiograph in, posteriors and pictures out. Needs no torch."""

__version__ = "0.1.0"
