"""The fork server, from its parent's side."""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from cxr.decode.sandbox.wire import NUMBER

START_S: Final = 60.0
"""Seconds for the server to import what decoders need: 0.6 s on a machine that does nothing else."""

_HOME: Final = Path(__file__).parents[3]
_ENVIRONMENT: Final = {
    "PYTHONPATH": str(_HOME),
    "PYTHONSAFEPATH": "1",  # and nothing from the folder it starts in
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",  # or NumPy would start a thread a core, each with memory of its own
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # Pixels of one file take the memory that the last one's had, and the kernel need not find and clear it again.
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # the most that glibc takes
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(1 << 20),
}


class ForkServer:
    """Makes decoders. To be called by one thread alone, which must outlive it: the kernel ends a process with the
    thread that started it.
    """

    def __init__(self) -> None:
        """Start it and do not wait until it is warm. Raises OSError where it cannot be started."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = _start(theirs.fileno())

    def fork(self, channel: int, memory: int) -> int:
        """A new decoder's process id. It gets both descriptors. Raises OSError."""
        socket.send_fds(self._control, [NUMBER.pack(0)], [channel, memory])
        return self._answer()

    def reap(self, pid: int) -> int:
        """The exit code of a decoder that has ended or is about to; minus the signal that ended it. Raises OSError."""
        self._control.send(NUMBER.pack(pid))
        return self._answer()

    def close(self) -> None:
        """End it, and its decoders with it."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def forget(self) -> None:
        """Let go of it, in a fork of its parent, whose it is not."""
        self._control.close()

    def _answer(self) -> int:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        answer = self._control.recv(NUMBER.size) if poll.poll(START_S * 1000) else b""
        if len(answer) != NUMBER.size:
            raise ConnectionError
        return int(NUMBER.unpack(answer)[0])


def _start(control: int) -> subprocess.Popen[bytes]:
    """A child of this process with this descriptor, standard error, and nothing else of its parent's."""
    return subprocess.Popen(
        [sys.executable, "-m", "cxr.decode.sandbox.fork_server", str(os.getpid()), str(control)],
        env=_ENVIRONMENT,
        pass_fds=(control,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # a Ctrl-C at the terminal is for the parent, which ends its children in order
    )
