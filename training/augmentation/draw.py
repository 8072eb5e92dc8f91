"""Random numbers for an augmentation: one for each image of a batch, all from one generator."""

import torch
from torch import Tensor


class Draw:
    """One random number for each image, shaped to broadcast over [N, 1, S, S]."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Uniform between the bounds."""
        unit = torch.rand(self.count, 1, 1, 1, device=self.generator.device, generator=self.generator)
        return low + (high - low) * unit

    def around(self, half_width: float) -> Tensor:
        """Uniform in ± `half_width`."""
        return self.uniform(-half_width, half_width)

    def bernoulli(self, probability: float) -> Tensor:
        """True with this probability."""
        return self.uniform(0, 1) < probability

    def normal_like(self, images: Tensor) -> Tensor:
        """Standard normal, one number for each pixel."""
        return torch.randn(images.shape, device=images.device, generator=self.generator)

    def uniform_like(self, images: Tensor) -> Tensor:
        """Uniform in [0, 1), one number for each pixel."""
        return torch.rand(images.shape, device=images.device, generator=self.generator)
