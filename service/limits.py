"""What a request may hold at most, beside what `cxr.limits` says of each file. The errors quote these."""

from typing import Final

MAX_FILES: Final = 64
MAX_FORM_BYTES: Final = 256 * 1024 * 1024
MAX_FIELDS: Final = 100
