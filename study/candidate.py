"""The candidate: what selection chose, as a file that is committed before the test split is run."""

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
    """A temperature, and conformal thresholds on 1 - p; `fitted_on` says what they come from, in words."""

    temperature: float
    coverage: float
    thresholds: dict[Label, float]
    fitted_on: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """candidate.json: the chosen plan, the member that explains, every other row, and hashes of what they rest on.

    `archives` holds, by snapshot, the SHA-256 of the file with its logits; `frames`, by the chosen members, what each
    of them sees. Without a `calibration` the bundle's is fitted on the calibrating half of the validation split.
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
        """As JSON for people too."""
        write_json(_ADAPTER, path, self)

    @staticmethod
    def read(path: Path) -> "Candidate":
        """Raises DataError if the file is missing or not a candidate."""
        return read_json(_ADAPTER, path, "a candidate")


def evaluate_candidate(
    study: Study, candidate: Candidate, later: Sequence[Plan] = (), resamples: int = RESAMPLES
) -> Tables:
    """The tables on the test split, as the candidate fixed them; the only function that reads it.

    `later` are lines of runs that came after the candidate.
    Temperatures come from the calibrating half, as in a bundle.

    Raises:
        DataError: the study is of another table, or a snapshot is missing or not the one that was chosen.
    """
    if study.table_sha256 != candidate.table_sha256 or candidate.chosen not in candidate.plans:
        raise DataError("the candidate was chosen on another table, or is none of its own rows")
    found = archive_hashes(study, (member for plan in candidate.plans for member in plan.members))
    changed = [name for name, sha in candidate.archives.items() if found.get(name) != sha]
    if changed:
        raise DataError(f"not the snapshots that were chosen: {', '.join(changed)}")
    maker = tabulator(study, study.part("calibrate"), study.part("test"), resamples)
    return maker.tables("test", [*candidate.plans, *later], candidate.chosen)


def confirm(
    study: Study, candidate: Candidate, commit: str, result: StudyResult, resamples: int = RESAMPLES
) -> StudyResult:
    """A study's result with its test figures, and with the lines of runs that came after the candidate.

    Args:
        study: the runs, those of the candidate among them.
        candidate: what was chosen.
        commit: that fixed it.
        result: of choosing it.
        resamples: of each interval.

    Raises:
        DataError: as `evaluate_candidate`.
    """
    part = study.part("select")
    later = list(_later_plans(study, part, {row.snapshot.run for row in result.snapshots}))
    test = evaluate_candidate(study, candidate, later, resamples)  # refuses before anything else is measured
    maker = tabulator(study, part, part, resamples)
    return replace(
        result,
        runs=tuple(study.describe(name) for name in study.runs),
        select=maker.tables("select", [*candidate.plans, *later], candidate.chosen),
        test=test,
        candidate_commit=commit,
    )


def _later_plans(study: Study, part: Part, chosen_among: Collection[str]) -> Iterator[Plan]:
    """Table I's lines of runs that came after the candidate: shown, while nothing is chosen anew.

    The snapshot of such a run is the one that its own losses on the choosing half name, as in every other run.
    """
    later = [snapshot for snapshot in study.snapshots if snapshot.run not in chosen_among]
    losses = {one: Plan("", "snapshot", (one,), "scpa").calibrated_log_loss(part) for one in later}
    for run, chosen in sorted(best_of_runs(losses).items()):
        yield from of_one_run(run, [one for one in later if one.run == run], chosen)


def archive_hashes(study: Study, snapshots: Iterable[Snapshot]) -> dict[str, str]:
    """By name, the SHA-256 of each snapshot's archive. Raises DataError for one that is not in the study."""
    known = set(study.snapshots)
    hashes: dict[str, str] = {}
    for snapshot in dict.fromkeys(snapshots):
        if snapshot not in known:
            raise DataError(f"these runs have no snapshot {snapshot}")
        hashes[str(snapshot)] = sha256(study.runs[snapshot.run].archive(snapshot.cycle).read_bytes())
    return hashes


_ADAPTER: Final = TypeAdapter(Candidate)
