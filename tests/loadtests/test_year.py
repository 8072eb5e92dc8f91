"""A year's script: everything planned is in it, and an answer is judged by the bundle that it names."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

from cxr.model.bundle import Bundle
from loadtests.golden import FollowingRequest, GoldenRequest
from loadtests.samples import Sample
from loadtests.year import events
from loadtests.year.__main__ import KINDS, STEPS, calendar
from loadtests.year.bundles import Shelf
from loadtests.year.clients import KeyRing
from tests.findings import make_finding


def test_all_that_was_asked_for_happens_and_the_clock_is_right_in_the_end() -> None:
    planned = calendar(swaps=5, rotations=2, kills=3, logs=4, disks=1, steps=True)
    assert Counter(name for name, _ in planned) == dict(
        zip(KINDS, (5, 2, 3, 4, 1, len(events.CLOCK_STEPS)), strict=True)
    )
    steps = [event.keywords["step"] for name, event in planned if name == STEPS and isinstance(event, partial)]
    assert steps == [*events.CLOCK_STEPS]
    assert steps[-1] == "+0s"
    assert not [name for name, _ in calendar(1, 1, 1, 1, 0, steps=False) if name == STEPS]


def test_two_bundles_take_turns_behind_one_link(bundle: Bundle, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, bundle.root)
    first, other = shelf.bundles
    assert first.manifest.explainer != other.manifest.explainer
    assert first.manifest.temperature != other.manifest.temperature
    assert [shelf.swap().sha256 for _ in range(3)] == [other.sha256, first.sha256, other.sha256]
    assert shelf.current.resolve() == other.root


def test_an_answer_is_judged_by_the_bundle_that_it_names() -> None:
    sample, finding = Sample("a", "image/png", b""), make_finding()
    request = FollowingRequest(
        "/classify", sample, by_bundle={"a": GoldenRequest("/classify", sample, finding=finding)}
    )
    answer = {
        "bundle": {"sha256": "a"},
        "prediction": finding.prediction,
        "prediction_set": list(finding.prediction_set),
        "instance": None,
        "probabilities": finding.probabilities,
    }
    assert request.is_answered_by(200, json.dumps(answer).encode())
    assert not request.is_answered_by(503, b"{}")
    assert not request.is_answered_by(200, json.dumps(answer | {"bundle": {"sha256": "b"}}).encode())
    wrong = {label: 1 - p for label, p in finding.probabilities.items()}
    assert not request.is_answered_by(200, json.dumps(answer | {"probabilities": wrong}).encode())


def test_keys_are_replaced_whole(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "keys")
    assert ring.path.read_text() == ring.current
    ring.open_to("one", "two")
    assert ring.path.read_text().split() == ["one", "two"]
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]
