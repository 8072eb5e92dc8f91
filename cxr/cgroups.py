"""Where Linux tells a process which control groups limit it."""

from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN_CGROUP: Final = Path("/proc/self/cgroup")


def lines(path: Path) -> list[str]:
    """A file's lines; none where it cannot be read, since groups differ by kernel and container."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
