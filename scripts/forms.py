"""Forms with files, as browsers and clients post them."""

from collections.abc import Iterable
from typing import Final

import httpx

BOUNDARY: Final = "a-file-follows"
FORM: Final = f"multipart/form-data; boundary={BOUNDARY}"


def form(files: Iterable[bytes], field: str = "files", media_type: str = "image/png") -> bytes:
    """The body of a form of the type `FORM` with a part a file, at least one."""
    parts = [(field, ("file", data, media_type)) for data in files]
    return httpx.Request("POST", "http://localhost", headers={"Content-Type": FORM}, files=parts).read()
