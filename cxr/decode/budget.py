"""How many pixels may be decoded at once in this process, all threads together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_AT_ONCE: Final = 64_000_000
"""Pixels, more than one image may have. One takes up to 10 bytes while it is decoded (16 bits of colour and alpha),
two thirds of a gigabyte in all."""


class Budget:
    """Threads that decode wait here until there is room. Decoders' processes have limits of their own."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Hold so many, no more than there are in all, while the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._left >= pixels)
            self._left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._left += pixels
                self._changed.notify_all()


PIXELS: Final = Budget(_AT_ONCE)
