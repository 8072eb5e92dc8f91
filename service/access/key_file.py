"""API keys in a file, which may be replaced while the service runs."""

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
    """The file holds no usable keys. The message is fixed, and has nothing of what is in it."""

    def __init__(self) -> None:
        super().__init__(
            f"The file of CXR_API_KEYS_FILE should hold a key a line, at least one, each of {MIN_KEY_LENGTH} "
            f"characters or more, in UTF-8 and at most {MAX_FILE_BYTES >> 10} KiB."
        )


class KeyFile:
    """A file with a key a line; empty lines, and those that begin with #, are none.

    It is read every second and compared with what was read before: that sees a rename, a changed mount and a write
    alike, and a file of this size costs nothing. Replace it by a rename, or half of it may be in force for a second.
    """

    def __init__(self, path: Path) -> None:
        """Raises KeyFileError unless its keys can be used now."""
        self._path = path
        self._seen = _read(path)
        self.keys = Keys(_keys(self._seen))

    def watch(self) -> None:
        """From now on, for as long as the process lives, have the keys that are in the file."""
        Thread(target=self._watch, name="keys", daemon=True).start()

    def check(self) -> None:
        """Look once. A file that cannot be used changes nothing: the keys before it stay in force."""
        found = _read(self._path)
        if found == self._seen:
            return
        self._seen = found
        try:
            self.keys.replace(_keys(found))
        except KeyFileError:
            logger.warning("the file of API keys cannot be used: the keys before it stay in force")
        else:
            logger.info("the API keys were replaced")

    def _watch(self) -> None:
        never = Event()
        while not never.wait(CHECK_S):
            self.check()


def _keys(data: bytes | None) -> list[str]:
    """Raises KeyFileError where the file is missing or too long, or has no keys or an unusable one."""
    try:
        lines = map(str.strip, (data or b"").decode().split("\n"))
    except UnicodeDecodeError:
        raise KeyFileError from None
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or min(map(len, keys)) < MIN_KEY_LENGTH:
        raise KeyFileError
    return keys


def _read(path: Path) -> bytes | None:
    """None for a file that is missing, cannot be read or is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MAX_FILE_BYTES else None
