"""Seeded damage to files: the same on every run."""

import random
from collections.abc import Iterator


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
