"""Each load test for a few seconds on a real server: it ends, and finds no wrong answer."""

import signal
from functools import partial
from pathlib import Path

import pytest

from cxr.model.bundle import Bundle
from cxr.model.inference import PrecisionChoice
from loadtests import mix
from loadtests.bench import locust
from loadtests.chaos import strike
from loadtests.clients import closed_loop, lasting, poisson, run
from loadtests.compare import CEILING, CLIENTS, OURS, contestants, measure
from loadtests.golden import GoldenRequest, golden_requests, refusals
from loadtests.overload import calm, storm
from loadtests.samples import bad_ones, radiographs
from loadtests.soak import edges, soak
from scripts.server import Server, serve
from service.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def asked(bundle: Bundle) -> list[GoldenRequest]:
    """The mix of requests, including bad files, with golden answers of the tests' bundle."""
    good = radiographs(2)
    return mix.draw(golden_requests(good, explain=True, bundle=bundle), refusals(bad_ones(good)))


def test_concurrent_answers_are_the_golden_ones(server: Server, asked: list[GoldenRequest]) -> None:
    url = str(server.client.base_url)
    for load in (partial(closed_loop, url, asked, 8), partial(poisson, url, asked, 3.0)):
        replies = run(load(lasting(5)))
        assert len(replies) >= 5
        assert [reply for reply in replies if not reply.right] == []


def test_a_closed_loop_notices_a_wrong_answer(server: Server, asked: list[GoldenRequest]) -> None:
    one = next(request for request in asked if request.route == "/classify" and request.status == 200)
    other = next(q for q in asked if q.finding and one.finding and q.finding.probabilities != one.finding.probabilities)
    crossed = GoldenRequest("/classify", one.sample, finding=other.finding)
    assert all(reply.wrong for reply in run(closed_loop(str(server.client.base_url), [crossed], 1, lasting(0.5))))


def test_overload(server: Server, asked: list[GoldenRequest]) -> None:
    url = str(server.client.base_url)
    small = [q for q in asked if q.route == "/classify" and q.sample.media_type == "image/jpeg" and q.status == 200]
    weathered = storm(url, small, 3.0, 4.0, calm(url, small, 2.0))
    assert weathered.replies
    assert weathered.faults == []
    assert len(weathered.row()) == 10


def test_chaos(bundle: Bundle, asked: list[GoldenRequest], tmp_path: Path) -> None:
    good = [request for request in asked if request.status == 200]
    with serve(tmp_path / "log", bundle.root) as server:
        server.wait_for_explainer(next(q.sample.data for q in good if q.sample.media_type == "image/png"))
        outcome = strike([server], str(server.client.base_url), good, "deepcovidexplainer", signal.SIGKILL, times=1)
    assert outcome.faults() == []
    assert len(outcome.lost) <= outcome.in_flight


@pytest.mark.parametrize("leak", [False, True])
def test_a_soak_finds_the_planted_leak_and_no_other(
    leak: bool, bundle: Bundle, asked: list[GoldenRequest], tmp_path: Path
) -> None:
    entry = "loadtests.leaky:Api" if leak else "service.bento.api:Api"
    dicoms = [q for q in asked if q.route == "/classify" and q.sample.media_type == "application/dicom"]
    with serve(tmp_path / "log", bundle.root, (entry,)) as server:
        run(closed_loop(str(server.client.base_url), dicoms, 4, lasting(5)))
        _, readings = soak(server, dicoms, 3.0, 20)
    first, last = edges(readings["deepcovidexplainer"])
    assert (last.memory_mb - first.memory_mb > 50) == leak


def test_compare(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_BUNDLE", str(bundle.root))
    samples = [sample for sample in radiographs(2) if sample.media_type == "image/jpeg"]
    precisions: tuple[PrecisionChoice, ...] = ("auto", "float32")
    asked = {precision: golden_requests(samples, False, bundle, precision) for precision in precisions}
    with contestants(Settings(), tmp_path) as everybody:
        measured = measure(everybody, asked, rounds=1, seconds=1)
    assert {name for name, _ in measured} >= {OURS, CEILING}
    assert len(everybody) == 8
    for (name, clients), (one,) in measured.items():
        assert clients in (CLIENTS, 1)
        assert one.per_second > 0, name
        assert (one.wrong, one.failed) == (0, 0), name


@pytest.mark.parametrize("user", ["Client", "Arrivals", "Reader", "Systems"])
def test_locust(user: str, server: Server, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_BUNDLE", str(bundle.root))
    rows = locust(str(server.client.base_url), "test", 0.1, "-u", "2", "--rate", "3", user)
    assert sum(int(row["Request Count"]) for row in rows) > 0
    assert [row["Failure Count"] for row in rows if row["Failure Count"] != "0"] == []
