"""Measure plans: rows of figures on one part of the images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import t as student

from cxr.arrays import Floats, Ints
from cxr.labels import LABELS
from evaluation import metrics
from evaluation.bootstrap import RESAMPLES, Resampling
from evaluation.figure import Figure
from study.ensemble import Plan
from study.left_out import left_out_rows
from study.paper import BEST, BEST_BY_LABEL, BEST_PAIR
from study.study import Part, Study
from study.tables import MeasuredScores, SeedRow, SeedScores, ShownPart, Snapshot, Spread, TableRow, Tables
from study.within import within_sources

MIN_SEEDS: Final = 3
SCORES: Final = ("ppv", "recall", "f1")
OF_NETWORKS: Final = ("snapshot", "last", "snapshots")
OF_CHOSEN: Final = ("snapshot", "pair", "triple")


@dataclass(frozen=True, slots=True)
class Tabulator:
    """Measures plans on `shown`, at temperatures fitted on `fitted`. During selection both are the same part."""

    study: Study
    fitted: Part
    shown: Part
    resampling: Resampling

    def row(self, plan: Plan) -> TableRow:
        """All figures of a plan."""
        labels, temperature = self.shown.labels, plan.fit(self.fitted)
        posterior = plan.posterior(self.shown, temperature)
        figures = measured(posterior, labels, self.resampling)
        configs = [self.study.configs[member.run] for member in plan.members]
        samplings = {config.sampling for config in configs}
        row = TableRow(
            name=plan.name,
            kind=plan.kind,
            networks=tuple(dict.fromkeys(config.architecture for config in configs)),
            sampling=samplings.pop() if len(samplings) == 1 else None,
            rule=plan.rule,
            members=plan.members,
            temperature=round(temperature, 4),
            macro=_scores(figures, "macro"),
            by_label={label: _scores(figures, label) for label in LABELS},
            accuracy=figures["accuracy"],
            log_loss=figures["log_loss"],
            confusion=tuple(tuple(map(int, line)) for line in metrics.confusion(posterior, labels)[0]),
            within=within_sources(posterior, self.shown.rows, self.resampling),
        )
        is_papers = row.kind == "pair" and {name.removesuffix("_bn") for name in row.networks} == BEST_PAIR
        return _beside_the_paper(row) if is_papers and row.rule == "scpa" else row

    def tables(self, part: ShownPart, plans: Sequence[Plan], best: Plan) -> Tables:
        """Tables I to III, and their variation over seeds."""
        rows = {plan: self.row(plan) for plan in plans}
        return Tables(
            part=part,
            images=len(self.shown.rows),
            patients=self.resampling.patients,
            resamples=self.resampling.resamples,
            networks=tuple(row for row in rows.values() if row.kind in OF_NETWORKS),
            ensembles=tuple(row for row in rows.values() if row.kind not in OF_NETWORKS),
            best=_beside_the_paper(rows[best]),
            seeds=tuple(self._seeds(plans, best)),
            left_out=tuple(left_out_rows(self.study, self.shown, self.resampling.resamples)),
        )

    def _seeds(self, plans: Sequence[Plan], best: Plan) -> Iterator[SeedRow]:
        """Rows over all available seeds, for each network, the mean of its snapshots, and the best plan."""
        chosen = {plan.members[0].run: plan.members[0] for plan in plans if plan.kind == "snapshot"}
        seen = set()
        for plan in [best, *plans]:
            is_shown = plan is best or plan.kind == "snapshot" or (plan.kind == "snapshots" and plan.rule == "scpa")
            family = self._family(plan, chosen) if is_shown else {}
            members = frozenset(family.values())
            if len(members) < MIN_SEEDS or (members, plan.rule) in seen:
                continue
            seen.add((members, plan.rule))
            yield self._seed_row(plan, family)

    def _family(self, plan: Plan, chosen: dict[str, Snapshot]) -> dict[int, tuple[Snapshot, ...]]:
        """The plan's members by seed: for a chosen snapshot the sibling's chosen one, else that of the same cycle."""
        siblings = [self._siblings(member.run) for member in plan.members]
        shared = set.intersection(*(set(by_seed) for by_seed in siblings))
        family: dict[int, tuple[Snapshot, ...]] = {}
        for seed in sorted(shared):
            runs = [by_seed[seed] for by_seed in siblings]
            same = tuple(Snapshot(run, member.cycle) for run, member in zip(runs, plan.members, strict=True))
            family[seed] = tuple(chosen.get(one.run, one) for one in same) if plan.kind in OF_CHOSEN else same
        known = set(self.study.snapshots)
        return {seed: members for seed, members in family.items() if len(set(members) & known) == len(plan.members)}

    def _siblings(self, run: str) -> dict[int, str]:
        """Runs that are equal to a run except for the seed, by seed."""
        configs = self.study.configs
        return {c.seed: name for name, c in configs.items() if replace(c, seed=0) == replace(configs[run], seed=0)}

    def _seed_row(self, plan: Plan, family: dict[int, tuple[Snapshot, ...]]) -> SeedRow:
        rows = [self.row(replace(plan, members=members)) for members in family.values()]
        times = f"{len(plan.members)} x " if len(plan.members) > len(rows[0].networks) else ""
        return SeedRow(
            name=times + " + ".join(rows[0].networks),
            networks=rows[0].networks,
            sampling=rows[0].sampling,
            rule=plan.rule,
            seeds=tuple(family),
            macro=_over_seeds([row.macro for row in rows]),
            by_label={label: _over_seeds([row.by_label[label] for row in rows]) for label in LABELS},
        )


def tabulator(study: Study, fitted: Part, shown: Part, resamples: int = RESAMPLES) -> Tabulator:
    """Make a tabulator. The resamples are drawn once."""
    return Tabulator(study, fitted, shown, Resampling(shown.patients, resamples))


def measured(posterior: Floats, labels: Ints, resampling: Resampling) -> dict[str, Figure]:
    """PPV, recall and F1 of each label and their macro means, accuracy and log loss, as the paper's tables have them.

    For a label, a ratio with denominator 0 is None. In a macro mean it counts as 0, unlike in an evaluation.
    """

    def figures(weights: Floats) -> dict[str, Floats]:
        found = {
            "accuracy": metrics.mean(posterior.argmax(axis=1) == labels, weights),
            "log_loss": metrics.log_loss(posterior, labels, weights),
        }
        told = metrics.by_label(posterior, labels, weights)
        for name in SCORES:
            found[f"macro_{name}"] = np.nan_to_num(told[name]).mean(axis=1)
            found |= {f"{label}_{name}": told[name][:, index] for index, label in enumerate(LABELS)}
        return found

    return resampling.measure(figures)


def _scores(figures: Mapping[str, Figure], of: str) -> MeasuredScores:
    return MeasuredScores(*(figures[f"{of}_{name}"] for name in SCORES))


def _beside_the_paper(row: TableRow) -> TableRow:
    return replace(row, paper=BEST, paper_by_label=BEST_BY_LABEL)


def _over_seeds(scores: Sequence[MeasuredScores]) -> SeedScores:
    return SeedScores(
        precision=_spread([score.precision.value or 0.0 for score in scores]),
        recall=_spread([score.recall.value or 0.0 for score in scores]),
        f1=_spread([score.f1.value or 0.0 for score in scores]),
    )


def _spread(values: Sequence[float]) -> Spread:
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    margin = float(student.ppf(0.975, len(values) - 1)) * sd / len(values) ** 0.5
    return Spread(tuple(values), round(mean, 6), round(sd, 6), round(mean - margin, 6), round(mean + margin, 6))
