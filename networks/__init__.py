"""The torch modules: the architectures, the opacity head, the lung segmenter's U-Net."""
