"""Bounded, in order, and never a slot given away twice."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cxr.errors import Busy, DeadlineExceeded, NotDecodable
from service.gate import After, Gate

LONG = 30.0


class Work:
    """A work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self) -> str:
        self.begun.set()
        await self.may_end.wait()
        return "done"


async def instantly() -> str:
    return "done"


def test_returns_the_result_and_the_wait() -> None:
    async def scenario() -> None:
        result, waited_ms = await Gate[str](1, 0, LONG).run(instantly, LONG)
        assert result == "done"
        assert 0 <= waited_ms < 1000

    asyncio.run(scenario())


def test_passes_on_what_the_work_raises_and_frees_its_slot() -> None:
    async def fails() -> str:
        raise NotDecodable

    async def scenario() -> None:
        gate = Gate[str](1, 0, LONG)
        for _ in range(3):
            with pytest.raises(NotDecodable):
                await gate.run(fails, LONG)

    asyncio.run(scenario())


def test_refuses_when_the_queue_is_full_and_admits_again_afterwards() -> None:
    async def scenario() -> None:
        gate, work = Gate[str](1, 1, LONG), Work()
        running = asyncio.create_task(gate.run(work, LONG))
        await work.begun.wait()
        waiting = asyncio.create_task(gate.run(instantly, LONG))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await gate.run(instantly, LONG)
        with pytest.raises(Busy):
            gate.check()
        work.may_end.set()
        assert (await running)[0] == (await waiting)[0] == "done"
        gate.check()

    asyncio.run(scenario())


def test_no_more_works_at_once_than_slots() -> None:
    at_once = most = 0

    async def work() -> str:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return "done"

    async def scenario() -> None:
        gate = Gate[str](3, 100, LONG)
        await asyncio.gather(*(gate.run(work, LONG) for _ in range(50)))

    asyncio.run(scenario())
    assert most == 3


def test_first_come_first_served() -> None:
    order: list[int] = []

    def numbered(number: int) -> Callable[[], Awaitable[str]]:
        async def work() -> str:
            order.append(number)
            return "done"

        return work

    async def scenario() -> None:
        gate = Gate[str](1, 100, LONG)
        await asyncio.gather(*(gate.run(numbered(i), LONG) for i in range(20)))

    asyncio.run(scenario())
    assert order == list(range(20))


def test_one_that_waits_past_its_deadline_never_begins() -> None:
    async def scenario() -> None:
        gate, work, late = Gate[str](1, 5, LONG), Work(), Work()
        running = asyncio.create_task(gate.run(work, LONG))
        await work.begun.wait()
        with pytest.raises(DeadlineExceeded):
            await gate.run(late, 0.01)
        work.may_end.set()
        await running
        assert (await gate.run(instantly, LONG))[0] == "done"
        assert not late.begun.is_set()

    asyncio.run(scenario())


def test_one_that_runs_past_its_deadline_keeps_its_slot_to_the_end() -> None:
    async def scenario() -> None:
        gate, work = Gate[str](1, 0, LONG), Work()
        with pytest.raises(DeadlineExceeded):
            await gate.run(work, 0.01)
        with pytest.raises(Busy):
            await gate.run(instantly, LONG)
        work.may_end.set()
        while True:
            try:
                gate.check()
                break
            except Busy:
                await asyncio.sleep(0)
        assert (await gate.run(instantly, LONG))[0] == "done"

    asyncio.run(scenario())


def test_works_that_came_together_are_admitted_together() -> None:
    async def fails() -> str:
        raise NotDecodable

    async def scenario() -> None:
        gate = Gate[str](1, 0, LONG)
        results = await gate.run_all([instantly, fails, instantly], LONG)
        assert [result[0] if isinstance(result, tuple) else type(result) for result in results] == [
            "done",
            NotDecodable,
            "done",
        ]
        gate.check()

    asyncio.run(scenario())


def test_works_that_came_together_take_a_place_each() -> None:
    async def scenario() -> None:
        gate, works = Gate[str](1, 3, LONG), [Work() for _ in range(4)]
        together = asyncio.create_task(gate.run_all(works, LONG))
        await works[0].begun.wait()
        with pytest.raises(Busy):
            await gate.run_all([instantly], LONG)
        for work in works:
            work.may_end.set()
        assert [result[0] for result in await together if isinstance(result, tuple)] == ["done"] * 4
        gate.check()

    asyncio.run(scenario())


def test_of_works_that_came_together_the_late_ones_alone_are_late() -> None:
    async def scenario() -> None:
        gate, late = Gate[str](1, 3, LONG), Work()
        first, second, third = await gate.run_all([instantly, late, instantly], 0.02)
        assert isinstance(first, tuple)
        assert isinstance(second, DeadlineExceeded)
        assert isinstance(third, DeadlineExceeded)
        late.may_end.set()

    asyncio.run(scenario())


def test_a_queue_is_as_long_as_its_wait_may_be() -> None:
    async def slowly() -> str:
        await asyncio.sleep(0.05)
        return "done"

    async def scenario() -> None:
        gate, works = Gate[str](2, 100, 0.2), [Work() for _ in range(101)]
        await gate.run(slowly, LONG)  # 0.05 s at least, and longer where the machine is slow
        admitted = []
        for work in works:
            if gate.expected_wait_s > 0.2:
                break
            admitted.append(asyncio.create_task(gate.run(work, LONG)))
            await asyncio.sleep(0)
        assert 2 <= len(admitted) <= 2 + 8  # two run; those who wait are served two in 0.05 s
        with pytest.raises(Busy) as refusal:
            gate.check()
        assert refusal.value.retry_after_s == 1
        for work in works:
            work.may_end.set()
        assert [(await one)[0] for one in admitted] == ["done"] * len(admitted)

    asyncio.run(scenario())


def test_who_finds_a_free_slot_is_let_in_however_slow_the_works_were() -> None:
    async def slowly() -> str:
        await asyncio.sleep(0.02)
        return "done"

    async def scenario() -> None:
        gate = Gate[str](1, 5, 0.001)
        for _ in range(3):
            assert (await gate.run(slowly, LONG))[0] == "done"

    asyncio.run(scenario())


def test_retry_after_is_the_expected_wait() -> None:
    assert Busy().retry_after_s == 1
    assert Busy(0.2).retry_after_s == 1
    assert Busy(2.1).retry_after_s == 3


def test_the_first_part_of_a_work_holds_no_slot() -> None:
    async def scenario() -> None:
        gate, first, other = Gate[str](1, 5, LONG), asyncio.Event(), Work()
        slow = asyncio.create_task(gate.run(After(_wait_for(first), other), LONG))
        await asyncio.sleep(0)
        assert await gate.run(instantly, LONG) != ("", 0)
        assert not other.begun.is_set()
        assert gate.in_flight == 1
        first.set()
        await other.begun.wait()
        other.may_end.set()
        result, _ = await slow
        assert result == "done"

    asyncio.run(scenario())


def test_what_the_first_part_raises_is_the_works_error() -> None:
    async def refused() -> None:
        raise NotDecodable

    async def scenario() -> None:
        gate = Gate[str](1, 0, LONG)
        for _ in range(2):
            with pytest.raises(NotDecodable):
                await gate.run(After(refused, instantly), LONG)
        assert gate.in_flight == 0

    asyncio.run(scenario())


def test_a_deadline_ends_the_first_part() -> None:
    async def scenario() -> None:
        gate = Gate[str](1, 0, LONG)
        with pytest.raises(DeadlineExceeded):
            await gate.run(After(_wait_for(asyncio.Event()), instantly), 0.01)
        await asyncio.sleep(0.05)
        assert gate.in_flight == 0

    asyncio.run(scenario())


def _wait_for(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await event.wait()

    return wait
