"""The local engine: one process per core, each with its own model, each scoring one chunk of the manifest at a time.

A chunk becomes one file, which is written whole or not at all, so the files show what a killed run had finished. A
process that dies is replaced and its chunk starts again. A file that was being scored at two deaths becomes a row with
an error.
"""

import os
import signal
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from archive.output import CHUNK, Output
from archive.parquet import table, write
from archive.rows import crashed, row
from cxr.errors import CxrError, DataError
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier

TICK_S: Final = 0.5
DEATHS: Final = 2  # deaths while scoring the same file, after which it is not tried again
FALSE_STARTS: Final = 3  # deaths before any file, after which the cause cannot be the files

_MADE, _AT = (
    0,
    1,
)  # of a process's state: finished rows of its chunk, and the index of the current file or -1


def score(output: Output, bundle: Path, workers: int) -> Iterator[int]:
    """Score the files that have no row yet. Yields the number of rows so far from time to time.

    Raises:
        DataError: the processes cannot start.
    """
    crew = _Crew(output, bundle.resolve())
    try:
        yield from crew.work(min(workers, len(crew.waiting)))
    finally:
        crew.end()


class _Worker:
    """A process, the pipe to it, and the chunk that it scores."""

    def __init__(self, output: Output, bundle: Path) -> None:
        context = get_context("spawn")  # a fork would copy threads' locks
        self.line, theirs = context.Pipe()
        self.state: Any = context.Array("q", [0, -1], lock=False)
        self.process = context.Process(target=_work, args=(theirs, self.state, output, bundle))
        self.process.start()
        theirs.close()
        self.chunk: int | None = None

    def give(self, chunk: int, given_up: Collection[int]) -> None:
        self.chunk = chunk
        self.state[_MADE] = 0
        with suppress(OSError):  # the process is dead, which the main loop will notice
            self.line.send((chunk, tuple(given_up)))


class _Crew:
    """All processes."""

    def __init__(self, output: Output, bundle: Path) -> None:
        self._output, self._bundle = output, bundle
        self.waiting = output.chunks()[::-1]
        self._workers: list[_Worker] = []
        self._made = self._false_starts = 0
        self._deaths: Counter[tuple[int, int]] = Counter()  # deaths by chunk and index

    def work(self, workers: int) -> Iterator[int]:
        self._workers = [_Worker(self._output, self._bundle) for _ in range(workers)]
        while self._workers:
            # A closed pipe counts as ready too, so a death is noticed at once.
            ready = connection.wait([worker.line for worker in self._workers], TICK_S)
            for worker in [worker for worker in self._workers if worker.line in ready]:
                self._hear(worker)
            yield self._made + sum(worker.state[_MADE] for worker in self._workers if worker.chunk is not None)

    def end(self) -> None:
        for worker in self._workers:
            worker.process.terminate()

    def _hear(self, worker: _Worker) -> None:
        try:
            trouble = worker.line.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if trouble is not None:
            raise DataError(trouble)
        if worker.chunk is not None:
            self._made += worker.state[_MADE]
            worker.chunk = None
        if self.waiting:
            chunk = self.waiting.pop()
            worker.give(chunk, [at for (of, at), times in self._deaths.items() if of == chunk and times >= DEATHS])
        else:
            self._dismiss(worker)

    def _replace(self, dead: _Worker) -> None:
        self._dismiss(dead)
        at = dead.state[_AT]
        if dead.chunk is None or at < 0:
            self._false_starts += 1
        else:
            self._deaths[dead.chunk, at] += 1
        if dead.chunk is not None:
            self.waiting.append(dead.chunk)
        if self._false_starts >= FALSE_STARTS:
            raise DataError("the scoring processes end at once: if memory is short, start fewer with --workers")
        self._workers.append(_Worker(self._output, self._bundle))

    def _dismiss(self, worker: _Worker) -> None:
        worker.line.close()
        worker.process.join()
        self._workers.remove(worker)


def _work(line: Connection, state: Any, output: Output, bundle: Path) -> None:
    """Run in a process: score chunk after chunk until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl+C
    parent = os.getppid()
    try:
        classifier = Classifier(Bundle(bundle), threads=1, at_once=1)
        paths = output.paths()
    except (CxrError, OSError) as error:
        line.send(str(error))
        return
    line.send(None)
    while True:
        try:
            chunk, given_up = line.recv()
        except (EOFError, OSError):
            return
        rows = []
        for at, path in enumerate(paths.slice(chunk * CHUNK, CHUNK).to_pylist()):
            state[_AT] = at
            rows.append(crashed(path) if at in given_up else row(classifier.classify, path))
            state[_MADE] = at + 1
            if os.getppid() != parent:  # the parent was killed: the next run scores this chunk
                return
        state[_AT] = -1
        write(output.part(chunk), table(rows, output.made.metadata()))
        line.send(None)
