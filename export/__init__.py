"""Export bundles to ONNX, and verify that the graphs compute the same as the PyTorch networks."""
