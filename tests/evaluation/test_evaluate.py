"""An evaluation of a bundle with random weights: its figures equal those of slow code, by label and by source."""

import numpy as np
import pytest

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.frames import FULL
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine, prediction_set
from evaluation import evaluate as module
from evaluation.bundle_images import BundleImages
from evaluation.evaluate import evaluate
from evaluation.metrics import figures
from evaluation.predictions import logits_of, predictions
from evaluation.split_evaluation import SplitEvaluation
from training.data import Row

SOURCES = ("cohen", "rsna")
CALIBRATED = 10  # of the 40 images were used to fit temperature and thresholds
NEAR_DUPLICATES = {f"{i}.png" for i in range(0, 12, 2)}
CALIBRATION = ("ece", "brier", "log_loss")


@pytest.fixture(scope="module")
def data() -> BundleImages:
    rng = np.random.default_rng(0)
    rows = [Row(f"{i}.png", LABELS[i % 3], SOURCES[i % 2], f"p{i // 2}", "val") for i in range(40)]
    return BundleImages(tuple(rows), {FULL: rng.integers(0, 256, (40, 64, 64), dtype=np.uint8)})


@pytest.fixture(scope="module")
def train_rows() -> tuple[Row, ...]:
    """In training, `cohen` has mostly COVID-19 and `rsna` mostly normal images."""
    held = [("cohen", "covid19")] * 3 + [("cohen", "pneumonia")] + [("rsna", "normal")] * 2
    return tuple(Row("", label, source, str(i), "train") for i, (source, label) in enumerate(held))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found(bundle: Bundle, data: BundleImages, train_rows: tuple[Row, ...]) -> SplitEvaluation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RESAMPLES", 50)
        calibrated = data.rows[:CALIBRATED]
        return evaluate(bundle, predictions(bundle, data, calibrated), "val", train_rows, calibrated, NEAR_DUPLICATES)


def test_it_measures_what_the_service_would_answer(found: SplitEvaluation, bundle: Bundle, data: BundleImages) -> None:
    logits = logits_of(Ensemble(bundle, precision="float32"), data)
    posterior = combine(logits, bundle.manifest.temperature, bundle.manifest.ensemble)
    held_out = np.arange(len(data.rows)) >= CALIBRATED
    calibrated = figures(posterior[held_out], data.labels[held_out])
    expected_figures = figures(posterior, data.labels) | {name: calibrated[name] for name in CALIBRATION}
    for name, value in expected_figures.items():
        expected = None if np.isnan(value) else pytest.approx(value, abs=1e-4)
        assert found.figures[name].value == expected, name
    sets = [prediction_set(p, bundle.manifest.conformal.thresholds) for p in posterior[held_out]]
    assert found.figures["conformal/set_size"].value == pytest.approx(np.mean([len(kept) for kept in sets]), abs=1e-4)
    covered = [label in kept for kept, label in zip(sets, [row.label for row in data.rows[CALIBRATED:]], strict=True)]
    normal = [c for c, row in zip(covered, data.rows[CALIBRATED:], strict=True) if row.label == "normal"]
    assert found.figures["conformal/normal/coverage"].value == pytest.approx(np.mean(normal), abs=1e-4)
    assert np.sum(found.confusion) == found.images == 40
    assert (found.held_out, found.patients, found.resamples) == (30, 20, 50)


def test_sources_are_counted_apart(found: SplitEvaluation, bundle: Bundle, data: BundleImages) -> None:
    assert found.counts["cohen/normal"] + found.counts["rsna/normal"] == found.counts["normal"]
    logits = logits_of(Ensemble(bundle, precision="float32"), data)
    predicted = combine(logits, bundle.manifest.temperature, bundle.manifest.ensemble).argmax(axis=1)
    here = np.array([row.source == "cohen" for row in data.rows])
    expected = (predicted == data.labels)[here].mean()
    assert found.figures["source/cohen/accuracy"].value == pytest.approx(expected, abs=1e-4)
    assert "source/cohen/covid19/recall" in found.figures


def test_the_classifier_that_knows_only_the_source_takes_its_commonest_label(
    found: SplitEvaluation, data: BundleImages
) -> None:
    guessed = np.array([LABELS.index("covid19" if row.source == "cohen" else "normal") for row in data.rows])
    f1 = [
        2 * np.sum((guessed == k) & (data.labels == k)) / max(1, np.sum(guessed == k) + np.sum(data.labels == k))
        for k in range(3)
    ]
    assert found.figures["source_only/macro_f1"].value == pytest.approx(np.mean(f1), abs=1e-4)


def test_every_figure_lies_in_its_interval(found: SplitEvaluation) -> None:
    for name, figure in found.figures.items():
        if figure.value is not None and figure.low is not None and figure.high is not None:
            assert figure.low <= figure.high, name
    inside = [f.low <= f.value <= f.high for f in found.figures.values() if None not in (f.value, f.low, f.high)]  # type: ignore[operator]
    assert np.mean(inside) > 0.9  # the bootstrap interval of a biased figure, such as the ECE, may exclude its value


def test_images_that_may_be_remembered_are_left_out_of_some_figures(
    found: SplitEvaluation, bundle: Bundle, data: BundleImages
) -> None:
    posterior = combine(
        logits_of(Ensemble(bundle, precision="float32"), data), bundle.manifest.temperature, bundle.manifest.ensemble
    )
    is_new = np.array([row.file not in NEAR_DUPLICATES for row in data.rows])
    assert found.new == is_new.sum() == 34
    expected = figures(posterior[is_new], data.labels[is_new])
    assert found.figures["new/macro_f1"].value == pytest.approx(expected["macro_f1"], abs=1e-4)
    assert found.figures["new/macro_f1"] != found.figures["macro_f1"]


def test_predictive_values_follow_bayes(found: SplitEvaluation) -> None:
    recall, specificity = found.figures["covid19_recall"].value, found.figures["covid19_specificity"].value
    assert recall is not None
    assert specificity is not None
    hits, alarms = 0.05 * recall, 0.95 * (1 - specificity)
    assert found.figures["covid19_ppv@0.05"].value == pytest.approx(hits / (hits + alarms), abs=1e-3)


def test_curves_end_where_they_must_and_keep_their_intervals(found: SplitEvaluation) -> None:
    assert {"risk", "roc/covid19", "pr/normal", "reliability", "if_calibrated/reliability"} <= set(found.curves)
    for label in LABELS:
        roc = found.curves[f"roc/{label}"]
        assert (roc.value[0], roc.value[-1]) == (0, 1)
        recall_all = found.curves[f"pr/{label}"].value[-1]
        assert recall_all is not None
        assert recall_all >= found.counts[label] / found.images - 1e-4
    accuracy, risk = found.figures["accuracy"].value, found.curves["risk"].value[-1]
    assert risk == pytest.approx(1 - (accuracy or 0), abs=1e-4)
    for curve in found.curves.values():
        assert len(curve.x) == len(curve.value) == len(curve.low) == len(curve.high)
    assert sum(value or 0 for value in found.curves["share"].value) == pytest.approx(1, abs=1e-3)


def test_a_label_that_was_calibrated_has_a_coverage_to_expect(
    found: SplitEvaluation, bundle: Bundle, data: BundleImages, train_rows: tuple[Row, ...]
) -> None:
    expected = found.figures["conformal/normal/expected"]
    assert expected.value == 1  # four images are too few for a guarantee: the label is never ruled out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RESAMPLES", 2)
        foreign = evaluate(bundle, predictions(bundle, data, ()), "val", train_rows)
    assert "conformal/normal/expected" not in foreign.figures
    assert foreign.held_out == foreign.new == foreign.images
    assert "new/macro_f1" not in foreign.figures
