"""The worker: answers, refusals, and an unavailable service."""

from pathlib import Path
from typing import Any

import pytest

from hospital.backoff import Backoff
from hospital.client import NotNow, Refused
from hospital.metrics import Metrics
from hospital.spool import Spool
from hospital.worker import ATTEMPTS, Worker

OBJECTS = {"sr": b"report", "sc": b"picture"}


class Scripted:
    """A service that returns the next of a list of outcomes."""

    def __init__(self, *outcomes: dict[str, bytes] | Exception) -> None:
        self._outcomes = list(outcomes)

    def objects(self, _data: bytes) -> dict[str, bytes]:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def worker(folder: Path, *outcomes: dict[str, bytes] | Exception) -> tuple[Worker, Spool]:
    spool = Spool(folder / "spool", least_free=0)
    spool.add(b"radiograph", "1.2")
    scripted: Any = Scripted(*outcomes)
    return Worker(spool, scripted, Metrics()), spool


def test_an_answer(tmp_path: Path) -> None:
    one, spool = worker(tmp_path, OBJECTS)
    assert one.step() == 0
    assert (spool.count("out"), spool.count("new"), spool.count("work")) == (1, 0, 0)
    assert one.step() > 0, "there is nothing to do"


def test_a_refusal_is_a_result(tmp_path: Path) -> None:
    one, spool = worker(tmp_path, Refused("lateral_view"))
    one.step()
    assert (spool.count("refused"), spool.count("new"), spool.count("work")) == (1, 0, 0)


def test_an_unavailable_service_is_retried_with_growing_waits(tmp_path: Path) -> None:
    away = [NotNow("unreachable")] * 12
    one, spool = worker(tmp_path, *away, OBJECTS)
    waits = [one.step() for _ in away]
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 300
    assert spool.count("new") == 1
    assert one.step() == 0
    assert spool.count("out") == 1


def test_it_waits_as_long_as_the_service_asks(tmp_path: Path) -> None:
    one, _ = worker(tmp_path, NotNow("busy", after_s=17))
    assert one.step() == 17


@pytest.mark.parametrize("code", ["explainer_died", "internal_error"])
def test_a_file_that_the_service_fails_on_is_given_up(tmp_path: Path, code: str) -> None:
    one, spool = worker(tmp_path, *[NotNow(code, of_the_file=True)] * ATTEMPTS)
    for _ in range(ATTEMPTS):
        assert spool.count("new") == 1
        one.step()
    assert (spool.count("refused"), spool.count("new")) == (1, 0)


def test_backoff_has_a_limit_and_restarts() -> None:
    backoff = Backoff(1, 5)
    assert [backoff.failed() for _ in range(4)] == [1, 2, 4, 5]
    backoff.succeeded()
    assert [backoff.failed(), backoff.failed(60)] == [1, 5]
