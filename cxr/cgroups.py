"""Read the files in which Linux describes a process's control groups."""

from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")


def lines(path: Path) -> list[str]:
    """A file's lines; empty if it cannot be read. Which files exist depends on kernel and container."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
