"""The comparison with an earlier checkout, on services that are made up."""

import random

import httpx
import pytest

from loadtests.paired import median, pairs, result
from loadtests.samples import Sample

SAMPLES = [Sample(str(number), "image/jpeg", bytes([number])) for number in range(20)]


def client(name: str, asked: list[tuple[str, bytes]], status: int = 200) -> httpx.Client:
    """Of a service that notes what it is asked."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((name, request.read()))
        return httpx.Response(status, json={"timings_ms": {"decode": 2.0 if name == "ours" else 1.5, "inference": 0.0}})

    return httpx.Client(base_url="http://localhost", transport=httpx.MockTransport(answer))


def test_both_are_asked_for_each_file_in_either_order() -> None:
    asked: list[tuple[str, bytes]] = []
    measured = list(pairs((client("ours", asked), client("theirs", asked)), SAMPLES, random.Random(0)))
    couples = list(zip(asked[::2], asked[1::2], strict=True))
    assert [(one[1], other[1]) for one, other in couples] == [(sample.data, sample.data) for sample in SAMPLES]
    assert {(one[0], other[0]) for one, other in couples} == {("ours", "theirs"), ("theirs", "ours")}
    assert "| decode | 2.00 | 1.50 | +0.50 [+0.50, +0.50] |" in result(measured)


def test_an_error_is_no_measurement() -> None:
    clients = client("ours", []), client("theirs", [], status=429)
    with pytest.raises(httpx.HTTPStatusError):
        list(pairs(clients, SAMPLES, random.Random(0)))


def test_the_interval_holds_the_median() -> None:
    rng = random.Random(1)
    middle, low, high = median([rng.gauss(0.3, 1.0) for _ in range(400)])
    assert low < middle < high
    assert low < 0.3 < high
