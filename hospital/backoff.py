"""Exponential backoff: wait twice as long after each failure, up to a limit, and retry forever."""

from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 300.0


class Backoff:
    """The backoff of one repeated action."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._next_s = first_s

    def failed(self, asked_s: float | None = None) -> float:
        """Seconds to wait after a failure; at least what the other side asked for, up to the limit."""
        wait_s = min(max(self._next_s, asked_s or 0.0), self._longest_s)
        self._next_s = min(2 * self._next_s, self._longest_s)
        return wait_s

    def succeeded(self) -> None:
        self._next_s = self._first_s
