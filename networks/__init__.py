"""The torch modules: the architectures, the opacity head, the lung segmenter's U-Net."""

from networks.torchvision_alone import import_torchvision

import_torchvision()
