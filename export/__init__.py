"""Bundles to ONNX, and the proof that the graphs say what the PyTorch networks say."""
