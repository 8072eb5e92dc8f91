"""Available memory: of the machine, and of the process's control groups of both versions."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from cxr import memory
from cxr.memory import available_bytes, give_back

MACHINE = 8 << 30


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """8 GiB available and no control groups yet."""
    write(tmp_path / "meminfo", f"MemTotal: 99999999 kB\nMemAvailable: {MACHINE >> 10} kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(memory, "OWN_CGROUP", tmp_path / "own")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_groups_the_machine_decides() -> None:
    assert available_bytes() == MACHINE


@pytest.mark.parametrize(("limit", "expected"), [("1000", 1000 - 700 + 50), ("max", MACHINE), ("nonsense", MACHINE)])
def test_a_limit_of_version_2_less_what_is_used_and_not_idle_cache(machine: Path, limit: str, expected: int) -> None:
    write(machine / "own", "0::/pod/container\n")
    write(machine / "fs" / "pod" / "memory.max", f"{limit}\n")
    write(machine / "fs" / "pod" / "memory.current", "700\n")
    write(machine / "fs" / "pod" / "memory.stat", "anon 600\ninactive_file 50\n")
    assert available_bytes() == expected


def test_a_limit_of_version_1(machine: Path) -> None:
    write(machine / "own", "4:memory:/group\n1:cpu:/\n")
    for name, value in (("limit_in_bytes", "1000"), ("usage_in_bytes", "900"), ("stat", "total_inactive_file 100")):
        write(machine / "fs" / "memory" / "group" / f"memory.{name}", value)
    assert available_bytes() == 200


def test_without_statistics_what_is_used_is_used(machine: Path) -> None:
    write(machine / "own", "0::/pod\n")
    write(machine / "fs" / "pod" / "memory.max", "1000\n")
    write(machine / "fs" / "pod" / "memory.current", "700\n")
    assert available_bytes() == 300


@pytest.mark.parametrize("library", ["glibc", "another"])
def test_free_memory_is_given_back_where_the_library_can(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    given: list[int] = []
    functions = SimpleNamespace(malloc_trim=given.append) if library == "glibc" else SimpleNamespace()
    monkeypatch.setattr("ctypes.CDLL", lambda _: functions)
    give_back()
    assert given == ([0] if library == "glibc" else [])


def test_that_of_this_machine_can() -> None:
    give_back()
