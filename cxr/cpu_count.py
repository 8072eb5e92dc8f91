"""The number of processor cores that this process may use within its container's limits."""

import math
import os
from pathlib import PurePosixPath

from cxr.cgroups import CGROUPS, OWN_CGROUP, lines


def usable_cores() -> int:
    """The number of cores in this process's CPU affinity, or fewer if a control group's quota limits its time.

    Docker's `--cpus 2` is such a quota: all cores stay visible, but a thread on each would be throttled.
    """
    return max(1, math.ceil(min(len(os.sched_getaffinity(0)), *_quotas())))


def _quotas() -> list[float]:
    """The quota of each control group around this process, in cores; inf for a group without a limit."""
    unified = next((line.split(":", 2)[2] for line in lines(OWN_CGROUP) if line.startswith("0::")), "/")
    path = PurePosixPath(unified)
    second = [_granted(lines(CGROUPS / str(group).lstrip("/") / "cpu.max")) for group in (path, *path.parents)]
    first = lines(CGROUPS / "cpu" / "cpu.cfs_quota_us") + lines(CGROUPS / "cpu" / "cpu.cfs_period_us")
    return [*second, _granted([" ".join(first)])]


def _granted(found: list[str]) -> float:
    """Quota divided by period, from "QUOTA PERIOD" in microseconds. QUOTA is "max" or -1 if there is no limit."""
    quota, period = found[0].split() if found and len(found[0].split()) == 2 else ("max", "1")
    return int(quota) / int(period) if quota.isdecimal() else math.inf
