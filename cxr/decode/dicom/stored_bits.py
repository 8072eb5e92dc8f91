"""Which bits of a pixel's word hold its value, and which values are padding."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StoredBits:
    """The position of a pixel's value in its word (PS3.5 8.1.1; editions before 2014 allow other high bits).

    allocated: bits of a word, 8 or 16
    stored:    bits of the value; the other bits are not part of it and may hold an overlay
    shift:     number of bits below the value
    signed:    the value is in two's complement, whether or not the bits above repeat its sign
    """

    allocated: int
    stored: int
    shift: int = 0
    signed: bool = False

    @property
    def lowest(self) -> int:
        return -(1 << self.stored - 1) if self.signed else 0

    @property
    def highest(self) -> int:
        return self.lowest + (1 << self.stored) - 1

    def values(self) -> NDArray[np.int32]:
        """The value of every word from 0 to 2^allocated - 1."""
        bits = (np.arange(1 << self.allocated, dtype=np.int32) >> self.shift) & ((1 << self.stored) - 1)
        return np.where(bits > self.highest, bits - (1 << self.stored), bits) if self.signed else bits


def padded(bits: StoredBits, ends: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each word from 0 to 2^allocated - 1 is padding (PS3.3 C.7.5.1.1.2).

    ends: Pixel Padding Value and, if stated, Pixel Padding Range Limit, in either order; () if there is no padding.
    They are pixel values, whatever VR they were written with; if too large for that, they are whole words.
    """
    if not ends:
        return np.zeros(1 << bits.allocated, np.bool_)
    as_values = [_as_value(bits, end) for end in ends]
    in_range = [value for value in as_values if value is not None]
    if len(in_range) == len(ends):
        return _between(bits.values(), in_range)
    whole = StoredBits(bits.allocated, bits.allocated, signed=bits.signed)
    return _between(whole.values(), [int(whole.values()[end % (1 << bits.allocated)]) for end in ends])


def _as_value(bits: StoredBits, end: int) -> int | None:
    word = end % (1 << bits.allocated)
    readings = (end, word, word - (1 << bits.allocated))
    return next((value for value in readings if bits.lowest <= value <= bits.highest), None)


def _between(values: NDArray[Any], ends: list[int]) -> NDArray[np.bool_]:
    return (values >= min(ends)) & (values <= max(ends))
