"""The candidate: the result of selection, as a file that is committed before the test split is measured."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter

from cxr.errors import DataError
from cxr.json_file import read_json, write_json
from cxr.labels import Label
from cxr.model.bundle_files import sha256
from evaluation.bootstrap import RESAMPLES
from study.ensemble import Plan, best_of_runs, of_one_run
from study.study import Part, Study
from study.tables import ExplainingMember, Snapshot, StudyResult, Tables
from study.tabulate import tabulator


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, and conformal thresholds on 1 - p. `fitted_on` describes the images in words."""

    temperature: float
    coverage: float
    thresholds: dict[Label, float]
    fitted_on: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """candidate.json: the chosen plan, the explaining member, every other row, and hashes of their inputs.

    `archives` has, by snapshot, the SHA-256 of the file with its logits; `frames`, by chosen member, the member's
    frame. Without a `calibration` the bundle's is fitted on the calibration half of the validation split.
    """

    version: Literal[1]
    table_sha256: str
    chosen: Plan
    explainer: ExplainingMember
    plans: tuple[Plan, ...]
    archives: dict[str, str]
    frames: dict[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None

    def write(self, path: Path) -> None:
        """Write it as indented JSON."""
        write_json(_ADAPTER, path, self)

    @staticmethod
    def read(path: Path) -> "Candidate":
        """Raises DataError if the file is missing or not a candidate."""
        return read_json(_ADAPTER, path, "a candidate")


def evaluate_candidate(
    study: Study, candidate: Candidate, later: Sequence[Plan] = (), resamples: int = RESAMPLES
) -> Tables:
    """The candidate's tables on the test split. No other function reads the test split.

    `later` are rows of runs that were added after the candidate. Temperatures come from the calibration half, as in a
    bundle.

    Raises:
        DataError: the study is of another table, or a snapshot is missing or differs from the chosen one.
    """
    if study.table_sha256 != candidate.table_sha256 or candidate.chosen not in candidate.plans:
        raise DataError("the candidate was chosen on another table, or is not one of its own rows")
    found = archive_hashes(study, (member for plan in candidate.plans for member in plan.members))
    changed = [name for name, sha in candidate.archives.items() if found.get(name) != sha]
    if changed:
        raise DataError(f"not the snapshots that were chosen: {', '.join(changed)}")
    maker = tabulator(study, study.part("calibrate"), study.part("test"), resamples)
    return maker.tables("test", [*candidate.plans, *later], candidate.chosen)


def confirm(
    study: Study, candidate: Candidate, commit: str, result: StudyResult, resamples: int = RESAMPLES
) -> StudyResult:
    """A study's result with its test figures, and with rows of runs that were added after the candidate.

    Args:
        study: the runs, including those of the candidate.
        candidate: the committed candidate.
        commit: the commit of its file.
        result: the result of the selection.
        resamples: number of bootstrap samples.

    Raises:
        DataError: see `evaluate_candidate`.
    """
    part = study.part("select")
    later = list(_later_plans(study, part, {row.snapshot.run for row in result.snapshots}))
    test = evaluate_candidate(study, candidate, later, resamples)  # raises before anything else is measured
    maker = tabulator(study, part, part, resamples)
    return replace(
        result,
        runs=tuple(study.describe(name) for name in study.runs),
        select=maker.tables("select", [*candidate.plans, *later], candidate.chosen),
        test=test,
        candidate_commit=commit,
    )


def _later_plans(study: Study, part: Part, chosen_among: Collection[str]) -> Iterator[Plan]:
    """Rows of table I for runs that were added after the candidate. They are shown, but the choice does not change.

    The snapshot of such a run is chosen by its losses on the selection half, as for every other run.
    """
    later = [snapshot for snapshot in study.snapshots if snapshot.run not in chosen_among]
    losses = {one: Plan("", "snapshot", (one,), "scpa").calibrated_log_loss(part) for one in later}
    for run, chosen in sorted(best_of_runs(losses).items()):
        yield from of_one_run(run, [one for one in later if one.run == run], chosen)


def archive_hashes(study: Study, snapshots: Iterable[Snapshot]) -> dict[str, str]:
    """The SHA-256 of each snapshot's archive, by name. Raises DataError for a snapshot that is not in the study."""
    known = set(study.snapshots)
    hashes: dict[str, str] = {}
    for snapshot in dict.fromkeys(snapshots):
        if snapshot not in known:
            raise DataError(f"these runs have no snapshot {snapshot}")
        hashes[str(snapshot)] = sha256(study.runs[snapshot.run].archive(snapshot.cycle).read_bytes())
    return hashes


_ADAPTER: Final = TypeAdapter(Candidate)
