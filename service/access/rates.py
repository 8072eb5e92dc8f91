"""How often a key may ask: a token bucket for each."""

import time
from collections.abc import Callable
from typing import Final

MAX_BUCKETS: Final = 1024
MINUTE_S: Final = 60.0


class RateLimit:
    """A bucket of tokens for each caller; a request takes one, and they come back evenly over the minute.

    A caller who was quiet may thus send a whole minute's requests at once. The API has one worker, so that its buckets
    are those of the replica; two replicas let twice as much pass.
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
        self._full_at: dict[bytes, float] = {}  # when each bucket is full again; one that is full need not be kept

    def wait_s(self, caller: bytes) -> float:
        """Take a token: 0, or where there is none the seconds until there is."""
        now = self._clock()
        taken_until = max(now, self._full_at.get(caller, now)) + 1 / self._per_s
        excess_s = taken_until - now - self._tokens / self._per_s
        if excess_s > 1e-9:  # what rounding leaves
            return excess_s
        if len(self._full_at) >= MAX_BUCKETS:  # of keys that are no longer in force
            self._full_at = {key: full for key, full in self._full_at.items() if full > now}
        self._full_at[caller] = taken_until
        return 0.0
