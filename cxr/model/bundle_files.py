"""Read files of an untrusted folder: each once, of limited size, regular, and inside the folder.

Bytes are read from the same descriptor whose kind and size were checked, so that nothing can change in between.
"""

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, Final

from cxr.errors import BundleError

MAX_JSON_BYTES: Final = 1 << 20
MAX_NETWORK_BYTES: Final = 1 << 30
"""VGG-19 with its original head, the largest network of the paper, has 558 MB in float32."""


def sha256(data: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_verified(root: Path, path: Path, expected: str) -> bytes:
    """The bytes of a weights file or a graph below `root`. Raises BundleError unless their SHA-256 is `expected`."""
    data = read_file(root, path, MAX_NETWORK_BYTES)
    if sha256(data) != expected:
        raise BundleError(f"{path} is not the file that the bundle describes: its SHA-256 differs")
    return data


def read_json(root: Path, path: Path) -> bytes:
    """The bytes of a JSON file below `root`.

    Raises:
        BundleError: it is not JSON, or a key occurs twice: readers differ in which of the two they use.
    """
    data = read_file(root, path, MAX_JSON_BYTES)
    try:
        json.loads(data, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path} is not valid: {error}") from None
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice in one object")
    return values


def read_file(root: Path, path: Path, max_bytes: int) -> bytes:
    """The bytes of a file. Raises BundleError unless it is a regular file inside `root` of at most `max_bytes`."""
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise BundleError(f"{path} is a link that leaves the bundle's folder: put the file itself there")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # otherwise a pipe without a writer would block
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path} is not a regular file")
            if status.st_size > max_bytes:
                raise BundleError(f"{path} has {status.st_size} bytes; no file of its kind has over {max_bytes}")
            return file.read(max_bytes + 1)[:max_bytes]
    except (OSError, RuntimeError):  # resolve() raises RuntimeError for links in a circle
        raise BundleError(f"{path} cannot be read") from None
