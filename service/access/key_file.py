"""API keys from a file that may be replaced while the service runs."""

import logging
from pathlib import Path
from threading import Event, Thread
from typing import Final

from service.access.keys import Keys
from service.settings import MIN_KEY_LENGTH

logger = logging.getLogger("cxr.service")

CHECK_S: Final = 1.0
MAX_FILE_BYTES: Final = 64 << 10


class KeyFileError(Exception):
    """The file has no usable keys. The message is a fixed text without any of the file's content."""

    def __init__(self) -> None:
        super().__init__(
            f"The file named by CXR_API_KEYS_FILE must hold one key per line, at least one, each of {MIN_KEY_LENGTH} "
            f"characters or more, in UTF-8 and at most {MAX_FILE_BYTES >> 10} KiB."
        )


class KeyFile:
    """A file with one key per line. Empty lines, and lines that begin with #, are ignored.

    It is read every second and compared with its earlier content. This detects a rename, a changed mount and a write,
    and is cheap for a file of this size. Replace the file by a rename; otherwise a half-written file may be used for a
    second.
    """

    def __init__(self, path: Path) -> None:
        """Read the keys. Raises KeyFileError if they cannot be used."""
        self._path = path
        self._seen = _read(path)
        self.keys = Keys(_keys(self._seen))

    def watch(self) -> None:
        """Follow the file from now on until the process ends."""
        Thread(target=self._watch, name="keys", daemon=True).start()

    def check(self) -> None:
        """Read the file once. If it cannot be used, the earlier keys stay in force."""
        found = _read(self._path)
        if found == self._seen:
            return
        self._seen = found
        try:
            self.keys.replace(_keys(found))
        except KeyFileError:
            logger.warning("the file of API keys cannot be used; the earlier keys stay in force")
        else:
            logger.info("the API keys were replaced")

    def _watch(self) -> None:
        never = Event()
        while not never.wait(CHECK_S):
            self.check()


def _keys(data: bytes | None) -> list[str]:
    """Parse the keys. Raises KeyFileError if the file is missing or too long, or has no keys or an unusable one."""
    try:
        lines = map(str.strip, (data or b"").decode().split("\n"))
    except UnicodeDecodeError:
        raise KeyFileError from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or min(map(len, keys)) < MIN_KEY_LENGTH:
        raise KeyFileError
    return keys


def _read(path: Path) -> bytes | None:
    """The file's bytes; None if it is missing, cannot be read or is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_FILE_BYTES else None
