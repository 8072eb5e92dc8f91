"""A separate network for a test, because Orthanc 1.10 and dcmtk listen on every address."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = Path("/proc/thread-self/ns/net")


def can_be_had() -> bool:
    """Whether the kernel lets this user create a network namespace."""
    command = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    return bool(shutil.which("unshare") and shutil.which("ip")) and not subprocess.run(command, check=False).returncode


@contextmanager
def own_network() -> Iterator[None]:
    """Within the context, this thread and the processes that it starts have only loopback."""
    kernel = ctypes.CDLL(None, use_errno=True)
    before = os.open(_OWN, os.O_RDONLY)
    try:
        if kernel.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if kernel.setns(before, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(before)
