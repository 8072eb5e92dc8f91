"""End a process that works far too long on one thing, so that its supervisor starts another."""

import faulthandler
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import Final, TextIO

SOONEST_S: Final = 0.001  # `faulthandler` does not accept a time in the past


class Watchdog:
    """Ends this process if one of its jobs is not done in time. Safe to use from several threads.

    A single thread that hangs cannot be ended. The timer is `faulthandler`'s, which does not need the interpreter, so
    it ends the process even if the library that hangs holds the GIL. Before that it writes every thread's stack
    (functions and lines, no values), so that an operator sees what hung.
    """

    def __init__(self, stacks: TextIO | None = None) -> None:
        """`stacks`: a file for the stacks, by default standard error."""
        self._stacks = stacks or sys.__stderr__ or sys.stderr
        self._lock = Lock()
        self._numbers = count()
        self._ends: dict[int, float] = {}

    @contextmanager
    def watch(self, seconds: float) -> Iterator[None]:
        """End the process unless the block ends within `seconds`."""
        with self._lock:
            work = next(self._numbers)
            self._ends[work] = time.monotonic() + seconds
            self._set()
        try:
            yield
        finally:
            with self._lock:
                del self._ends[work]
                self._set()

    def _set(self) -> None:
        """Set the timer for the job with the earliest deadline: a process has only one timer."""
        if not self._ends:
            faulthandler.cancel_dump_traceback_later()
            return
        left_s = min(self._ends.values()) - time.monotonic()
        faulthandler.dump_traceback_later(max(SOONEST_S, left_s), file=self._stacks, exit=True)
