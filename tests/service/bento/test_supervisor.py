"""The supervisor keeps looking for dead workers after the clock is set back."""

import asyncio
import time

import pytest
from bentoml._internal.utils import circus
from tornado.ioloop import IOLoop, PeriodicCallback

from service.bento.supervisor import confine
from service.settings import Settings

DAY_S = 86_400
OFTEN = 5


def test_a_clock_that_is_set_back_by_a_day_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for what, name in ((circus.Arbiter, "__init__"), (IOLoop, "time")):
        monkeypatch.setattr(what, name, getattr(what, name))  # monkeypatch restores it after the test
    confine(Settings())

    async def scenario() -> None:
        looked = asyncio.Semaphore(0)
        looking = PeriodicCallback(looked.release, 1)
        looking.start()
        await looked.acquire()
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() - DAY_S)
        async with asyncio.timeout(30):
            for _ in range(OFTEN):
                await looked.acquire()
        looking.stop()

    asyncio.run(scenario())
