"""The comparison with an earlier checkout, on fake services."""

import random

import httpx
import pytest

from loadtests.paired import Asker, Both, crowds, median, pairs, ratio, result, tail
from loadtests.samples import Sample

SAMPLES = [Sample(str(number), "image/jpeg", bytes([number])) for number in range(20)]


def asker(name: str, asked: list[tuple[str, bytes]], status: int = 200) -> Asker:
    """A client of a service that records its requests."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((name, request.read()))
        return httpx.Response(status, json={"timings_ms": {"decode": 2.0 if name == "ours" else 1.5, "inference": 1.0}})

    return Asker(httpx.Client(base_url="http://localhost", transport=httpx.MockTransport(answer)))


def both(asked: list[tuple[str, bytes]]) -> Both:
    return asker("ours", asked), asker("theirs", asked)


def test_both_are_asked_for_each_file_in_either_order() -> None:
    asked: list[tuple[str, bytes]] = []
    measured = list(pairs(both(asked), SAMPLES, random.Random(0)))
    couples = list(zip(asked[::2], asked[1::2], strict=True))
    assert [(one[1], other[1]) for one, other in couples] == [(sample.data, sample.data) for sample in SAMPLES]
    assert {(one[0], other[0]) for one, other in couples} == {("ours", "theirs"), ("theirs", "ours")}
    assert "| decode | 2.00 | 1.50 | +0.50 [+0.50, +0.50] | 1.333 [1.333, 1.333] |" in result(measured)


def test_an_error_is_not_measured() -> None:
    askers = asker("ours", []), asker("theirs", [], status=429)
    with pytest.raises(httpx.HTTPStatusError):
        list(pairs(askers, SAMPLES, random.Random(0)))


def test_the_interval_holds_the_median() -> None:
    rng = random.Random(1)
    middle, low, high = median([rng.gauss(0.3, 1.0) for _ in range(400)])
    assert low < middle < high
    assert low < 0.3 < high


def test_the_ratio_is_of_the_medians() -> None:
    rng = random.Random(1)
    theirs = [rng.gauss(10, 1) for _ in range(400)]
    middle, low, high = ratio([0.4 * value for value in theirs], theirs)
    assert (middle, low, high) == pytest.approx((0.4, 0.4, 0.4))


def test_a_crowd_asks_one_after_the_other() -> None:
    asked: list[tuple[str, bytes]] = []
    measured = list(crowds(both(asked), SAMPLES, 4, random.Random(0)))
    assert len(measured) == len(SAMPLES)
    halves = asked[: len(SAMPLES)], asked[len(SAMPLES) :]
    assert [{name for name, _ in half} for half in halves] in ([{"ours"}, {"theirs"}], [{"theirs"}, {"ours"}])
    assert tail(measured).startswith("95th percentiles: ")


def test_a_picture_has_no_stage_timings() -> None:
    picture = httpx.MockTransport(lambda _: httpx.Response(200, content=b"", headers={"Content-Type": "image/jpeg"}))
    asked = Asker(httpx.Client(base_url="http://localhost", transport=picture), "/explain", "image/jpeg")
    measured = list(pairs((asked, asker("theirs", [])), SAMPLES, random.Random(0)))
    assert len(result(measured).splitlines()) == 3
