"""Forms with files, in the way that browsers and clients send them."""

from collections.abc import Iterable
from typing import Final

import httpx

BOUNDARY: Final = "a-file-follows"
FORM: Final = f"multipart/form-data; boundary={BOUNDARY}"


def form(files: Iterable[bytes], field: str = "files", media_type: str = "image/png") -> bytes:
    """The body of a form of type `FORM` with one part per file, at least one."""
    parts = [(field, ("file", data, media_type)) for data in files]
    return httpx.Request("POST", "http://localhost", headers={"Content-Type": FORM}, files=parts).read()
