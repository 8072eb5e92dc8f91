"""Images that show nothing. For 8 bits there is a separate, faster test, which must agree."""

from contextlib import nullcontext

import numpy as np
import pytest

from cxr.decode.histogram import check_varied, counts, nearly_alike
from cxr.errors import UniformImage


@pytest.mark.parametrize("commonest", [0, 1, 128, 254, 255])
@pytest.mark.parametrize("away", [-3, -2, -1, 1, 2, 3])
@pytest.mark.parametrize("others", [0, 199, 200, 201, 4_000])
@pytest.mark.parametrize("steps", [1, 9])
def test_an_image_of_8_bits_is_judged_as_one_of_any(commonest: int, away: int, others: int, steps: int) -> None:
    """10,000 pixels, some of them at a given distance. They are repeated to be judged with or without a sample."""
    small = np.full(10_000, commonest)
    small[np.random.default_rng(others).permutation(10_000)[:others]] = np.clip(commonest + away, 0, 255)
    pixels = np.kron(small.reshape(100, 100), np.ones((steps, steps))).astype(np.uint8)
    alike = nearly_alike(np.arange(256), counts(pixels))
    with pytest.raises(UniformImage) if alike else nullcontext():
        check_varied(pixels)
