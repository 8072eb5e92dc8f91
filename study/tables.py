"""study.json: what was trained, chosen and measured, in the layout of the paper's tables I to III.

`cxr select` writes it with figures of the selection half of the validation split. `cxr confirm` adds the test split,
once a candidate is committed. A report displays it and computes nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from cxr.json_file import read_json, write_json
from cxr.labels import Label
from cxr.model.posterior import EnsembleRule
from evaluation.figure import Figure

ShownPart = Literal["select", "test"]
"""The images of a table: the selection half of the validation split, or the test split."""

PlanKind = Literal["snapshot", "last", "snapshots", "pair", "triple", "greedy", "named"]
"""One run's chosen snapshot; its last few snapshots; all its snapshots; the chosen snapshots of two architectures,
or of the three best ones; the result of greedy selection from all snapshots (Caruana et al. 2004); named members."""

SpectralMetric = Literal["log_norm", "alpha", "weighted_alpha"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A network at the end of a cycle: the run's folder name, and the cycle counting from 1."""

    run: str
    cycle: int

    def __str__(self) -> str:
        """In the form RUN@CYCLE."""
        return f"{self.run}-c{self.cycle:02d}"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A trained run and its data.

    `sampling` is one of `training.sampling.SAMPLINGS`: the paper's imbalanced set is `natural`, its balanced one
    `undersampled`. `train_images` counts distinct images by label. `cycles` is the number of complete cycles. `minutes`
    is the time of their epochs without validation.
    """

    run: str
    architecture: str
    recipe: str
    size: int
    sampling: str
    seed: int
    epochs: int
    cycles: int
    max_lr: float
    train_images: dict[Label, int]
    minutes: float


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """WeightWatcher's figures and validation losses, on the selection half.

    Spectral figures are means over layers, None if the run stored no spectra. `log_loss` is in nats at temperature 1;
    `calibrated_log_loss` is at the temperature that minimises it.
    """

    snapshot: Snapshot
    architecture: str
    sampling: str
    log_norm: float | None
    alpha: float | None
    weighted_alpha: float | None
    log_loss: float
    temperature: float
    calibrated_log_loss: float
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rank correlation between a spectral figure and the calibrated log loss.

    `scope` is a run, or "all". Over all snapshots the interval resamples runs, because snapshots of one run are
    dependent. Within a run it resamples snapshots, which makes it too narrow.
    """

    metric: SpectralMetric
    scope: str
    snapshots: int
    rho: Figure

    def __str__(self) -> str:
        """Rho with its interval, if there is one."""
        return str(self.rho) if self.rho.low is not None or self.rho.value is None else f"{self.rho.value:.3f}"


@dataclass(frozen=True, slots=True)
class ExplainingMember:
    """The member whose maps are shown, and why.

    `by_spectrum` has the choice of each spectral figure among all snapshots of the members' runs.
    """

    snapshot: Snapshot
    reason: str
    by_spectrum: dict[SpectralMetric, Snapshot]


@dataclass(frozen=True, slots=True)
class MeasuredScores:
    """Precision (positive predictive value), recall and F1 of one label, or their unweighted means over labels."""

    precision: Figure
    recall: Figure
    f1: Figure


@dataclass(frozen=True, slots=True)
class PaperScores:
    """The paper's scores, if they are known for certain. `source` says where the paper states them."""

    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One network or ensemble. `networks` has an architecture for each member, or one if all members share it.

    `sampling` is None if the members differ. `confusion` has rows of true and columns of predicted labels. `within` is
    the AUC of one label against another within a source that has both.
    """

    name: str
    kind: PlanKind
    networks: tuple[str, ...]
    sampling: str | None
    rule: EnsembleRule
    members: tuple[Snapshot, ...]
    temperature: float
    macro: MeasuredScores
    by_label: dict[Label, MeasuredScores]
    accuracy: Figure
    log_loss: Figure
    confusion: tuple[tuple[int, ...], ...]
    paper: PaperScores | None = None
    paper_by_label: dict[Label, PaperScores] = field(default_factory=dict)
    within: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over seeds: one value per seed, their mean, standard deviation (n - 1), and Student's 95 % interval."""

    values: tuple[float, ...]
    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SeedScores:
    """As `MeasuredScores`, over seeds."""

    precision: Spread
    recall: Spread
    f1: Spread


@dataclass(frozen=True, slots=True)
class SeedRow:
    """The same network or ensemble from several seeds: how much randomness in training alone changes it."""

    name: str
    networks: tuple[str, ...]
    sampling: str | None
    rule: EnsembleRule
    seeds: tuple[int, ...]
    macro: SeedScores
    by_label: dict[Label, SeedScores]


@dataclass(frozen=True, slots=True)
class OnSource:
    """A network's figures on a source's images.

    `auroc` is for COVID-19 against the other labels by its probability, within the source. It has no value if the
    source lacks either of them. The same applies to `covid19_recall`.
    """

    accuracy: Figure
    covid19_recall: Figure
    auroc: Figure


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A source's images, classified by a network trained on the source's other patients and by one without them.

    `reference` and `run` differ only in this. `images` counts by label.
    """

    source: str
    reference: str
    run: str
    images: dict[Label, int]
    seen: OnSource
    unseen: OnSource


@dataclass(frozen=True, slots=True)
class Tables:
    """The paper's tables on one set of images.

    Intervals are of a patient-clustered bootstrap with `resamples`. `networks` is table I: for each run its chosen
    snapshot, the mean of its last ones, and all its snapshots by each rule. `ensembles` is table II: all pairs of
    architectures and the triple of the three best by each rule, and greedy selection. `best` is table III, the
    candidate. `left_out` has a row for each run that did not learn from one source.
    """

    part: ShownPart
    images: int
    patients: int
    resamples: int
    networks: tuple[TableRow, ...]
    ensembles: tuple[TableRow, ...]
    best: TableRow
    seeds: tuple[SeedRow, ...]
    left_out: tuple[LeftOutRow, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyResult:
    """study.json. `test` and `candidate_commit`, the commit of the candidate, are added last.

    Runs that were added later are in `runs` and have rows in both tables; `snapshots` are those that were eligible.
    """

    version: Literal[1]
    table_sha256: str
    runs: tuple[RunRow, ...]
    snapshots: tuple[SnapshotRow, ...]
    correlations: tuple[Correlation, ...]
    explainer: ExplainingMember
    select: Tables
    test: Tables | None = None
    candidate_commit: str | None = None

    def write(self, path: Path) -> None:
        """Write it as indented JSON."""
        write_json(_ADAPTER, path, self)

    @staticmethod
    def read(path: Path) -> "StudyResult":
        """Read it. Raises DataError if the file is missing or of another version."""
        return read_json(_ADAPTER, path, "a study's result")


_ADAPTER: Final = TypeAdapter(StudyResult)
