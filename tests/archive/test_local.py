"""The local engine without its processes: what becomes of a chunk when one dies, and what one does."""

import signal
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from archive import local
from archive.local import FALSE_STARTS, score
from archive.output import CHUNK, Made, Output
from archive.rows import CRASHED
from cxr.errors import BundleError, DataError
from tests.findings import make_finding

COUNT = CHUNK + 3


@pytest.fixture
def output(tmp_path: Path) -> Output:
    (tmp_path / "list").write_text("\n".join(f"{i}.png" for i in range(COUNT)))
    made = Made("b", "1", "0" * 64, "local", str(CHUNK), "s")
    return Output.begun(tmp_path / "out.parquet", made, [f"@{tmp_path / 'list'}"])


class Worker:
    """Stands for a process: does at once what `lives` has next, and is dead after None."""

    lives: list[Any]
    given: list[tuple[int, tuple[int, ...]]]

    def __init__(self, _output: Output, _bundle: Path) -> None:
        self.line, self._theirs = Pipe()
        self.state = [0, -1]
        self.process = self
        self.chunk: int | None = None
        self._next()

    def _next(self) -> None:
        said = self.lives.pop(0) if self.lives else "ready"
        if isinstance(said, int):  # it dies while it scores this file
            self.state[1] = said
        if said is None or isinstance(said, int):
            self._theirs.close()
        else:
            self._theirs.send(None if said == "ready" else said)

    def give(self, chunk: int, given_up: Any) -> None:
        self.given.append((chunk, tuple(given_up)))
        self.chunk = chunk
        self.state[0] = CHUNK if chunk == 0 else COUNT - CHUNK
        self._next()

    def join(self) -> None:
        """It has ended."""

    def terminate(self) -> None:
        """As it is told to."""


def run(output: Output, monkeypatch: pytest.MonkeyPatch, *lives: Any) -> tuple[list[int], list[Any]]:
    """The counts of a run with these lives, and what the processes were given."""
    monkeypatch.setattr(local, "_Worker", Worker)
    monkeypatch.setattr(Worker, "lives", list(lives), raising=False)
    monkeypatch.setattr(Worker, "given", [], raising=False)
    return list(score(output, Path("bundle"), 1)), Worker.given


def test_every_chunk_is_given_once_and_counted(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, given = run(output, monkeypatch)
    assert given == [(0, ()), (1, ())]
    assert counts[-1] == COUNT


def test_a_file_at_which_two_die_is_given_up(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, given = run(output, monkeypatch, "ready", 7, "ready", 7)
    assert given == [(0, ()), (0, ()), (0, (7,)), (1, ())]
    assert counts[-1] == COUNT


def test_processes_that_end_at_once_are_told_of(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="end at once"):
        run(output, monkeypatch, *[None] * FALSE_STARTS)
    assert run(output, monkeypatch, *[None] * (FALSE_STARTS - 1))[0][-1] == COUNT


def test_what_keeps_a_process_from_starting_is_told(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such bundle"):
        run(output, monkeypatch, "no such bundle")


class Classifier:
    def __init__(self, bundle: Path, threads: int, at_once: int) -> None:
        if bundle == Path("wrong"):
            raise BundleError("no such bundle")
        assert (threads, at_once) == (1, 1)

    def classify(self, _data: bytes) -> Any:
        return make_finding()


def worked(output: Output, monkeypatch: pytest.MonkeyPatch, bundle: str, *asked: Any) -> tuple[list[Any], list[int]]:
    """What a process says to these chunks, and its state at the end."""
    monkeypatch.setattr(local, "Classifier", Classifier)
    monkeypatch.setattr(local, "Bundle", lambda path: path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    ours, theirs = Pipe()
    for one in asked:
        ours.send(one)
    state = [0, -1]
    ours_said = _closing(ours, theirs, state, output, Path(bundle))
    return ours_said, state


def _closing(ours: Connection, theirs: Connection, state: Any, output: Output, bundle: Path) -> list[Any]:
    """Run it until it has done all and finds the pipe closed."""
    said: list[Any] = []

    class Line:
        """The pipe's end, which is closed once everything that was asked is read."""

        send = staticmethod(said.append)

        @staticmethod
        def recv() -> Any:
            if not theirs.poll():
                raise EOFError
            return theirs.recv()

    local._work(Line, state, output, bundle)  # type: ignore[arg-type]
    ours.close()
    theirs.close()
    return said


def test_a_process_writes_a_chunk_whole_and_a_row_for_what_was_given_up(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, state = worked(output, monkeypatch, "bundle", (1, (2,)))
    assert said == [None, None]
    assert state == [COUNT - CHUNK, -1]
    rows = parquet.read_table(output.part(1)).to_pylist()
    assert [row["path"] for row in rows] == [f"{i}.png" for i in range(CHUNK, COUNT)]
    assert [row["error"] for row in rows] == ["unreadable", "unreadable", CRASHED]
    assert output.chunks() == [0]


def test_a_process_that_cannot_load_the_model_says_why(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worked(output, monkeypatch, "wrong")[0] == ["no such bundle"]


def test_a_process_whose_parent_is_gone_ends_without_its_chunk(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([1, 1, 2])
    monkeypatch.setattr("os.getppid", lambda: next(parents))
    said, state = worked(output, monkeypatch, "bundle", (0, ()))
    assert said == [None]
    assert state[1] == 1, "after the second file"
    assert output.chunks() == [0, 1]
