"""The fork server, seen from its parent."""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from cxr.decode.sandbox.wire import NUMBER

START_S: Final = 60.0
"""Seconds for the server to import what decoders need. It takes 0.6 s on an idle machine."""

_HOME: Final = Path(__file__).parents[3]
_ENVIRONMENT: Final = {
    "PYTHONPATH": str(_HOME),
    "PYTHONSAFEPATH": "1",  # import nothing from the working directory
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",  # otherwise NumPy starts a thread per core, each with its own memory
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # Reuse the memory of the last file's pixels, so that the kernel need not find and clear it again.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the largest value that glibc accepts
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(1 << 20),
}


class ForkServer:
    """Makes decoders. Call it from a single thread, which must outlive it: the kernel ends a process together with the
    thread that started it.
    """

    def __init__(self) -> None:
        """Start it without waiting until it is warm. Raises OSError if it cannot be started."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _start(theirs.fileno())

    def fork(self, channel: int, memory: int) -> int:
        """Fork a decoder that gets both descriptors, and return its process id. Raises OSError."""
        socket.send_fds(self._control, [NUMBER.pack(0)], [channel, memory])
        return self._answer()

    def reap(self, pid: int) -> int:
        """The exit code of a decoder that has ended or is about to; negative for a signal. Raises OSError."""
        self._control.send(NUMBER.pack(pid))
        return self._answer()

    def close(self) -> None:
        """End it and its decoders."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def forget(self) -> None:
        """Close its descriptors in a fork of the parent: the server belongs to the parent."""
        self._control.close()

    def _answer(self) -> int:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        answer = self._control.recv(NUMBER.size) if poll.poll(START_S * 1000) else b""
        if len(answer) != NUMBER.size:
            raise ConnectionError
        return int(NUMBER.unpack(answer)[0])


def _start(control: int) -> subprocess.Popen[bytes]:
    """Start a child that inherits this descriptor and standard error and nothing else."""
    return subprocess.Popen(
        [sys.executable, "-m", "cxr.decode.sandbox.fork_server", str(os.getpid()), str(control)],
        env=_ENVIRONMENT,
        pass_fds=(control,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C in the terminal must reach the parent only, which ends its children in order
    )
