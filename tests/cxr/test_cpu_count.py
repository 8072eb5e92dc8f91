"""The number of cores: affinity, and quotas of both versions of control groups."""

from pathlib import Path

import pytest

from cxr import cpu_count as cores
from cxr.cpu_count import usable_cores


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight processors and no control groups yet."""
    monkeypatch.setattr("cxr.cpu_count.os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cores, "CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(cores, "OWN_CGROUP", tmp_path / "own")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_groups_the_affinity_decides() -> None:
    assert usable_cores() == 8


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("max 100000", 8),
        ("", 8),
        ("nonsense", 8),
    ],
)
def test_a_quota_of_version_2(machine: Path, limit: str, expected: int) -> None:
    write(machine / "own", "0::/\n")
    write(machine / "fs" / "cpu.max", f"{limit}\n")
    assert usable_cores() == expected


def test_the_smallest_quota_of_the_groups_around_counts(machine: Path) -> None:
    write(machine / "own", "3:devices:/x\n0::/pod/container\n")
    write(machine / "fs" / "pod" / "cpu.max", "300000 100000\n")
    write(machine / "fs" / "pod" / "container" / "cpu.max", "max 100000\n")
    assert usable_cores() == 3


@pytest.mark.parametrize(("quota", "expected"), [("-1", 8), ("250000", 3)])
def test_a_quota_of_version_1(machine: Path, quota: str, expected: int) -> None:
    write(machine / "fs" / "cpu" / "cpu.cfs_quota_us", f"{quota}\n")
    write(machine / "fs" / "cpu" / "cpu.cfs_period_us", "100000\n")
    assert usable_cores() == expected
