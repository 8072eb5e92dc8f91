"""The rate limit: a minute's requests at once, then as tokens return. Each key has its own limit."""

import pytest

from service.access import rates
from service.access.rates import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_requests_pass_and_the_next_gets_a_wait() -> None:
    clock = Clock()
    limit = RateLimit(6, clock)
    assert [limit.wait_s(b"a") for _ in range(6)] == [0.0] * 6
    assert limit.wait_s(b"a") == pytest.approx(10.0)
    assert limit.wait_s(b"b") == 0.0
    clock.now += 4
    assert limit.wait_s(b"a") == pytest.approx(6.0), "a refusal costs no token"
    clock.now += 6
    assert limit.wait_s(b"a") == 0.0
    assert limit.wait_s(b"a") == pytest.approx(10.0)
    clock.now += 3600
    assert [limit.wait_s(b"a") for _ in range(6)] == [0.0] * 6, "no more than a bucket is saved up"
    assert limit.wait_s(b"a") > 0.0


def test_a_steady_caller_at_the_rate_is_never_refused() -> None:
    clock = Clock()
    limit = RateLimit(7, clock)
    for _ in range(7):
        limit.wait_s(b"a")
    for _ in range(1000):
        clock.now += 60 / 7
        assert limit.wait_s(b"a") == 0.0


def test_buckets_of_keys_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_BUCKETS", 3)
    clock = Clock()
    limit = RateLimit(1, clock)
    for caller in (b"a", b"b", b"c"):
        assert limit.wait_s(caller) == 0.0
        clock.now += 25
    assert limit.wait_s(b"d") == 0.0
    assert set(limit._full_at) == {b"b", b"c", b"d"}
    assert limit.wait_s(b"b") > 0.0
