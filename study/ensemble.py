"""Ensembles of snapshots: their members and their rule.

One temperature is applied to all members before they are combined. It is fitted on the combined posterior, as in a
bundle: the mean of individually calibrated members is under-confident (Rahaman & Thiery 2021).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from cxr.arrays import Floats
from cxr.model.posterior import ENSEMBLE_RULES, EnsembleRule, combine
from evaluation.calibration import calibrated_log_loss, fit_temperature
from study.study import Part, Study
from study.tables import PlanKind, Snapshot

LAST: Final = 5  # last snapshots of a run in its short ensemble (as Huang et al. 2017)
MAX_MEMBERS: Final = 6  # of an ensemble for serving

Losses = Mapping[Snapshot, float]
"""The calibrated log loss of each snapshot that may be chosen, on the selection half."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A row of a table before it is measured."""

    name: str
    kind: PlanKind
    members: tuple[Snapshot, ...]
    rule: EnsembleRule

    def fit(self, part: Part) -> float:
        """The temperature that minimises the log loss on a part."""
        return fit_temperature(part.stack(self.members), part.labels, self.rule)

    def posterior(self, part: Part, temperature: float) -> Floats:
        """[N, 3] on a part."""
        return combine(part.stack(self.members), temperature, self.rule)

    def calibrated_log_loss(self, part: Part) -> float:
        """The log loss in nats at the temperature that minimises it on the same images."""
        return calibrated_log_loss(part.stack(self.members), part.labels, self.rule)


def best_of_runs(losses: Losses) -> dict[str, Snapshot]:
    """For each run its snapshot with the smallest loss."""
    chosen: dict[str, Snapshot] = {}
    for snapshot in sorted(losses, key=losses.__getitem__):
        chosen.setdefault(snapshot.run, snapshot)
    return chosen


def of_one_run(run: str, snapshots: Sequence[Snapshot], chosen: Snapshot | None) -> Iterator[Plan]:
    """A run's rows of table I: its chosen snapshot, its last ones, and all of them by each rule."""
    if chosen is not None:
        yield Plan(f"{run}, snapshot {chosen.cycle}", "snapshot", (chosen,), "scpa")
    if len(snapshots) > LAST:
        yield Plan(f"{run}, last {LAST} snapshots", "last", tuple(snapshots[-LAST:]), "scpa")
    if len(snapshots) > 1:
        name = f"{run}, all {len(snapshots)} snapshots"
        yield from (Plan(name, "snapshots", tuple(snapshots), rule) for rule in ENSEMBLE_RULES)


def of_networks(study: Study, part: Part, losses: Losses) -> Iterator[Plan]:
    """Table II: all pairs of architectures and the triple of the three best by each rule, and greedy selection.

    Each architecture is represented by its best snapshot. All members have the recipe and size of the best snapshot,
    because a bundle has only one of each. Each member may have its own frame.
    """
    best = min(losses, key=losses.__getitem__)
    pool = {member: loss for member, loss in losses.items() if _same_input(study, member, best)}
    representatives = _best_of_architectures(study, pool)
    groups: list[tuple[PlanKind, tuple[Snapshot, ...]]] = [("pair", pair) for pair in combinations(representatives, 2)]
    if len(representatives) > 2:
        groups.append(("triple", tuple(representatives[:3])))
    for kind, members in groups:
        name = " + ".join(study.configs[member.run].architecture for member in members)
        yield from (Plan(name, kind, members, rule) for rule in ENSEMBLE_RULES)
    taken = greedy(part, sorted(pool, key=pool.__getitem__))
    yield Plan(f"greedy, {len(taken)} of {len(pool)} snapshots", "greedy", taken, "scpa")


def greedy(part: Part, pool: Iterable[Snapshot], limit: int = MAX_MEMBERS) -> tuple[Snapshot, ...]:
    """Forward selection by the calibrated log loss of the mean posterior (Caruana et al. 2004).

    Without replacement, because the members of a bundle have equal weights. It ends when no further member helps.
    """
    members: tuple[Snapshot, ...] = ()
    loss, candidates = float("inf"), list(pool)
    while candidates and len(members) < limit:
        tried = {one: Plan("", "greedy", (*members, one), "scpa").calibrated_log_loss(part) for one in candidates}
        best = min(candidates, key=tried.__getitem__)
        if tried[best] >= loss:
            break
        members, loss = (*members, best), tried[best]
        candidates.remove(best)
    return members


def _best_of_architectures(study: Study, losses: Losses) -> list[Snapshot]:
    """One snapshot per architecture, best first."""
    found: dict[str, Snapshot] = {}
    for snapshot in sorted(losses, key=losses.__getitem__):
        found.setdefault(study.configs[snapshot.run].architecture, snapshot)
    return list(found.values())


def _same_input(study: Study, one: Snapshot, other: Snapshot) -> bool:
    a, b = study.configs[one.run], study.configs[other.run]
    return (a.recipe, a.size) == (b.recipe, b.size)
