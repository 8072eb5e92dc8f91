"""Select snapshots and ensembles, on the selection half of the validation split only.

The criteria were fixed before the runs of the study:

- For a run's snapshot, the members of greedy selection and the explaining member: the calibrated log loss.
- For the candidate: the mean of the paper's three main figures, macro-F1, COVID-19's precision and its recall; in a
  tie, the log loss. Eligible ensembles have at most six members and output posteriors. So equation 2 of the paper,
  whose softmax of probabilities never exceeds 0.58, is measured but cannot be chosen.

WeightWatcher's figures are reported too. They are not used for the choice; the correlations show whether validation
agrees with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from rich.progress import track

from cxr.errors import DataError
from cxr.model.posterior import softmax
from evaluation.bootstrap import RESAMPLES
from evaluation.calibration import fit_temperature
from evaluation.metrics import figures, log_loss, macro_f1
from study.candidate import Candidate, archive_hashes
from study.correlation import METRICS, correlations
from study.ensemble import MAX_MEMBERS, Losses, Plan, best_of_runs, of_networks, of_one_run
from study.study import Part, Study
from study.tables import Correlation, ExplainingMember, Snapshot, SnapshotRow, SpectralMetric, StudyResult
from study.tabulate import tabulator

HEADLINE: Final = ("macro_f1", "covid19_ppv", "covid19_recall")


@dataclass(frozen=True, slots=True)
class Selection:
    """All figures of the selection half, and the choice."""

    result: StudyResult
    candidate: Candidate


def select(
    study: Study,
    only_kept: bool = False,
    resamples: int = RESAMPLES,
    named: Sequence[Snapshot] = (),
    explainer: Snapshot | None = None,
) -> Selection:
    """Measure every snapshot on the selection half, and choose.

    Args:
        study: the runs.
        only_kept: choose only among snapshots whose weights are present, so that a bundle can be made of them. The
            tables still show the others.
        resamples: number of bootstrap samples.
        named: the candidate's members, if they were chosen otherwise, such as by hospitals left out of training.
        explainer: the explaining member, if it was chosen otherwise.

    Raises:
        DataError: there is nothing to choose from, a snapshot does not exist, or the explainer is not a member.
    """
    part = study.part("select")
    rows = list(track(map(partial(measure, study, part), study.snapshots), "spectra", total=len(study.snapshots)))
    losses = {row.snapshot: row.calibrated_log_loss for row in rows if not only_kept or study.has_weights(row.snapshot)}
    if not losses:
        raise DataError("no snapshot to choose from; with --only-kept, none whose weights are present")
    plans = plan_rows(study, part, losses)
    best = choose(plans, part, losses)
    if named:
        part.stack(named)  # raises for snapshots that do not exist
        best = Plan(" + ".join(map(str, named)), "named", tuple(named), "scpa")
        plans.append(best)
    found = correlations(rows, resamples)
    explaining = choose_explainer(best.members, rows, found) if explainer is None else _named(explainer, best.members)
    result = StudyResult(
        version=1,
        table_sha256=study.table_sha256,
        runs=tuple(study.describe(name) for name in study.runs),
        snapshots=tuple(rows),
        correlations=found,
        explainer=explaining,
        select=tabulator(study, part, part, resamples).tables("select", plans, best),
    )
    hashes = archive_hashes(study, (member for plan in plans for member in plan.members))
    frames = {str(member): study.configs[member.run].frame for member in best.members}
    return Selection(result, Candidate(1, study.table_sha256, best, explaining, tuple(plans), hashes, frames))


def measure(study: Study, part: Part, snapshot: Snapshot) -> SnapshotRow:
    """A snapshot's spectral figures, if its archive has them, and its losses on a part."""
    config, logits, labels = study.configs[snapshot.run], part.logits[snapshot], part.labels
    spectral = study.runs[snapshot.run].spectral(snapshot.cycle)
    temperature = fit_temperature(logits[None], labels, "scpa")
    return SnapshotRow(
        snapshot=snapshot,
        architecture=config.architecture,
        sampling=config.sampling,
        log_norm=spectral.log_norm if spectral else None,
        alpha=spectral.alpha if spectral else None,
        weighted_alpha=spectral.weighted_alpha if spectral else None,
        log_loss=float(log_loss(softmax(logits), labels)[0]),
        temperature=temperature,
        calibrated_log_loss=float(log_loss(softmax(logits, temperature), labels)[0]),
        macro_f1=float(macro_f1(logits, labels)[0]),
    )


def plan_rows(study: Study, part: Part, losses: Losses) -> list[Plan]:
    """All rows of tables I and II."""
    chosen = best_of_runs(losses)
    plans: list[Plan] = []
    for run in study.runs:
        plans += of_one_run(run, [one for one in study.snapshots if one.run == run], chosen.get(run))
    return plans + list(of_networks(study, part, losses))


def choose(plans: Sequence[Plan], part: Part, losses: Losses) -> Plan:
    """The candidate, by the criterion above."""
    contenders = [
        plan
        for plan in plans
        if plan.rule != "scpa_eq2" and len(plan.members) <= MAX_MEMBERS and set(plan.members) <= set(losses)
    ]
    return max(contenders, key=lambda plan: _merit(plan, part))


def _merit(plan: Plan, part: Part) -> tuple[float, float]:
    """The mean of the main figures, and then the negative log loss for ties."""
    posterior = plan.posterior(part, plan.fit(part))
    found = figures(posterior, part.labels)
    values = [
        0.0 if found[name] != found[name] else found[name] for name in HEADLINE
    ]  # NaN if no image is predicted as COVID-19
    return sum(values) / len(values), -found["log_loss"]


def choose_explainer(
    members: Sequence[Snapshot], rows: Sequence[SnapshotRow], found: Sequence[Correlation]
) -> ExplainingMember:
    """The member with the smallest calibrated log loss, and how WeightWatcher's choice compares."""
    best = min((row for row in rows if row.snapshot in members), key=lambda row: row.calibrated_log_loss)
    runs = {member.run for member in members}
    siblings = [row for row in rows if row.snapshot.run in runs]
    by_spectrum = {metric: pick for metric in METRICS if (pick := _lowest(siblings, metric)) is not None}
    reason = f"smallest calibrated log loss on the selection half of validation: {best.calibrated_log_loss:.4f}"
    if len(members) > 1:
        reason += f" of {len(members)} members"
    return ExplainingMember(
        best.snapshot, f"{reason}. {_beside(best.snapshot, by_spectrum, found)}".strip(), by_spectrum
    )


def _named(explainer: Snapshot, members: Sequence[Snapshot]) -> ExplainingMember:
    if explainer not in members:
        raise DataError(f"{explainer} is not a member of the candidate, so it cannot explain it")
    return ExplainingMember(explainer, "named in advance, not chosen by a figure", {})


def _lowest(rows: Sequence[SnapshotRow], metric: SpectralMetric) -> Snapshot | None:
    known = [row for row in rows if getattr(row, metric) is not None]
    return min(known, key=lambda row: float(getattr(row, metric))).snapshot if known else None


def _beside(best: Snapshot, by_spectrum: Mapping[SpectralMetric, Snapshot], found: Sequence[Correlation]) -> str:
    """WeightWatcher's choice in words, with its correlation over all snapshots."""
    worth = {one.metric: str(one) for one in found if one.scope == "all"}
    words = []
    for metric, pick in by_spectrum.items():
        opinion = "agrees" if pick == best else f"prefers {pick}"
        words.append(f"{metric.replace('_', ' ')} {opinion} ({worth.get(metric, '–')})")
    lead = "WeightWatcher, with its rank correlation with that loss over all snapshots: "
    return f"{lead}{', '.join(words)}." if words else ""
