"""Limits of a request, in addition to those of each file in `cxr.limits`. The errors quote them."""

from typing import Final

MAX_FILES: Final = 64
MAX_FORM_BYTES: Final = 256 * 1024 * 1024
MAX_FIELDS: Final = 100
