"""Admission compared with a model, for any order of arrivals, ends and disconnecting callers."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cxr.errors import NotDecodable
from service.admission import WEIGHT, Admission
from service.refusals import Busy
from tests.service.test_admission import run_all

LONG = 1e6
TURNS = 6  # iterations of the event loop until all effects of an event are complete


@dataclass(eq=False)
class Work:
    """One job and its caller, seen by the test."""

    future: "Future[str]" = field(default_factory=Future)
    caller: "asyncio.Task[object] | None" = None
    begun_at: float = 0.0


class Rules(RuleBasedStateMachine):
    """`waiting` and `running` are the model; `begun` has the jobs that really began, in order."""

    @initialize(at_once=st.integers(1, 3), queue=st.integers(0, 4), wait_s=st.sampled_from([0.5, 5.0, LONG]))
    def admission_of(self, at_once: int, queue: int, wait_s: float) -> None:
        self.loop = asyncio.new_event_loop()
        self.now = 0.0
        self.at_once, self.queue, self.wait_s = at_once, queue, wait_s
        self.admission = Admission(at_once, queue, wait_s, clock=lambda: self.now)
        self.waiting: list[Work] = []
        self.running: list[Work] = []
        self.begun: list[Work] = []
        self.should_have_begun: list[Work] = []
        self.work_s = 0.0

    @rule()
    def one_comes(self) -> None:
        work, full = Work(), self.is_busy()
        work.caller = self.loop.create_task(self.admission.run(partial(self.start, work), LONG))
        self.let_follow()
        assert full == (work.caller.done() and isinstance(work.caller.exception(), Busy))
        if not full:
            self.enters([work])

    @rule(count=st.integers(1, 5))
    def several_come_together(self, count: int) -> None:
        works, full = [Work() for _ in range(count)], self.is_busy()
        starts = [partial(self.start, work) for work in works]
        together = self.loop.create_task(run_all(self.admission, starts, LONG))
        self.let_follow()
        assert full == (together.done() and isinstance(together.exception(), Busy))
        if not full:
            self.enters(works)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), fails=st.booleans())
    def one_ends(self, data: st.DataObject, fails: bool) -> None:
        work = data.draw(st.sampled_from(self.running))
        self.running.remove(work)
        seconds = self.now - work.begun_at
        if not fails:
            self.work_s += (seconds - self.work_s) * (WEIGHT if self.work_s else 1.0)
        self.go_on()
        if fails:
            work.future.set_exception(NotDecodable())
        else:
            work.future.set_result("done")
        self.let_follow()
        if work.caller is not None and not work.caller.cancelled():
            assert work.caller.done()
            assert isinstance(work.caller.exception(), NotDecodable) if fails else work.caller.result() == "done"

    @precondition(lambda self: any(work.caller for work in self.waiting + self.running))
    @rule(data=st.data())
    def a_caller_goes(self, data: st.DataObject) -> None:
        """If its caller goes, a waiting job frees its place, and a running one keeps it."""
        work = data.draw(st.sampled_from([work for work in self.waiting + self.running if work.caller]))
        assert work.caller is not None
        work.caller.cancel()
        self.let_follow()
        if work in self.waiting:
            self.waiting.remove(work)

    @rule(seconds=st.sampled_from([0.1, 1.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_more_run_than_may(self) -> None:
        assert self.admission.running == len(self.running) <= self.at_once

    @invariant()
    def none_is_lost(self) -> None:
        assert self.admission.in_flight == len(self.running) + len(self.waiting)

    @invariant()
    def they_begin_in_the_order_of_their_arrival_as_soon_as_they_may(self) -> None:
        assert self.begun == self.should_have_begun
        assert not self.waiting or len(self.running) == self.at_once

    def teardown(self) -> None:
        while self.running:
            work = self.running.pop()
            self.go_on()
            work.future.set_result("done")
            self.let_follow()
        assert self.admission.in_flight == 0
        self.loop.close()

    def start(self, work: Work) -> "Future[str]":
        self.begun.append(work)
        return work.future

    def enters(self, works: list[Work]) -> None:
        self.waiting += works
        self.go_on()

    def go_on(self) -> None:
        while self.waiting and len(self.running) < self.at_once:
            work = self.waiting.pop(0)
            work.begun_at = self.now
            self.running.append(work)
            self.should_have_begun.append(work)

    def is_busy(self) -> bool:
        taken = len(self.running) + len(self.waiting)
        wait_s = max(0, taken - self.at_once + 1) * self.work_s / self.at_once
        return taken >= self.at_once + self.queue or wait_s > self.wait_s

    def let_follow(self) -> None:
        for _ in range(TURNS):
            self.loop.run_until_complete(asyncio.sleep(0))


TestRules = Rules.TestCase
TestRules.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
