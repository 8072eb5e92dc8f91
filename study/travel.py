"""Measure recipes and averages on known sources, and on a source (as a new hospital) that was left out of training.

All figures are of the validation split and of the training and validation images of a left-out source; the test split
is not read. A posterior is the mean over a run's snapshots, uncalibrated. The score between two labels a and b is
p(a) / (p(a) + p(b)), the network's probability of a for an image that is known to be a or b.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from cxr.arrays import Floats, Floats32, Ints
from cxr.errors import DataError
from cxr.labels import LABELS, Label
from cxr.model.posterior import combine
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.figure import Figure
from study.travel_archive import Archive
from training.data import Row, outside

BASELINE: Final = "baseline"
ALL: Final = ""
"""The condition of runs with all sources. Other conditions are the name of the source that was left out."""

PAIRS: Final = (
    ("moderate", "full"),
    ("convolution", "full"),
    ("mixed", "mixed-full"),
    ("convolution", "mixed-full"),
    ("mixed", "full"),
    ("convolution", "baseline"),
    ("mixed", "baseline"),
    ("lungs", "full-pairs-boxes"),
)
"""Pairs of a recipe that sees the lungs and one that sees the whole radiograph, averaged seed by seed."""

QUESTIONS: Final[Mapping[str, tuple[Label, Label]]] = {
    "siim": ("covid19", "normal"),
    "cohen": ("covid19", "pneumonia"),
    "rsna": ("pneumonia", "normal"),
    "nih": ("pneumonia", "normal"),
}
"""The two labels to separate within a source. The other sources have only COVID-19."""

Network = tuple[Archive, ...]
"""One run, or several whose posteriors are averaged."""

Kind = Literal["recipe", "seeds", "frames"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of the table: by condition, the networks (one per seed) whose figures are averaged."""

    name: str
    kind: Kind
    networks: Mapping[str, tuple[Network, ...]]


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure, the mean over a candidate's networks, and its difference to the reference's on the same images."""

    networks: int
    value: Figure
    difference: Figure | None

    @property
    def is_better(self) -> bool:
        """Whether the interval of the difference lies above 0."""
        return self.difference is not None and self.difference.low is not None and self.difference.low > 0


@dataclass(frozen=True, slots=True)
class Inside:
    """Figures of the validation images of known sources: means over networks."""

    macro_f1: Compared
    ece: float
    recall: Mapping[Label, float]
    siim: Compared | None


@dataclass(frozen=True, slots=True)
class Outside:
    """Figures of a left-out source: AUC between two labels, or recall of COVID-19 if there is no other label.

    `one_score` is the AUC of the first label's plain probability, which also depends on the third label's. `recall` is
    that of each label if the largest of the three probabilities is the answer; NaN for a label without images.
    """

    main: Compared
    one_score: float | None
    recall: Mapping[Label, float]
    ece: float


def candidates(archives: Sequence[Archive]) -> list[Candidate]:
    """Recipes in the archives' order, then means over seeds, then means of two frames. Only complete runs are used.

    Raises:
        DataError: runs of one recipe differ in more than their seed and the source that they left out.
    """
    found: dict[str, dict[str, dict[int, Archive]]] = defaultdict(lambda: defaultdict(dict))
    for one in archives:
        if one.complete:
            found[one.recipe][one.config.leave_out][one.config.seed] = one
    for recipe, conditions in found.items():
        configs = [one.config for seeds in conditions.values() for one in seeds.values()]
        if any(
            replace(config, seed=0, leave_out="") != replace(configs[0], seed=0, leave_out="") for config in configs
        ):
            raise DataError(f"runs called {recipe} are not of one recipe")
    return [
        *(Candidate(name, "recipe", _each(conditions)) for name, conditions in found.items()),
        *_means_over_seeds(found),
        *_means_of_frames(found),
    ]


@dataclass(frozen=True, slots=True)
class OneSeed:
    """A bundle of two networks in the final form, with their last snapshots. Uncalibrated validation figures."""

    runs: tuple[str, str]
    macro_f1: float
    siim: float


def by_seed(rows: Sequence[Row], archives: Sequence[Archive], first: str, second: str) -> list[OneSeed]:
    """Every seed of one recipe with seed 0 of another, both trained with all sources."""
    val = [row for row in rows if row.split == "val"]
    labels, siim = _labels(val), np.array([row.source == "siim" for row in val], dtype=bool)
    of_all = [one for one in archives if one.complete and one.config.leave_out == ALL]
    others = [one for one in of_all if one.recipe == second and one.config.seed == 0]
    found = []
    for one, other in ((one, other) for one in of_all if one.recipe == first for other in others):
        mean = combine(np.stack([one.val[-1], other.val[-1]]), 1.0, "scpa")
        positive = labels[siim] == LABELS.index("covid19")
        score = between(mean[siim], *QUESTIONS["siim"])
        found.append(
            OneSeed(
                (one.name, other.name),
                float(metrics.macro_f1(mean, labels)[0]),
                float(metrics.auroc(score, positive, metrics.once(positive))[0]),
            )
        )
    return found


def _each(conditions: Mapping[str, Mapping[int, Archive]]) -> dict[str, tuple[Network, ...]]:
    return {source: tuple((one,) for _, one in sorted(seeds.items())) for source, seeds in conditions.items()}


def _means_over_seeds(found: Mapping[str, Mapping[str, Mapping[int, Archive]]]) -> Iterator[Candidate]:
    for name, conditions in found.items():
        means = {source: (tuple(seeds.values()),) for source, seeds in conditions.items() if len(seeds) > 1}
        if means:
            yield Candidate(f"{name}, mean of seeds", "seeds", means)


def _means_of_frames(found: Mapping[str, Mapping[str, Mapping[int, Archive]]]) -> Iterator[Candidate]:
    for first, second in PAIRS:
        pairs: dict[str, tuple[Network, ...]] = {}
        for source in found.get(first, {}):
            one, other = found[first][source], found.get(second, {}).get(source, {})
            shared = sorted(one.keys() & other.keys())
            if shared:
                pairs[source] = tuple((one[seed], other[seed]) for seed in shared)
        if pairs:
            yield Candidate(f"{first} + {second}", "frames", pairs)


def inside(
    rows: Sequence[Row], given: Sequence[Candidate], condition: str, resamples: int = RESAMPLES
) -> dict[str, Inside]:
    """By candidate, figures on the validation images of all patients without an image of the left-out source.

    Args:
        rows: the whole table.
        given: candidates; those without networks of this condition get no entry.
        condition: `ALL` or the source that was left out.
        resamples: of patients, for intervals.
    """
    val = [row for row in rows if row.split == "val"]
    kept = np.array([True] * len(val) if condition == ALL else outside(val, condition), dtype=bool)
    said = _said(given, condition, len(val), lambda one: one.val)
    labels, seen = _labels(val)[kept], [row for row, here in zip(val, kept, strict=True) if here]
    posteriors = {name: [p[kept] for p in ps] for name, ps in said.items()}
    patients = [row.patient for row in seen]
    f1 = compare(posteriors, lambda p, weights: metrics.macro_f1(p, labels, weights), patients, resamples)
    siim = _within("siim", seen, posteriors, resamples) if condition != "siim" else {}
    return {
        name: Inside(f1[name], _ece(ps, labels), _recalls(ps, labels), siim.get(name))
        for name, ps in posteriors.items()
    }


def out_of(
    rows: Sequence[Row], given: Sequence[Candidate], source: str, resamples: int = RESAMPLES, reference: str = BASELINE
) -> dict[str, Outside]:
    """By candidate, figures on a left-out source's training and validation images. Arguments as for `compare`."""
    judged = left_out_rows(rows, source)
    said = _said(given, source, len(judged), lambda one: one.left_out)
    main = _within(source, judged, said, resamples, reference)
    labels = _labels(judged)
    return {
        name: Outside(
            main=main[name],
            one_score=_one_score(source, labels, posteriors),
            recall=_recalls(posteriors, labels),
            ece=_ece(posteriors, labels),
        )
        for name, posteriors in said.items()
    }


def left_out_rows(rows: Sequence[Row], source: str) -> list[Row]:
    """A source's training and validation images in the order of `training.sources.of_source`."""
    return [row for split in ("train", "val") for row in rows if (row.split, row.source) == (split, source)]


def compare(
    said: Mapping[str, Sequence[Floats]],
    metric: Callable[[Floats, Floats], Floats],
    patients: Sequence[str],
    resamples: int = RESAMPLES,
    reference: str = BASELINE,
) -> dict[str, Compared]:
    """By candidate, the mean of a metric over its networks, and the difference to the reference.

    Differences are paired: both are computed on the same resample of patients. The interval covers the choice of
    patients, not of seeds.

    Args:
        said: by candidate the posteriors [N, 3] of its networks.
        metric: of a posterior [N, 3] and weights [R, N], as those of `evaluation.metrics`.
        patients: [N].
        resamples: of patients.
        reference: the candidate that the others are compared with; without it there are no differences.
    """

    def figures(weights: Floats) -> dict[str, Floats]:
        means = {name: np.mean([metric(p, weights) for p in ps], axis=0) for name, ps in said.items()}
        return means | {f"- {name}": means[name] - means[reference] for name in means if reference in means}

    measured = Resampling(patients, resamples).measure(figures)
    return {
        name: Compared(len(ps), measured[name], None if name == reference else measured.get(f"- {name}"))
        for name, ps in said.items()
    }


def _within(
    source: str,
    rows: Sequence[Row],
    said: Mapping[str, Sequence[Floats]],
    resamples: int,
    reference: str = BASELINE,
) -> dict[str, Compared]:
    """The AUC of a source's two labels (`QUESTIONS`), on the rows of that source."""
    labels = _labels(rows)
    here = np.array([row.source == source for row in rows], dtype=bool)
    question = QUESTIONS.get(source)
    if question is not None:
        here &= np.isin(labels, [LABELS.index(label) for label in question])
    told, patients = labels[here], [row.patient for row, kept in zip(rows, here, strict=True) if kept]

    def metric(posterior: Floats, weights: Floats) -> Floats:
        if question is None:
            return metrics.mean(posterior.argmax(axis=1) == told, weights)
        return metrics.auroc(between(posterior, *question), told == LABELS.index(question[0]), weights)

    return compare({name: [p[here] for p in ps] for name, ps in said.items()}, metric, patients, resamples, reference)


def between(posterior: Floats, positive: Label, negative: Label) -> Floats:
    """[N] the probability of the first of two labels, given that one of the two is true."""
    ours, other = posterior[:, LABELS.index(positive)], posterior[:, LABELS.index(negative)]
    return metrics.ratio(ours, ours + other, 0.5)


def posterior(network: Network, logits: Callable[[Archive], Floats32 | None]) -> Floats:
    """[N, 3] the mean over members of the mean over snapshots."""
    members = [combine(said, 1.0, "scpa") for one in network if (said := logits(one)) is not None]
    return np.asarray(np.mean(members, axis=0))


def _said(
    given: Sequence[Candidate], condition: str, images: int, logits: Callable[[Archive], Floats32 | None]
) -> dict[str, list[Floats]]:
    said = {
        one.name: [posterior(network, logits) for network in one.networks[condition]]
        for one in given
        if condition in one.networks
    }
    if any(p.shape != (images, len(LABELS)) for ps in said.values() for p in ps):
        raise DataError(f"archives do not fit the table's images, left out: {condition or 'none'}")
    return said


def _labels(rows: Sequence[Row]) -> Ints:
    return np.array([LABELS.index(row.label) for row in rows], dtype=np.int64)


def _ece(posteriors: Sequence[Floats], labels: Ints) -> float:
    return float(np.mean([metrics.calibration_error(p, labels) for p in posteriors]))


def _recalls(posteriors: Sequence[Floats], labels: Ints) -> dict[Label, float]:
    means = np.mean([metrics.by_label(p, labels, metrics.once(labels))["recall"][0] for p in posteriors], axis=0)
    return dict(zip(LABELS, map(float, means), strict=True))


def _one_score(source: str, labels: Ints, posteriors: Sequence[Floats]) -> float | None:
    if source not in QUESTIONS:
        return None
    positive, negative = (LABELS.index(label) for label in QUESTIONS[source])
    here = np.isin(labels, [positive, negative])
    weights = metrics.once(labels[here])
    return float(np.mean([metrics.auroc(p[here, positive], labels[here] == positive, weights) for p in posteriors]))
