"""The figures of left-out sources at the top of a bundle's model card."""

from collections.abc import Sequence
from math import isnan

from cxr.labels import Label
from evaluation.bootstrap import RESAMPLES
from evaluation.elsewhere import Elsewhere
from study.new_hospital import MEMBERS, HeldBack, held_back, unseen
from study.travel import QUESTIONS, Candidate, candidates, left_out_rows, out_of
from study.travel_archive import Archive
from training.data import Row


def elsewhere(rows: Sequence[Row], archives: Sequence[Archive], resamples: int = RESAMPLES) -> tuple[Elsewhere, ...]:
    """Figures of each source that both recipes of `MEMBERS` were trained without.

    AUROC and recall are of the mean of the two networks, averaged over seeds. Calibration and sets are those of
    `study.new_hospital`, of one seed.
    """
    pair = [one for one in candidates(archives) if one.name == " + ".join(MEMBERS)]
    return tuple(_one(rows, pair, found, resamples) for found in held_back(unseen(rows, archives)))


def _one(rows: Sequence[Row], pair: Sequence[Candidate], found: HeldBack, resamples: int) -> Elsewhere:
    outside = out_of(rows, pair, found.source, resamples)[pair[0].name]
    told: Label = "covid19"
    other: Label | None = None
    if found.source in QUESTIONS:
        told, other = QUESTIONS[found.source]
    return Elsewhere(
        source=found.source,
        images=len(left_out_rows(rows, found.source)),
        told=told,
        other=other,
        auroc=outside.main.value if other else None,
        recall={label: round(value, 4) for label, value in outside.recall.items() if not isnan(value)},
        coverage={label: round(value, 4) for label, value in found.coverage.items()},
        mean_size=round(found.mean_size, 4),
        full=round(found.full, 4),
        ece=round(found.ece, 4),
    )
