"""How many processors this process may use, as a container's limits allow it."""

import math
import os
from pathlib import Path, PurePosixPath
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """The processors of this process's affinity, or fewer where a control group's quota gives it less time.

    Docker's `--cpus 2` is such a quota: all processors are visible, and threads for all of them would only be
    throttled together.
    """
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), *_quotas())))


def _quotas() -> list[float]:
    """Processors' worth of time that each control group around this process grants; those without a limit: inf."""
    unified = next((line.split(":", 2)[2] for line in _lines(OWN_CGROUP) if line.startswith("0::")), "/")
    path = PurePosixPath(unified)
    second = [_granted(_lines(CGROUPS / str(group).lstrip("/") / "cpu.max")) for group in (path, *path.parents)]
    first = _lines(CGROUPS / "cpu" / "cpu.cfs_quota_us") + _lines(CGROUPS / "cpu" / "cpu.cfs_period_us")
    return [*second, _granted([" ".join(first)])]


def _granted(lines: list[str]) -> float:
    """Quota over period, from "QUOTA PERIOD" in microseconds; QUOTA is "max" or -1 where there is none."""
    quota, period = lines[0].split() if lines and len(lines[0].split()) == 2 else ("max", "1")
    return int(quota) / int(period) if quota.isdecimal() else math.inf


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
