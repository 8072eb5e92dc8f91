"""Rate limits: a token bucket for each key."""

import time
from collections.abc import Callable
from typing import Final

MAX_BUCKETS: Final = 1024
MINUTE_S: Final = 60.0


class RateLimit:
    """A bucket of tokens for each caller. A request takes one token; tokens return evenly over the minute.

    So a caller who sent nothing for a minute may send a whole minute's requests at once. The API has one worker, so the
    limit is per replica: two replicas allow twice as many.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            per_minute: requests that a caller may send in a minute, and tokens in a full bucket.
            clock: seconds, from any start.
        """
        self._tokens = per_minute
        self._per_s = per_minute / MINUTE_S
        self._clock = clock
        self._full_at: dict[
            bytes, float
        ] = {}  # the time when each bucket is full again; full buckets need not be stored

    def wait_s(self, caller: bytes) -> float:
        """Take a token and return 0; without a token, return the seconds until there is one."""
        now = self._clock()
        taken_until = max(now, self._full_at.get(caller, now)) + 1 / self._per_s
        excess_s = taken_until - now - self._tokens / self._per_s
        if excess_s > 1e-9:  # tolerance for rounding
            return excess_s
        if len(self._full_at) >= MAX_BUCKETS:  # buckets of keys that are no longer valid
            self._full_at = {key: full for key, full in self._full_at.items() if full > now}
        self._full_at[caller] = taken_until
        return 0.0
