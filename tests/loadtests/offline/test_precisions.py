"""Precisions of docs/performance.md: a process can be refused the processor's tiles."""

import platform
import subprocess
import sys

import pytest

ASK = (
    "import ctypes; from loadtests.offline import precisions; precisions.forbid_tiles(); "
    "libc = ctypes.CDLL(None, use_errno=True); ask_for_tile_data = 0x1023, 18; "
    "print(libc.syscall(158, *ask_for_tile_data), ctypes.get_errno())"
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AMX is x86-64's")
def test_the_kernel_refuses_tiles_to_a_process_that_forbids_itself_them() -> None:
    """EPERM: without the filter the answer is 0 on a processor with tiles, and EOPNOTSUPP or EINVAL elsewhere."""
    done = subprocess.run([sys.executable, "-c", ASK], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["-1", "1"]
