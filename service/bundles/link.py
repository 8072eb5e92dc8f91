"""What CXR_BUNDLE names, which may change; and what was served last, for a worker that is started again."""

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

logger = logging.getLogger("cxr.service")

LAST: Final = "DEEPCOVIDEXPLAINER_LAST_SERVED"
"""Environment variable by which a supervisor tells its workers where they note it; not for operators."""

_Seen = tuple[Path, int, int]


class Link:
    """CXR_BUNDLE: a symbolic link to a bundle's folder, replaced by a rename; or that folder itself, which stays.

    The file system is asked, not told of changes: that sees a link on a network's disk or in a mounted volume as well.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    @property
    def target(self) -> Path:
        """The folder it named when it was last looked at."""
        return self._seen[0]

    def moved(self) -> bool:
        """Whether the link has been replaced since, be it by one to the same folder."""
        before, self._seen = self._seen, self._look()
        return before != self._seen

    def _look(self) -> _Seen:
        try:
            status = self._path.lstat()
        except OSError:  # between an `rm` and an `ln`
            return self._path.resolve(), 0, 0
        link = self._path.is_symlink()
        return self._path.resolve(), *((status.st_ino, status.st_mtime_ns) if link else (0, 0))


class LastServed:
    """The folder of the bundle that was served last, under this supervisor.

    A worker may die while the link names a bundle that was refused. The next one then serves what that one did.
    """

    @staticmethod
    def begin() -> None:
        """In a supervisor, before it starts workers: make a private folder for it, which goes when the process ends."""
        folder = tempfile.mkdtemp(prefix="cxr-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[LAST] = str(Path(folder) / "bundle")

    def __init__(self) -> None:
        place = os.environ.get(LAST)
        self._place = Path(place) if place else None

    def note(self, root: Path) -> None:
        """Replaced whole, by a rename. On a full disk the note stays as it is: one that was served before."""
        if self._place is None:
            return
        fresh = self._place.with_name("bundle.new")
        try:
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(root)
            fresh.replace(self._place)
        except OSError as error:
            logger.warning("the bundle that is served could not be noted: %s", error.strerror)

    def read(self) -> Path | None:
        """None where nothing was noted, or its folder is gone."""
        return self._place.resolve() if self._place is not None and self._place.exists() else None
