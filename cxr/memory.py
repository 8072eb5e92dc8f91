"""How much memory this process may still take, as a container's limits allow it; and giving back what is free."""

import ctypes
import math
from pathlib import Path, PurePosixPath
from typing import Final

from cxr.cgroups import CGROUPS, OWN_CGROUP, lines

MEMINFO: Final = Path("/proc/meminfo")


def available_bytes() -> float:
    """What the machine has to give, or less where a control group around this process limits it.

    A group's page cache counts as used, but is given back when somebody needs it: of that, what lies idle is free.
    """
    return min(_of_machine(), *_of_groups())


def give_back() -> None:
    """Return what the C library holds free. After each of some dropped bundles it had kept another 100 to 300 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _of_machine() -> float:
    for line in lines(MEMINFO):
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return math.inf


def _of_groups() -> list[float]:
    """Of each control group around this process, of either version; those without a limit: inf."""
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
    """Limit less usage of one group, its idle page cache given back; inf where it has no limit or is not to be seen."""
    allowed, used = (lines(folder / name) for name in (limit, usage))
    if not (allowed and used and allowed[0].isdecimal()):
        return math.inf
    statistics = dict(line.split() for line in lines(folder / "memory.stat") if len(line.split()) == 2)
    return int(allowed[0]) - int(used[0]) + int(statistics.get(idle, 0))
