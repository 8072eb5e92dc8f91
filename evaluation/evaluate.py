"""Evaluate a bundle on a split that it was not trained on: every figure and curve with its interval."""

from collections import Counter
from collections.abc import Collection, Iterator

from cxr.arrays import Floats
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from evaluation import curves, metrics
from evaluation.bootstrap import RESAMPLES, Resampling, interval
from evaluation.consistency import expected_coverage, if_calibrated
from evaluation.figure import Figure
from evaluation.measures import Measures
from evaluation.predictions import Predictions
from evaluation.split_evaluation import Curve, SplitEvaluation
from training.data import Row, Split


def evaluate(
    bundle: Bundle,
    said: Predictions,
    split: Split,
    train_rows: tuple[Row, ...],
    calibration_rows: tuple[Row, ...] = (),
    near_duplicates: Collection[str] = (),
) -> SplitEvaluation:
    """Measure a bundle's predictions for a split.

    Args:
        bundle: exported.
        said: its predictions for the split.
        split: its name.
        train_rows: training data of the classifier that knows only the source.
        calibration_rows: the rows that fitted temperature and thresholds; empty if they are not available.
        near_duplicates: files with a near-duplicate among the training images.
    """
    measures = Measures(said, train_rows, near_duplicates)
    resampling = Resampling(said.patients, RESAMPLES)
    drawn = if_calibrated(said.posterior[said.held_out])
    figures = {
        **resampling.measure(measures.figures),
        **{f"if_calibrated/{name}": _of_draws(drawn[name]) for name in ("ece", "brier", "log_loss")},
        **dict(_expected_coverage(said, calibration_rows, bundle.manifest.conformal.coverage)),
    }
    return SplitEvaluation(
        bundle=bundle.manifest.name,
        version=bundle.manifest.version,
        split=split,
        images=len(said.rows),
        patients=resampling.patients,
        held_out=int(said.held_out.sum()),
        resamples=resampling.resamples,
        provider=said.provider,
        figures=figures,
        counts=_counts(said.rows),
        confusion=metrics.confusion(said.posterior, said.labels)[0].astype(int).tolist(),
        new=int(measures.is_new.sum()),
        curves=dict(_curves(measures, resampling, drawn["accuracy"])),
    )


def _curves(measures: Measures, resampling: Resampling, drawn_accuracy: Floats) -> Iterator[tuple[str, Curve]]:
    values = {name: value[0] for name, value in measures.curves(metrics.once(measures.said.rows)).items()}
    intervals = resampling.intervals(measures.curves)
    for name in ("risk", *(f"{kind}/{label}" for kind in ("roc", "pr") for label in LABELS)):
        yield name, Curve.of(curves.GRID, values[name], *intervals[name])
    for prefix in ("", "uncalibrated/"):
        filled = values[f"{prefix}share"] > 0
        for name, of in (("reliability", "accuracy"), ("share", "share")):
            parts = values[f"{prefix}confidence"], values[f"{prefix}{of}"], *intervals[f"{prefix}{of}"]
            yield f"{prefix}{name}", Curve.of(*(part[filled] for part in parts))
    filled = values["share"] > 0
    parts = values["confidence"], drawn_accuracy.mean(axis=0), *interval(drawn_accuracy)
    yield "if_calibrated/reliability", Curve.of(*(part[filled] for part in parts))


def _of_draws(values: Floats) -> Figure:
    return Figure.of(float(values.mean()), *map(float, interval(values)))


def _expected_coverage(
    said: Predictions, calibration_rows: tuple[Row, ...], coverage: float
) -> Iterator[tuple[str, Figure]]:
    calibrated_on = Counter(row.label for row in calibration_rows)
    for index, label in enumerate(LABELS):
        measured_on = int((said.held_out & (said.labels == index)).sum())
        if calibration_rows:
            expected = expected_coverage(calibrated_on[label], measured_on, coverage)
            yield f"conformal/{label}/expected", Figure.of(*expected)


def _counts(rows: tuple[Row, ...]) -> dict[str, int]:
    names = [name for row in rows for name in (row.label, f"{row.source}/{row.label}")]
    return dict(sorted(Counter(names).items()))
