"""The planned ensembles, and greedy selection."""

import numpy as np
import pytest

from cxr.model.posterior import softmax
from evaluation.metrics import log_loss
from study.ensemble import Plan, best_of_runs, greedy, of_networks, of_one_run
from study.study import Part, Study
from study.tables import Snapshot
from tests.study.studies import make_study
from training.data import Row


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def losses(study: Study) -> dict[Snapshot, float]:
    """Later cycles are better, and vgg19 is the best network; a network with another recipe is even better."""
    order = ["resnet18-s2", "resnet18-s1", "densenet161", "resnet18", "vgg19", "vgg19-paper"]
    return {one: 1.0 - 0.1 * order.index(one.run) - 0.001 * one.cycle for one in study.snapshots}


def test_a_run_is_represented_by_its_best_snapshot(losses: dict[Snapshot, float]) -> None:
    chosen = best_of_runs(losses)
    assert chosen["vgg19"] == Snapshot("vgg19", 6)
    assert set(chosen) == {one.run for one in losses}


def test_a_runs_lines_are_one_snapshot_the_last_ones_and_all_by_each_rule() -> None:
    snapshots = [Snapshot("a", cycle) for cycle in range(1, 21)]
    plans = list(of_one_run("a", snapshots, snapshots[6]))
    assert [(plan.kind, plan.rule, len(plan.members)) for plan in plans] == [
        ("snapshot", "scpa", 1),
        ("last", "scpa", 5),
        ("snapshots", "scpa", 20),
        ("snapshots", "scpa_eq2", 20),
        ("snapshots", "pm", 20),
    ]
    assert plans[1].members[0] == Snapshot("a", 16)
    assert [plan.kind for plan in of_one_run("a", snapshots[:1], snapshots[0])] == ["snapshot"]
    assert [plan.kind for plan in of_one_run("a", snapshots[:2], None)] == ["snapshots"] * 3


def test_all_pairs_and_the_triple_of_architectures_with_one_preprocessing(
    study: Study, losses: dict[Snapshot, float]
) -> None:
    part = study.part("select")
    usable = {one: loss for one, loss in losses.items() if one.run != "vgg19-paper"}
    plans = list(of_networks(study, part, usable))
    names = [plan.name for plan in plans if plan.rule == "pm"]
    assert names == [
        "vgg19 + resnet18",
        "vgg19 + densenet161",
        "resnet18 + densenet161",
        "vgg19 + resnet18 + densenet161",
    ]
    assert sum(plan.kind == "triple" for plan in plans) == 3
    assert plans[-1].kind == "greedy"
    assert plans[0].members == (Snapshot("vgg19", 6), Snapshot("resnet18", 6))
    alone = list(of_networks(study, part, losses))  # the best snapshot has another recipe, so no partner
    assert [plan.kind for plan in alone] == ["greedy"]
    assert {member.run for member in alone[0].members} == {"vgg19-paper"}


def part_of(said: dict[Snapshot, np.ndarray], labels: np.ndarray) -> Part:
    rows = tuple(
        Row("", ("normal", "pneumonia", "covid19")[label], "", str(i), "val") for i, label in enumerate(labels)
    )
    return Part("select", rows, said)


def test_greedy_takes_what_complements_not_what_is_second_best() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 300)
    right, error = 2 * np.eye(3)[labels], draw.normal(0, 1, (300, 3))
    strong, twin, weak = Snapshot("strong", 1), Snapshot("twin", 1), Snapshot("weak", 1)
    nearly = error + draw.normal(0, 0.3, error.shape)
    said = {strong: right + error, twin: right + nearly, weak: right + draw.normal(0, 1.3, error.shape)}
    part = part_of(said, labels)
    assert greedy(part, said)[:2] == (strong, weak)
    assert greedy(part, said, limit=1) == (strong,)
    assert greedy(part, [twin]) == (twin,)


def test_greedy_ends_where_nothing_helps() -> None:
    labels = np.random.default_rng(1).integers(0, 3, 200)
    good, noise = Snapshot("good", 1), Snapshot("noise", 1)
    draw = np.random.default_rng(2)
    said = {good: 6 * np.eye(3)[labels] + draw.normal(0, 1, (200, 3)), noise: draw.normal(0, 9, (200, 3))}
    assert greedy(part_of(said, labels), said) == (good,)


def test_the_temperature_is_fitted_through_the_rule() -> None:
    draw = np.random.default_rng(0)
    truth = draw.normal(0, 2, (2000, 3))
    labels = (draw.random((2000, 1)) > softmax(truth).cumsum(axis=1)).sum(axis=1)
    one, other = Snapshot("a", 1), Snapshot("b", 1)
    said = {one: 3 * truth + draw.normal(0, 6, truth.shape), other: 3 * truth + draw.normal(0, 6, truth.shape)}
    part = part_of(said, labels)
    pair, single = Plan("", "pair", (one, other), "scpa"), Plan("", "snapshot", (one,), "scpa")
    assert pair.fit(part) < single.fit(part)  # a mean of individually calibrated members would be under-confident
    assert pair.calibrated_log_loss(part) == pytest.approx(log_loss(pair.posterior(part, pair.fit(part)), labels))
    assert pair.calibrated_log_loss(part) < single.calibrated_log_loss(part)
