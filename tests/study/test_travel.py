"""The protocol of docs/travel.md on networks with known skill, inside and outside."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cxr.arrays import Floats, Floats32
from cxr.errors import DataError
from cxr.labels import LABELS, Label
from evaluation import metrics
from study.travel import Candidate, between, by_seed, candidates, compare, inside, left_out_rows, out_of, posterior
from study.travel_archive import Archive
from study.travel_report import called_normal, measure
from training.config import TrainConfig
from training.data import Row, Split

CONFIG = TrainConfig(size=32, epochs=4, cycles=2, batch_size=4)
SOURCES: dict[str, tuple[Label, ...]] = {
    "siim": ("normal", "covid19"),
    "cohen": ("pneumonia", "covid19"),
    "nih": ("normal", "pneumonia"),
    "radiography": ("covid19",),
}
SPLITS: tuple[Split, ...] = ("train", "val", "test")
ROWS = tuple(
    Row(f"{source}-{split}-{i}.png", labels[i % len(labels)], source, f"{source}-{split}-{i // 4}", split)
    for i in range(48)
    for split in SPLITS
    for source, labels in SOURCES.items()
)
VAL = [row for row in ROWS if row.split == "val"]


def said(rows: Sequence[Row], skill: float, seed: int) -> Floats32:
    """[2, N, 3] logits of two snapshots."""
    draw = np.random.default_rng(seed)
    truth = np.eye(3)[[LABELS.index(row.label) for row in rows]]
    return (skill * truth + draw.normal(0, 1, (2, *truth.shape))).astype(np.float32)


def archive(recipe: str, source: str = "", seed: int = 0, skill: float = 1.0, cycles: int = 2) -> Archive:
    """A run of a recipe. Recipes differ in their frame."""
    config = replace(CONFIG, seed=seed, leave_out=source, frame="full-1" if "full" in recipe else "lungs-1")
    outside = said(left_out_rows(ROWS, source), skill, seed + 9)[:cycles] if source else None
    name = f"{recipe}-{'without-' + source if source else 'all'}-s{seed}"
    return Archive(name, config, 4, None, said(VAL, skill, seed)[:cycles], outside)


ARCHIVES = [
    *(archive(name, source, seed) for name in ("baseline", "full") for source in ("", "siim") for seed in (0, 1)),
    *(archive("moderate", source, seed, skill=4.0) for source in ("", "siim") for seed in (0, 1)),
]


def test_rows_are_recipes_then_means_over_seeds_then_means_of_frames() -> None:
    found = candidates(ARCHIVES)
    assert [(one.name, one.kind) for one in found] == [
        *((name, "recipe") for name in ("baseline", "full", "moderate")),
        *((f"{name}, mean of seeds", "seeds") for name in ("baseline", "full", "moderate")),
        ("moderate + full", "frames"),
    ]
    networks = {one.name: one.networks["siim"] for one in found}
    assert [len(network) for network in networks["full"]] == [1, 1]
    assert [len(network) for network in networks["full, mean of seeds"]] == [2]
    names = [[member.name for member in network] for network in networks["moderate + full"]]
    assert names == [[f"{recipe}-without-siim-s{seed}" for recipe in ("moderate", "full")] for seed in (0, 1)]


def test_runs_cut_off_have_no_figure_and_are_named() -> None:
    cut = archive("moderate", "cohen", cycles=1)
    lost = replace(archive("evidence", "siim", cycles=0), diverged=2)
    report = measure(ROWS, [*ARCHIVES, cut, lost], {}, resamples=5)
    assert "cohen" not in report.outside
    assert {one.name.split(",")[0] for one in report.candidates} == {"baseline", "full", "moderate", "moderate + full"}
    assert (report.cut_off, report.diverged) == ([cut], [lost])


def test_runs_of_one_name_are_of_one_recipe() -> None:
    other = archive("baseline", seed=2)
    with pytest.raises(DataError, match="called baseline"):
        candidates([*ARCHIVES, replace(other, config=replace(other.config, max_lr=0.5))])


def test_a_row_is_the_mean_of_its_seeds_aucs_and_not_of_their_posteriors() -> None:
    found = out_of(ROWS, candidates(ARCHIVES), "siim", resamples=5)
    rows = left_out_rows(ROWS, "siim")
    positive = np.array([row.label == "covid19" for row in rows])
    runs = [one for one in ARCHIVES if one.recipe == "baseline" and one.left_out is not None]
    scores = [between(posterior((one,), lambda run: run.left_out), "covid19", "normal") for one in runs]
    aucs = [np.mean(score[positive][:, None] > score[~positive]) for score in scores]
    assert found["baseline"].main.value.value == pytest.approx(np.mean(aucs), abs=1e-4)
    assert found["baseline"].main.networks == 2
    assert found["baseline, mean of seeds"].main.networks == 1
    assert found["baseline, mean of seeds"].main.value.value != found["baseline"].main.value.value


def test_a_better_recipe_is_better_by_its_interval_and_the_baseline_has_no_difference() -> None:
    found = out_of(ROWS, candidates(ARCHIVES), "siim", resamples=200)
    assert found["moderate"].main.is_better
    assert found["baseline"].main.difference is None
    assert not found["full"].main.is_better
    said_same = found["full"].main.difference  # its logits are the baseline's, so every paired difference is 0
    assert said_same is not None
    assert (said_same.value, said_same.low, said_same.high) == (0, 0, 0)


def test_the_left_out_sources_patients_are_not_inside() -> None:
    rows = [replace(row, patient="shared") if row.file in ("siim-val-0.png", "nih-val-0.png") else row for row in ROWS]
    found = inside(rows, candidates(ARCHIVES), "siim", resamples=5)["moderate"]
    val = [row for row in rows if row.split == "val"]
    kept = np.array([row.source != "siim" and row.patient != "shared" for row in val])
    labels = np.array([LABELS.index(row.label) for row in val])[kept]
    runs = [one for one in ARCHIVES if one.name.startswith("moderate-without-siim")]
    said_of = [posterior((one,), lambda run: run.val)[kept] for one in runs]
    assert found.macro_f1.value.value == pytest.approx(
        np.mean([metrics.macro_f1(p, labels) for p in said_of]), abs=1e-4
    )
    assert found.siim is None
    assert inside(rows, candidates(ARCHIVES), "", resamples=5)["moderate"].siim is not None


def test_test_images_are_never_measured() -> None:
    assert {row.split for row in left_out_rows(ROWS, "siim")} == {"train", "val"}
    splits = [row.split for row in left_out_rows(ROWS, "siim")]
    assert splits == sorted(splits)  # the order of training.sources.of_source


def test_the_third_label_does_not_count_between_two() -> None:
    said_of = np.array([[0.2, 0.0, 0.8], [0.1, 0.5, 0.4], [0.0, 1.0, 0.0]])
    assert between(said_of, "covid19", "normal").tolist() == pytest.approx([0.8, 0.8, 0.5])


def test_a_source_of_covid19_alone_has_a_recall_and_its_training_images_are_counted_by_reading() -> None:
    run = archive("baseline", "radiography")
    found = out_of(ROWS, candidates([run]), "radiography", resamples=5)["baseline"]
    answered = posterior((run,), lambda one: one.left_out)
    assert found.main.value.value == pytest.approx((answered.argmax(axis=1) == 2).mean(), abs=1e-4)
    assert found.one_score is None
    assert np.isnan(found.recall["normal"])
    rows = left_out_rows(ROWS, "radiography")
    normal = answered[:, 0] > 0.5
    told = called_normal(ROWS, run, {rows[0].file: "Typical"})
    assert told.images == 48
    assert told.share == pytest.approx(normal[:48].mean())
    assert told.by_reading["Typical"] == (1, float(normal[0]))
    assert told.by_reading[""][0] == 47


def test_archives_of_other_images_are_refused() -> None:
    with pytest.raises(DataError, match="do not fit"):
        out_of(ROWS[4:], candidates(ARCHIVES), "siim", resamples=5)


def test_differences_are_paired_by_patient() -> None:
    """A network that is right for one more patient differs only by that patient, however often it is drawn."""
    right = np.zeros((40, 3))
    right[:20, 0] = 1
    better = right.copy()
    better[20:24, 0] = 1

    def share(p: Floats, weights: Floats) -> Floats:
        return metrics.mean(p[:, 0], weights)

    patients = [str(i // 4) for i in range(40)]
    found = compare({"baseline": [right], "other": [better]}, share, patients, resamples=500)["other"]
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.low == 0  # resamples without the patient
    assert found.difference.high is not None
    assert 0.2 <= found.difference.high <= 0.4
    assert isinstance(candidates(ARCHIVES)[0], Candidate)


def test_every_seed_of_one_recipe_is_paired_with_the_first_of_the_other() -> None:
    found = by_seed(ROWS, [*ARCHIVES, archive("moderate", cycles=1, seed=2)], "moderate", "full")
    assert [one.runs for one in found] == [(f"moderate-all-s{seed}", "full-all-s0") for seed in (0, 1)]
    skilled, unskilled = found[0], by_seed(ROWS, ARCHIVES, "baseline", "full")[0]
    assert skilled.macro_f1 > unskilled.macro_f1 + 0.1
    assert skilled.siim > unskilled.siim + 0.05
