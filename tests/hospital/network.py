"""A network of its own for a test: Orthanc 1.10 and dcmtk listen on every address there is."""

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
    """Whether the kernel lets this user make one."""
    command = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    return bool(shutil.which("unshare") and shutil.which("ip")) and not subprocess.run(command, check=False).returncode


@contextmanager
def own_network() -> Iterator[None]:
    """This thread, and what it starts, has loopback alone for as long as the context lasts."""
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
