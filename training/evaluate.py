"""A bundle on a split it has not learnt from: every figure with its interval, by label and by source."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cxr.bundle import Bundle
from cxr.inference import Ensemble
from cxr.labels import LABELS
from cxr.posterior import Floats, combine, prediction_set
from training.data import Dataset, Row, Split
from training.figure import Figure
from training.metrics import Figures, auroc, bootstrap, calibration_error, confusion, figures, log_loss, macro_f1
from training.predict import logits_of

RESAMPLES: Final = 2000
MIXED_SOURCE: Final = "cohen"  # the one source that holds COVID-19 and other pneumonia side by side


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `cxr evaluate` found, and all that a model card shows of it.

    `figures` are named as in `training.metrics.figures`; further ones are `uncalibrated/<figure>`,
    `source/<source>/accuracy`, `source/<source>/<label>/recall`, `conformal/<label>/coverage`,
    `conformal/set_size`, `conformal/empty`, `source_only/macro_f1` and `<source>/covid19_vs_pneumonia_auroc`.
    `counts` has the number of images for each label, and for each `<source>/<label>`; `confusion` has rows of true
    and columns of predicted labels.
    """

    bundle: str
    version: str
    split: Split
    images: int
    patients: int
    provider: str
    figures: dict[str, Figure]
    counts: dict[str, int]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Evaluation":
        """The inverse of `to_json`."""
        parsed = {name: Figure(**figure) for name, figure in values["figures"].items()}
        return Evaluation(**{**values, "figures": parsed})


def evaluate(bundle: Bundle, data: Dataset, split: Split, train_rows: tuple[Row, ...]) -> Evaluation:
    """Run a bundle's graphs over a split.

    Args:
        bundle: exported.
        data: the split's images, prepared with the bundle's recipe.
        split: its name.
        train_rows: what the classifier that knows only the source learns from.
    """
    ensemble = Ensemble(bundle)
    manifest = bundle.manifest
    logits = logits_of(ensemble, data)
    posterior = combine(logits, manifest.temperature, manifest.ensemble)
    compute = _Figures(bundle, data, posterior, combine(logits, 1.0, manifest.ensemble), train_rows)
    values = compute(np.ones(len(data.rows)))
    intervals = bootstrap(compute, [row.patient for row in data.rows], RESAMPLES)
    return Evaluation(
        bundle=manifest.name,
        version=manifest.version,
        split=split,
        images=len(data.rows),
        patients=len({row.patient for row in data.rows}),
        provider=ensemble.provider,
        figures={name: Figure.of(value, *intervals[name]) for name, value in values.items()},
        counts=_counts(data.rows),
        confusion=confusion(posterior, data.labels).astype(int).tolist(),
    )


class _Figures:
    """All figures of an evaluation as a function of how often each image counts."""

    def __init__(
        self, bundle: Bundle, data: Dataset, posterior: Floats, uncalibrated: Floats, train_rows: tuple[Row, ...]
    ) -> None:
        self.labels = data.labels
        self.posterior = posterior
        self.uncalibrated = uncalibrated
        self.correct: NDArray[np.bool_] = np.asarray(posterior.argmax(axis=1) == data.labels)
        self.sources = np.array([row.source for row in data.rows])
        self.by_source = _source_only(train_rows, data.rows)
        sets = [prediction_set(p, bundle.manifest.conformal.thresholds) for p in posterior]
        self.in_set = np.array([[label in kept for label in LABELS] for kept in sets])

    def __call__(self, weights: Floats) -> Figures:
        return figures(self.posterior, self.labels, weights) | dict(self._further(weights))

    def _further(self, weights: Floats) -> Iterator[tuple[str, float]]:
        yield "uncalibrated/ece", calibration_error(self.uncalibrated, self.labels, weights)
        yield "uncalibrated/log_loss", log_loss(self.uncalibrated, self.labels, weights)
        yield "source_only/macro_f1", macro_f1(self.by_source, self.labels, weights)
        yield from self._sources(weights)
        yield from self._sets(weights)
        mixed = (self.sources == MIXED_SOURCE) & (self.labels != LABELS.index("normal"))
        covid = LABELS.index("covid19")
        ratio = self.posterior / (self.posterior[:, 1:].sum(axis=1, keepdims=True) + 1e-12)
        yield f"{MIXED_SOURCE}/covid19_vs_pneumonia_auroc", auroc(ratio, self.labels, covid, weights * mixed)

    def _sources(self, weights: Floats) -> Iterator[tuple[str, float]]:
        for source in sorted(set(self.sources)):
            here = self.sources == source
            yield f"source/{source}/accuracy", _share(self.correct, weights * here)
            for index in np.unique(self.labels[here]):
                chosen = here & (self.labels == index)
                yield f"source/{source}/{LABELS[index]}/recall", _share(self.correct, weights * chosen)

    def _sets(self, weights: Floats) -> Iterator[tuple[str, float]]:
        for index, label in enumerate(LABELS):
            yield f"conformal/{label}/coverage", _share(self.in_set[:, index], weights * (self.labels == index))
        yield "conformal/set_size", float(np.average(self.in_set.sum(axis=1), weights=weights))
        yield "conformal/empty", _share(np.asarray(self.in_set.sum(axis=1) == 0), weights)


def _source_only(train_rows: tuple[Row, ...], rows: tuple[Row, ...]) -> Floats:
    """Scores [N, 3] of a classifier that sees no image: how often each label came from the row's source."""
    learnt = Counter((row.source, row.label) for row in train_rows)
    return np.array([[learnt[row.source, label] for label in LABELS] for row in rows], dtype=np.float64)


def _counts(rows: tuple[Row, ...]) -> dict[str, int]:
    names = [name for row in rows for name in (row.label, f"{row.source}/{row.label}")]
    return dict(sorted(Counter(names).items()))


def _share(hits: NDArray[np.bool_], weights: Floats) -> float:
    total = weights.sum()
    return float((hits * weights).sum() / total) if total > 0 else float("nan")
