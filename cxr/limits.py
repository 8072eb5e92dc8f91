"""The largest file, and the largest and smallest image. The errors quote these limits."""

from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
MIN_SIDE: Final = 64  # in pixels; a smaller image is a thumbnail, and enlarging it would invent detail
