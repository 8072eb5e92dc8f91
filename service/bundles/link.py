"""The bundle folder that CXR_BUNDLE names, which may change, and the folder served last, for a restarted worker."""

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

logger = logging.getLogger("cxr.service")

LAST: Final = "DEEPCOVIDEXPLAINER_LAST_SERVED"
"""Environment variable that tells workers in which file to store the folder served last. Not for operators."""

_Seen = tuple[Path, int, int]


class Link:
    """CXR_BUNDLE: a symbolic link to a bundle's folder, replaced by a rename; or a folder itself, which never changes.

    The link is polled. Unlike file system notifications, polling also sees changes on a network disk or in a mounted
    volume.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    @property
    def target(self) -> Path:
        """The folder that it named at the last check."""
        return self._seen[0]

    def moved(self) -> bool:
        """Whether the link has been replaced since the last check, even if the new one names the same folder."""
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> _Seen:
        try:
            status = self._path.lstat()
        except OSError:  # the link is missing for a moment between an `rm` and an `ln`
            return self._path.resolve(), 0, 0
        link = self._path.is_symlink()
        return self._path.resolve(), *((status.st_ino, status.st_mtime_ns) if link else (0, 0))


class LastServed:
    """The folder of the bundle that was served last under this supervisor.

    A worker may die while the link names a refused bundle. The next worker then serves the bundle stored here.
    """

    @staticmethod
    def begin() -> None:
        """Called by the supervisor before it starts workers. Makes a private folder, removed when the process ends."""
        folder = tempfile.mkdtemp(prefix="cxr-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[LAST] = str(Path(folder) / "bundle")

    def __init__(self) -> None:
        place = os.environ.get(LAST)
        self._place = Path(place) if place else None

    def note(self, root: Path) -> None:
        """Store this folder, atomically by a rename. On a full disk the earlier note stays."""
        if self._place is None:
            return
        fresh = self._place.with_name("bundle.new")
        try:
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(root)
            fresh.replace(self._place)
        except OSError as error:
            logger.warning("the folder of the served bundle could not be stored: %s", error.strerror)

    def read(self) -> Path | None:
        """The stored folder; None if there is none, or if the folder no longer exists."""
        return self._place.resolve() if self._place is not None and self._place.exists() else None
