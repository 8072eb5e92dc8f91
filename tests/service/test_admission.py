"""Admission: limited, in order, and no place is given away twice."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event, Lock

import pytest

from cxr.errors import NotDecodable
from service.admission import Admission, Start
from service.refusals import Busy, DeadlineExceeded

LONG = 30.0


class Work:
    """A job that ends when the test says so."""

    def __init__(self) -> None:
        self.begun = False
        self._future: Future[str] = Future()

    def __call__(self) -> Future[str]:
        self.begun = True
        return self._future

    def end(self) -> None:
        self._future.set_result("done")


def instantly() -> Future[str]:
    done: Future[str] = Future()
    done.set_result("done")
    return done


def fails() -> Future[str]:
    failed: Future[str] = Future()
    failed.set_exception(NotDecodable())
    return failed


async def run_all(admission: Admission, starts: Sequence[Start[str]], seconds: float) -> list[str | BaseException]:
    """Run jobs that arrive together, as the runtime does: one check, then all are admitted whatever their number."""
    admission.check()
    works = (admission.run_admitted(start, seconds) for start in starts)
    return await asyncio.gather(*works, return_exceptions=True)


def refuses_to_begin() -> Future[str]:
    raise RuntimeError


def times_out() -> Future[str]:
    failed: Future[str] = Future()
    failed.set_exception(TimeoutError())
    return failed


@pytest.mark.parametrize(
    ("start", "error"), [(fails, NotDecodable), (refuses_to_begin, RuntimeError), (times_out, TimeoutError)]
)
def test_raises_what_the_job_raises_and_frees_its_place(start: Start[str], error: type[Exception]) -> None:
    async def scenario() -> None:
        admission = Admission(1, 0, LONG)
        for _ in range(3):
            with pytest.raises(error):
                await admission.run(start, LONG)
        assert await admission.run(instantly, LONG) == "done"

    asyncio.run(scenario())


def test_refuses_when_the_queue_is_full_and_admits_again_afterwards() -> None:
    async def scenario() -> None:
        admission, work = Admission(1, 1, LONG), Work()
        running = asyncio.create_task(admission.run(work, LONG))
        waiting = asyncio.create_task(admission.run(instantly, LONG))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await admission.run(instantly, LONG)
        with pytest.raises(Busy):
            admission.check()
        work.end()
        assert await running == await waiting == "done"
        admission.check()

    asyncio.run(scenario())


def test_no_more_jobs_at_once_than_places() -> None:
    running = most = 0
    lock = Lock()

    def work() -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1
        return "done"

    async def scenario() -> None:
        admission = Admission(3, 100, LONG)
        with ThreadPoolExecutor(50) as threads:
            await asyncio.gather(*(admission.run(partial(threads.submit, work), LONG) for _ in range(50)))
        assert (admission.in_flight, admission.running) == (0, 0)

    asyncio.run(scenario())
    assert most == 3


def test_first_come_first_served() -> None:
    order: list[int] = []

    def numbered(number: int) -> Start[str]:
        def start() -> Future[str]:
            order.append(number)
            return instantly()

        return start

    async def scenario() -> None:
        admission, first = Admission(1, 100, LONG), Work()
        starts: list[Start[str]] = [first, *map(numbered, range(20))]
        works = [asyncio.create_task(admission.run(start, LONG)) for start in starts]
        await asyncio.sleep(0)
        first.end()
        await asyncio.gather(*works)

    asyncio.run(scenario())
    assert order == list(range(20))


def test_the_next_job_begins_without_the_event_loop() -> None:
    """A thread that ends a job starts the next one, even if the event loop is busy."""
    ended = [Event() for _ in range(3)]

    async def scenario() -> None:
        admission = Admission(1, 5, LONG)
        with ThreadPoolExecutor(1) as threads:
            works = [asyncio.create_task(admission.run(partial(threads.submit, one.set), LONG)) for one in ended]
            await asyncio.sleep(0)
            assert all(one.wait(LONG) for one in ended), "the loop stands still here"
            await asyncio.gather(*works)

    asyncio.run(scenario())


def test_a_job_that_waits_past_its_deadline_never_begins() -> None:
    async def scenario() -> None:
        admission, work, late = Admission(1, 5, LONG), Work(), Work()
        running = asyncio.create_task(admission.run(work, LONG))
        await asyncio.sleep(0)
        with pytest.raises(DeadlineExceeded):
            await admission.run(late, 0.01)
        assert admission.in_flight == 1
        work.end()
        await running
        assert await admission.run(instantly, LONG) == "done"
        assert not late.begun

    asyncio.run(scenario())


def test_a_waiting_job_never_begins_if_its_caller_goes() -> None:
    async def scenario() -> None:
        admission, work, left = Admission(1, 5, LONG), Work(), Work()
        running, gone = (asyncio.create_task(admission.run(start, LONG)) for start in (work, left))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
        work.end()
        await running
        assert admission.in_flight == 0
        assert not left.begun

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [0.01, LONG])
def test_a_running_job_keeps_its_place_if_its_caller_goes(seconds: float) -> None:
    async def scenario() -> None:
        admission, work = Admission(1, 0, LONG), Work()
        caller = asyncio.create_task(admission.run(work, seconds))
        await asyncio.sleep(0)
        if seconds == LONG:
            caller.cancel()
        await asyncio.wait({caller})
        assert caller.cancelled() or isinstance(caller.exception(), DeadlineExceeded)
        with pytest.raises(Busy):
            await admission.run(instantly, LONG)
        work.end()
        assert await admission.run(instantly, LONG) == "done"

    asyncio.run(scenario())


def test_jobs_that_arrive_together_are_admitted_together() -> None:
    async def scenario() -> None:
        admission = Admission(1, 0, LONG)
        results = await run_all(admission, [instantly, fails, instantly], LONG)
        assert [result if isinstance(result, str) else type(result) for result in results] == [
            "done",
            NotDecodable,
            "done",
        ]
        admission.check()

    asyncio.run(scenario())


def test_jobs_that_arrive_together_take_one_place_each() -> None:
    async def scenario() -> None:
        admission, works = Admission(1, 3, LONG), [Work() for _ in range(4)]
        together = asyncio.create_task(run_all(admission, works, LONG))
        await asyncio.sleep(0.01)
        with pytest.raises(Busy):
            await run_all(admission, [instantly], LONG)
        for work in works:
            work.end()
        assert await together == ["done"] * 4
        admission.check()

    asyncio.run(scenario())


def test_of_jobs_that_arrive_together_only_the_late_ones_are_refused() -> None:
    async def scenario() -> None:
        admission, late = Admission(1, 3, LONG), Work()
        first, second, third = await run_all(admission, [instantly, late, instantly], 0.02)
        assert first == "done"
        assert isinstance(second, DeadlineExceeded)
        assert isinstance(third, DeadlineExceeded)
        late.end()
        assert admission.in_flight == 0

    asyncio.run(scenario())


def lasting(seconds: float, now: list[float]) -> Callable[[], Future[str]]:
    """A job that ends at once, and advances the clock `now` by this many seconds."""

    def start() -> Future[str]:
        now[0] += seconds
        return instantly()

    return start


def test_the_queue_is_limited_by_its_wait() -> None:
    async def scenario() -> None:
        now = [0.0]
        admission = Admission(2, 100, 0.2, clock=lambda: now[0])
        works = [Work() for _ in range(2 + 8)]  # two jobs run, and the waiting ones take 0.05 s per two
        await admission.run(lasting(0.05, now), LONG)
        admitted = []
        for work in works:
            admission.check()
            admitted.append(asyncio.create_task(admission.run(work, LONG)))
            await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            admission.check()
        assert refusal.value.retry_after_s == 1
        for work in works:
            work.end()
        assert await asyncio.gather(*admitted) == ["done"] * len(works)

    asyncio.run(scenario())


def test_a_free_place_is_given_however_slow_earlier_jobs_were() -> None:
    async def scenario() -> None:
        now = [0.0]
        admission = Admission(1, 5, 0.001, clock=lambda: now[0])
        for _ in range(3):
            assert await admission.run(lasting(60, now), LONG) == "done"

    asyncio.run(scenario())


def test_retry_after_is_the_expected_wait() -> None:
    assert Busy().retry_after_s == 1
    assert Busy(0.2).retry_after_s == 1
    assert Busy(2.1).retry_after_s == 3
