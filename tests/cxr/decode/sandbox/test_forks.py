"""How the fork server is started, and how many decoders there are."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr.decode.sandbox import pool as module
from cxr.decode.sandbox.forks import ForkServer
from cxr.decode.sandbox.pool import decoders


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer()
    yield made
    made.close()


def test_it_has_an_environment_and_a_session_of_its_own(server: ForkServer) -> None:
    pid = server._process.pid
    stated = Path(f"/proc/{pid}/environ").read_bytes().decode().rstrip("\0").split("\0")
    environment = dict(line.split("=", 1) for line in stated)
    assert environment.pop("PYTHONPATH") == str(Path(module.__file__).parents[3])
    assert environment == {
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
        "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),
        "MALLOC_TOP_PAD_": str(1024 * 1024),
    }
    assert os.getsid(pid) == pid != os.getsid(0)
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")


def test_one_that_is_killed_answers_nothing(server: ForkServer) -> None:
    server._process.kill()
    server._process.wait()
    with pytest.raises(OSError):  # noqa: PT011 - of whatever kind: the pool catches all of them
        server.reap(1)


@pytest.mark.parametrize(("cores", "size"), [(1, 1), (4, 4), (64, 4)])
def test_there_are_as_many_decoders_as_cores_and_four_at_the_most(
    monkeypatch: pytest.MonkeyPatch, cores: int, size: int
) -> None:
    monkeypatch.setattr(module, "_pools", [])
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    pool = decoders()
    assert pool.size == size
    assert decoders() is pool
    pool.close()
