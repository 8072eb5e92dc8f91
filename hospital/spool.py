"""The durable folder between receiver, worker and sender. An accepted radiograph is answered even after crashes.

    tmp/      incomplete files; emptied at start
    new/      accepted radiographs, one file each
    work/     radiographs that the service is processing; they return to new/ at start
    out/      results to send, a folder of DICOM objects each
    done/     sent results, until they expire
    refused/  a note for each radiograph that the service refused

Nothing changes in place. A complete file is flushed to the disk and then renamed to its next folder: a
radiograph is received (tmp/ to new/), claimed (new/ to work/), answered (tmp/ to out/) and sent (out/ to done/). A
process that dies at any of the four repeats at most one step, with the same objects and UIDs.

File names are hashes and reveal no patient and no UID. The files' contents do.
"""

import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp, mkstemp
from typing import Final

FOLDERS: Final = ("tmp", "new", "work", "out", "done", "refused")
_SUFFIX: Final = ".dcm"
_NAME_LENGTH: Final = 32
_ABANDONED_S: Final = 120.0  # four times the time that a connection may be silent


class SpoolFull(Exception):
    """There is no room for another radiograph."""


class SpoolInUse(Exception):
    """Another process uses the folder."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed radiograph, to be answered or refused."""

    name: str
    path: Path


class Spool:
    """A spool folder. Safe to use from several threads; one process serves it, others may add to it."""

    def __init__(self, root: Path, most_bytes: int = 20 << 30, least_free: int = 1 << 30) -> None:
        """Create the folder and its subfolders, accessible to their owner only.

        Args:
            root: the folder.
            most_bytes: largest total size of waiting radiographs and results.
            least_free: free bytes that the disk must have to accept another radiograph.
        """
        self.root = root
        self._most_bytes = most_bytes
        self._least_free = least_free
        self._claiming = threading.Lock()
        self._released: dict[str, float] = {}
        for folder in (root, *(root / name for name in FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve the folder while the context lasts. At start work/ returns to new/, and incomplete files are deleted.

        Raises SpoolInUse if another process uses the folder.
        """
        with (self.root / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SpoolInUse from None
            for path in self._entries("work"):
                self._put_back(path)
            for path in self._entries("tmp"):
                _remove(path)
            yield

    # --- Radiographs

    def check_room(self) -> None:
        """Raises SpoolFull if there is no room for another radiograph."""
        if shutil.disk_usage(self.root).free < self._least_free or self.bytes_waiting() > self._most_bytes:
            raise SpoolFull

    def accept(self, path: Path, sop_instance_uid: str) -> None:
        """Accept a file in tmp/. Once this returns, the radiograph will be answered.

        The same instance sent again replaces the waiting one. Raises SpoolFull, and OSError if the disk fails.
        """
        self.check_room()
        _write_through(path)
        self._move(path, self.root / "new" / f"{_name(sop_instance_uid)}{_SUFFIX}")

    def add(self, data: bytes, sop_instance_uid: str) -> None:
        """As `accept`, for bytes."""
        self.check_room()
        with self._scratch_file(data) as path:
            self.accept(path, sop_instance_uid)

    def claim(self) -> Job | None:
        """Claim the radiograph that has waited longest; None if none waits."""
        with self._claiming:
            for path in sorted(self._entries("new"), key=self._waits_since):
                target = self.root / "work" / path.name
                if target.exists():  # the same instance arrived again while it is being answered
                    continue
                with suppress(FileNotFoundError):
                    self._move(path, target)
                    return Job(path.stem, target)
        return None

    def release(self, job: Job) -> None:
        """Put a radiograph back to the end of the queue. Its age does not change."""
        self._released[job.path.name] = time.time()
        with suppress(FileNotFoundError):
            self._put_back(job.path)

    def answer(self, job: Job, objects: Mapping[str, bytes]) -> None:
        """Store the objects made from a radiograph until they are sent, and delete the radiograph."""
        made = hashlib.sha256(b"".join(objects[kind] for kind in sorted(objects))).hexdigest()[:_NAME_LENGTH]
        target = self.root / "out" / f"{job.name}.{made}"
        if not target.exists():  # if it exists, a process died between these two steps
            folder = Path(mkdtemp(dir=self.root / "tmp"))
            for kind, data in objects.items():
                (folder / f"{kind}{_SUFFIX}").write_bytes(data)
                _write_through(folder / f"{kind}{_SUFFIX}")
            _write_through(folder)
            self._move(folder, target)
        self._let_go(job)

    def refuse(self, job: Job, code: str) -> None:
        """Note why the service refused a radiograph, and delete it."""
        with self._scratch_file(json.dumps({"code": code}).encode()) as path:
            _write_through(path)
            self._move(path, self.root / "refused" / f"{job.name}.json")
        self._let_go(job)

    # --- Results

    def results(self) -> list[Path]:
        """The folders of results to send, oldest first."""
        return list(self._entries("out"))

    def sent(self, result: Path) -> None:
        """Mark a result as sent."""
        os.utime(result)
        self._move(result, self.root / "done" / result.name)

    def expire(self, seconds: float) -> None:
        """Delete results that were sent more than `seconds` ago, and remains of broken connections."""
        now = time.time()
        for folder, age in (("done", seconds), ("tmp", max(seconds, _ABANDONED_S))):
            for path in self._entries(folder):
                with suppress(FileNotFoundError):
                    if now - path.stat().st_mtime >= age:
                        _remove(path)

    # --- Figures

    def count(self, folder: str) -> int:
        return sum(1 for _ in self._entries(folder))

    def bytes_waiting(self) -> int:
        """Total size of everything that is neither sent nor refused."""
        return sum(_size(path) for folder in ("tmp", "new", "work", "out") for path in self._entries(folder))

    def oldest_s(self) -> float:
        """Seconds that the oldest radiograph or result has waited; 0 if none waits."""
        times = []
        for path in (path for name in ("new", "work", "out") for path in self._entries(name)):
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        return max(0.0, time.time() - min(times)) if times else 0.0

    # ---

    def _waits_since(self, path: Path) -> float:
        """A radiograph's position in the queue: the time when it arrived or was last released."""
        with suppress(FileNotFoundError):
            return self._released.get(path.name, path.stat().st_mtime)
        return 0.0

    def _let_go(self, job: Job) -> None:
        self._released.pop(job.path.name, None)
        job.path.unlink(missing_ok=True)

    def _put_back(self, path: Path) -> None:
        target = self.root / "new" / path.name
        if target.exists():  # the same radiograph arrived again meanwhile
            path.unlink()
        else:
            self._move(path, target)

    def _entries(self, folder: str) -> Iterator[Path]:
        """The entries of a folder, oldest first. Entries that vanish meanwhile are left out."""
        found = []
        for path in (self.root / folder).iterdir():
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return (path for _, path in sorted(found))

    @contextmanager
    def _scratch_file(self, data: bytes) -> Iterator[Path]:
        descriptor, name = mkstemp(dir=self.root / "tmp")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    def _move(self, path: Path, target: Path) -> None:
        """Rename and flush, so that the result survives a loss of power. All renames of the spool use this."""
        path.rename(target)
        _write_through(target.parent)


def _name(sop_instance_uid: str) -> str:
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:_NAME_LENGTH]


def _write_through(path: Path) -> None:
    """Flush a file, or a folder's list of entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        if path.is_dir():
            return sum(_size(inner) for inner in path.iterdir())
        return path.stat().st_size
    return 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
