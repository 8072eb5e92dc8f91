"""The torch modules: six architectures and the lung segmenter's U-Net."""
