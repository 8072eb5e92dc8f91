"""The memory that is still available to this process within its container's limits, and the return of free memory."""

import ctypes
import math
from pathlib import Path, PurePosixPath
from typing import Final

from cxr.cgroups import CGROUPS, OWN_CGROUP, lines

MEMINFO: Final = Path("/proc/meminfo")


def available_bytes() -> float:
    """Bytes that are available on the machine, or fewer if a control group around this process limits them.

    A group's page cache counts as used, but the kernel frees it when needed. So its inactive part counts as available.
    """
    return min(_of_machine(), *_of_groups())


def give_back() -> None:
    """Return the C library's free memory to the system. It kept another 100 to 300 MB after each dropped bundle."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def _of_machine() -> float:
    for line in lines(MEMINFO):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return math.inf


def _of_groups() -> list[float]:
    """Available bytes of each control group (v1 or v2) around this process; inf for a group without a limit."""
    left = [math.inf]
    for line in lines(OWN_CGROUP):
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = CGROUPS / controllers
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            folder = root / str(group).lstrip("/")
            if controllers:
                left.append(_left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
            else:
                left.append(_left(folder, "memory.max", "memory.current", "inactive_file"))
    return left


def _left(folder: Path, limit: str, usage: str, idle: str) -> float:
    """A group's limit minus its usage without inactive page cache; inf if it has no limit or cannot be read."""
    allowed, used = (lines(folder / name) for name in (limit, usage))
    if not (allowed and used and allowed[0].isdecimal()):
        return math.inf
    statistics = dict(line.split() for line in lines(folder / "memory.stat") if len(line.split()) == 2)
    return int(allowed[0]) - int(used[0]) + int(statistics.get(idle, 0))
