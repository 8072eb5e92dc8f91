"""The names of the architectures that a bundle may contain. `networks.architectures` builds them."""

from typing import Final, Literal, get_args

Architecture = Literal["vgg16", "vgg16_bn", "vgg19", "vgg19_bn", "resnet18", "resnet34", "densenet161", "densenet201"]
ARCHITECTURES: Final[tuple[Architecture, ...]] = get_args(Architecture)
