"""The torch modules: six architectures, the opacity head, the lung segmenter's U-Net."""
