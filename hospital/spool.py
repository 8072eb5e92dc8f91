"""The durable folder between receiver, worker and sender: a radiograph that was accepted is answered, whatever dies.

    tmp/      what is being written; emptied at start
    new/      radiographs that were accepted, each a file
    work/     radiographs that the service is being asked about; they go back to new/ at start
    out/      results to be sent, each a folder of DICOM objects
    done/     results that were sent, for as long as they are kept
    refused/  a note for each radiograph that the service refused

Nothing changes in place. What is complete is written through to the disk, then renamed to where it belongs: a
radiograph is received (tmp/ to new/), claimed (new/ to work/), answered (tmp/ to out/) and sent (out/ to done/). A
process that dies at any of the four repeats at most one step, with the same objects of the same UIDs.

Names are hashes: they name no patient, and no UID. What lies in the files does.
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
_ABANDONED_S: Final = 120.0  # four times as long as a connection may be silent


class SpoolFull(Exception):
    """There is no room for another radiograph."""


class SpoolInUse(Exception):
    """Another process serves the folder."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed radiograph, to be answered or refused."""

    name: str
    path: Path


class Spool:
    """A spool folder. Safe to use from several threads; one process serves it, others may add to it."""

    def __init__(self, root: Path, most_bytes: int = 20 << 30, least_free: int = 1 << 30) -> None:
        """Make what is missing of the folder, for its owner alone.

        Args:
            root: the folder.
            most_bytes: radiographs and results that may wait, all together.
            least_free: bytes that the disk must have left for another radiograph to be accepted.
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
        """For as long as this process serves the folder. What was in work is new again, and what is half is gone.

        Raises SpoolInUse where another process serves it.
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
        """Raises SpoolFull where another radiograph would have no room."""
        if shutil.disk_usage(self.root).free < self._least_free or self.bytes_waiting() > self._most_bytes:
            raise SpoolFull

    def accept(self, path: Path, sop_instance_uid: str) -> None:
        """Take over a file that lies in tmp/. Once this returns, the radiograph will be answered.

        The same instance once more replaces the one that waits. Raises SpoolFull, and OSError where the disk fails.
        """
        self.check_room()
        _write_through(path)
        self._move(path, self.root / "new" / f"{_name(sop_instance_uid)}{_SUFFIX}")

    def add(self, data: bytes, sop_instance_uid: str) -> None:
        """The same for bytes."""
        self.check_room()
        with self._scratch_file(data) as path:
            self.accept(path, sop_instance_uid)

    def claim(self) -> Job | None:
        """The radiograph that has waited longest; None where none waits. It is not claimed a second time."""
        with self._claiming:
            for path in sorted(self._entries("new"), key=self._waits_since):
                target = self.root / "work" / path.name
                if target.exists():  # it came again while it is being answered
                    continue
                with suppress(FileNotFoundError):
                    self._move(path, target)
                    return Job(path.stem, target)
        return None

    def release(self, job: Job) -> None:
        """Put a radiograph back, to be claimed again; it goes to the end of the queue, and is as old as it was."""
        self._released[job.path.name] = time.time()
        with suppress(FileNotFoundError):
            self._put_back(job.path)

    def answer(self, job: Job, objects: Mapping[str, bytes]) -> None:
        """Keep the objects made of a radiograph until they are sent, and let go of it."""
        made = hashlib.sha256(b"".join(objects[kind] for kind in sorted(objects))).hexdigest()[:_NAME_LENGTH]
        target = self.root / "out" / f"{job.name}.{made}"
        if not target.exists():  # else a process died between these two steps
            folder = Path(mkdtemp(dir=self.root / "tmp"))
            for kind, data in objects.items():
                (folder / f"{kind}{_SUFFIX}").write_bytes(data)
                _write_through(folder / f"{kind}{_SUFFIX}")
            _write_through(folder)
            self._move(folder, target)
        self._let_go(job)

    def refuse(self, job: Job, code: str) -> None:
        """Note that the service will not answer, and why, and let go of the radiograph."""
        with self._scratch_file(json.dumps({"code": code}).encode()) as path:
            _write_through(path)
            self._move(path, self.root / "refused" / f"{job.name}.json")
        self._let_go(job)

    # --- Results

    def results(self) -> list[Path]:
        """The folders of results that are to be sent, the oldest first."""
        return list(self._entries("out"))

    def sent(self, result: Path) -> None:
        """A result has arrived."""
        os.utime(result)
        self._move(result, self.root / "done" / result.name)

    def expire(self, seconds: float) -> None:
        """Delete results that were sent longer ago than that, and what broken connections left behind."""
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
        """Of what is neither sent nor refused."""
        return sum(_size(path) for folder in ("tmp", "new", "work", "out") for path in self._entries(folder))

    def oldest_s(self) -> float:
        """Seconds that the oldest radiograph or result has waited; 0 where none waits."""
        times = []
        for path in (path for name in ("new", "work", "out") for path in self._entries(name)):
            with suppress(FileNotFoundError):
                times.append(path.stat().st_mtime)
        return max(0.0, time.time() - min(times)) if times else 0.0

    # ---

    def _waits_since(self, path: Path) -> float:
        """Where a radiograph stands in the queue: when it came, or was released last."""
        with suppress(FileNotFoundError):
            return self._released.get(path.name, path.stat().st_mtime)
        return 0.0

    def _let_go(self, job: Job) -> None:
        self._released.pop(job.path.name, None)
        job.path.unlink(missing_ok=True)

    def _put_back(self, path: Path) -> None:
        target = self.root / "new" / path.name
        if target.exists():  # it came again meanwhile
            path.unlink()
        else:
            self._move(path, target)

    def _entries(self, folder: str) -> Iterator[Path]:
        """The oldest first; what vanishes meanwhile is left out."""
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
        """The one rename of the spool, written through: afterwards it survives a loss of power."""
        path.rename(target)
        _write_through(target.parent)


def _name(sop_instance_uid: str) -> str:
    return hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:_NAME_LENGTH]


def _write_through(path: Path) -> None:
    """Return when a file, or what a folder lists, is on the disk."""
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
