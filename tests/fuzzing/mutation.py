"""Damage that applies to all formats: to a list of parts, and to bytes."""

import random
from typing import Final, TypeVar

T = TypeVar("T")

EXTREMES: Final = (0, 1, 2, 0x7F, 0x80, 0xFF)
LENGTHS: Final = (0, 1, 2, 255, 65_535, 1 << 20, 1 << 26, (1 << 31) - 1, (1 << 32) - 1)


def shuffled(parts: list[T], rng: random.Random) -> list[T]:
    """The parts with one removed, doubled, moved or repeated many times."""
    parts = list(parts)
    at = rng.randrange(len(parts))
    match rng.randrange(4):
        case 0:
            del parts[at]
        case 1:
            parts.insert(rng.randrange(len(parts)), parts[at])
        case 2:
            parts.insert(rng.randrange(len(parts)), parts.pop(at))
        case 3:
            parts[at:at] = [parts[at]] * rng.choice((3, 50, 2000))
    return parts


def scratched(data: bytes, rng: random.Random, reach: int | None = None) -> bytes:
    """Some bytes overwritten, inserted or cut, half of the time near the start."""
    if not data:
        return bytes(rng.choice((1, 4, 100)))
    changed = bytearray(data)
    near = min(len(data), reach or (64 if rng.random() < 0.5 else len(data)))
    for _ in range(rng.choice((1, 1, 1, 2, 5, 30))):
        at = rng.randrange(near)
        match rng.randrange(4):
            case 0 | 1:
                changed[at % len(changed)] = rng.choice((*EXTREMES, rng.randrange(256)))
            case 2:
                changed[at:at] = rng.randbytes(rng.choice((1, 2, 8, 300)))
            case 3 if len(changed) > 300:
                del changed[at : at + rng.choice((1, 2, 8, 300))]
    return bytes(changed)
