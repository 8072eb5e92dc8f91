"""A limit on the pixels that all threads of this process may decode at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_AT_ONCE: Final = 64_000_000
"""In pixels; larger than the limit on one image. A pixel takes up to 10 bytes while it is decoded (16 bits of colour
and alpha), so the total is two thirds of a gigabyte."""


class Budget:
    """Decoding threads wait here until there is room. Decoder processes have limits of their own."""

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Reserve this many pixels, at most the whole budget, while the block runs."""
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
