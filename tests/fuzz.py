"""Seeded damage to files: the same on every run."""

import random
from collections.abc import Iterator

import numpy as np

from cxr.decode import decode
from cxr.errors import Refusal


def damaged(data: bytes, times: int, seed: int = 0) -> Iterator[bytes]:
    """The file truncated at random, or with up to 30 bytes overwritten, half of the time near its start."""
    chance = random.Random(seed)
    for _ in range(times):
        if chance.random() < 0.2:
            yield data[: chance.randrange(len(data))]
            continue
        changed = bytearray(data)
        reach = len(data) if chance.random() < 0.5 else min(len(data), 3000)
        for _ in range(chance.choice((1, 1, 2, 5, 30))):
            changed[chance.randrange(reach)] = chance.choice((0, 255, chance.randrange(256)))
        yield bytes(changed)


def check_damaged(data: bytes, times: int) -> None:
    """Each damaged file is refused or decoded to grey pixels. No other exception passes."""
    for changed in damaged(data, times):
        try:
            radiograph = decode(changed)
        except Refusal:
            continue
        assert radiograph.pixels.ndim == 2
        assert radiograph.pixels.dtype == np.uint8
