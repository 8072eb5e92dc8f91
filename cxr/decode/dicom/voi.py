"""Map the image's values to grey by windows and lookup tables (PS3.3 C.11.1 and C.11.2)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# The narrowest window that each function allows (PS3.3 C.11.2.1.2.1 and C.11.2.1.3.2: any width above 0).
_LEAST_WIDTH: Final = {"LINEAR_EXACT": 0.0, "SIGMOID": 0.0}


@dataclass(frozen=True, slots=True)
class Lut:
    """A DICOM lookup table: `entries[0]` is for inputs up to `first`, the last entry for those beyond the end."""

    first: int
    entries: Values

    def __call__(self, values: Values) -> Values:
        """The entries for the values."""
        index: Values = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1)
        return self.entries[index.astype(np.intp)]

    @property
    def ends(self) -> None:
        """None: the grey of a table is not a linear function of the value."""
        return

    def grey(self, values: Values) -> Values:
        """Values → 0 to 255.

        White is the largest number with as many bits as the largest entry needs. The descriptor's number of bits is
        ignored: some writers put the size of the words there, and the image would be black.
        """
        bits = max(1, int(self.entries.max()).bit_length())
        return self(values) * (255 / ((1 << bits) - 1))


@dataclass(frozen=True, slots=True)
class Window:
    """A DICOM window; values → 0 to 255 (PS3.3 C.11.2.1.2 and C.11.2.1.3)."""

    center: float
    width: float
    function: str = "LINEAR"

    @property
    def is_legal(self) -> bool:
        """Whether the function allows the width: 1 or more; above 0 for LINEAR_EXACT and SIGMOID."""
        least = _LEAST_WIDTH.get(self.function)
        return self.width >= 1 if least is None else self.width > least

    @property
    def ends(self) -> tuple[float, float] | None:
        """The values that become 0 and 255, linear between; None for a sigmoid, which reaches neither."""
        if self.function == "SIGMOID":
            return None
        if self.function == "LINEAR_EXACT":
            return self.center - self.width / 2, self.center + self.width / 2
        low = self.center - 0.5 - (self.width - 1) / 2
        return low, low + self.width - 1

    def grey(self, values: Values) -> Values:
        """Values → 0 to 255."""
        if self.ends is None:
            steepness = np.clip(-4 * (values - self.center) / self.width, -60, 60)  # exp stays finite
            return 255 / (1 + np.exp(steepness))
        return ramp(values, *self.ends)


@dataclass(frozen=True, slots=True)
class Between:
    """The range for an image whose file has no usable window: the two values that become 0 and 255."""

    low: float
    high: float

    @property
    def ends(self) -> tuple[float, float]:
        """The two values."""
        return self.low, self.high

    def grey(self, values: Values) -> Values:
        """Values → 0 to 255."""
        return ramp(values, self.low, self.high)


def ramp(values: Values, low: float, high: float) -> Values:
    """0 up to low, 255 from high on, linear between; a step just above low if both are equal."""
    if not high > low:
        return np.where(values > low, 255.0, 0.0)
    return np.clip((values - low) / (high - low), 0, 1) * 255
