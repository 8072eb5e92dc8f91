"""The process that forks decoders: `python -m cxr.decode.sandbox.fork_server PARENT CONTROL`.

A new process needs a second of CPU time to import pydicom and its codecs. A fork of a process that has imported them is
ready in milliseconds and shares their memory. The fork server has a single thread and never sees a file.

It answers two requests. Given two descriptors, it forks a decoder and returns the process id. Given a process id, it
waits for that decoder's end and returns its status. Until then the id belongs to the decoder and is safe to kill.
"""

import contextlib
import gc
import os
import signal
import socket
import sys

from cxr.decode.dicom.pixels import load_decoders
from cxr.decode.sandbox import confinement, worker
from cxr.decode.sandbox.wire import NUMBER


def main() -> None:
    """Import all that decoders need and fork on demand, until the socket closes."""
    parent, control = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    control.setblocking(
        True
    )  # it is non-blocking if the parent's sockets have a timeout or gevent has patched the parent
    confinement.die_with(parent)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)  # a stopped service sends them to all its children: files are still decoded
    load_decoders()
    gc.collect()
    gc.freeze()  # garbage collection would write to every object, and so copy the memory that the forks share
    null = os.open(os.devnull, os.O_RDWR)
    while True:
        request, descriptors, _flags, _address = socket.recv_fds(control, NUMBER.size, 2)
        if not request:
            return
        control.send(NUMBER.pack(_fork(control, null, *descriptors) if descriptors else _reap(request)))


def _fork(control: socket.socket, null: int, channel: int, memory: int) -> int:
    server = os.getpid()
    if pid := os.fork():
        os.close(channel)
        os.close(memory)
        return pid
    # From here on only decoders would write to standard error, and their messages about a file may name a patient.
    with contextlib.suppress(BaseException):
        control.close()
        os.dup2(null, 2)
        os.close(null)
        worker.serve(server, channel, memory)
    os._exit(0)


def _reap(request: bytes) -> int:
    """The exit code of a decoder that has ended or is about to; minus the signal that ended it."""
    try:
        _pid, status = os.waitpid(NUMBER.unpack(request)[0], 0)
    except ChildProcessError:  # a fork of an earlier server, which the kernel has killed together with it
        return -signal.SIGKILL
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main()
