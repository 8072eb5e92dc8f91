"""A measured value and its interval, the element of every table, card and report."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and its 95 % interval. NaN, if there is nothing to measure, is stored as None and as null in JSON."""

    value: float | None
    low: float | None
    high: float | None

    @staticmethod
    def of(value: float, low: float, high: float) -> "Figure":
        """A figure with values rounded to four digits, and NaN as None."""
        return Figure(*(None if np.isnan(x) else round(float(x), 4) for x in (value, low, high)))

    def __str__(self) -> str:
        """Value and interval, or a dash if there is nothing to measure."""
        if self.value is None or self.low is None or self.high is None:
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def side_of(self, yardstick: "Figure") -> int | None:
        """-1 if this value is below another's interval, 1 above, 0 inside; None if either is unknown."""
        if self.value is None or yardstick.low is None or yardstick.high is None:
            return None
        return int(self.value > yardstick.high) - int(self.value < yardstick.low)
