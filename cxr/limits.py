"""What a file may be at most, and what an image at least. The errors quote these."""

from typing import Final

MAX_BYTES: Final = 64 * 1024 * 1024
MAX_PIXELS: Final = 40_000_000
MIN_SIDE: Final = 64  # pixels; less is a thumbnail, and its enlargement would be invention
