"""All figures of docs/travel.md, and the runs without figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cxr.labels import LABELS
from evaluation.bootstrap import RESAMPLES
from study.new_hospital import CURVE, MEMBERS, Fit, HeldBack, fit, held_back, unseen
from study.travel import (
    ALL,
    BASELINE,
    Candidate,
    Inside,
    OneSeed,
    Outside,
    by_seed,
    candidates,
    inside,
    left_out_rows,
    out_of,
    posterior,
)
from study.travel_archive import Archive
from training.data import Row

JUDGED: Final = ("siim", "cohen")
"""The left-out sources that recipes are compared on. Both have COVID-19 and another label."""

SWABS: Final = "radiography"
"""The source where COVID-19 means a positive swab, even if the radiograph looks normal."""


@dataclass(frozen=True, slots=True)
class CalledNormal:
    """The COVID-19 training images of a source that a network trained without the source predicts as normal.

    `by_reading` has, by the radiologists' reading of an image ("" if there is none), the number of images and the share
    with p(normal) > 0.5.
    """

    run: str
    source: str
    snapshots: int
    complete: bool
    images: int
    share: float
    by_reading: Mapping[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class TravelReport:
    """`inside` and `outside` by condition and candidate. `archives` are all runs, also those without figures.

    `fitted` is the calibration for a new hospital, fitted on all left-out sources. `held_back` has, by target coverage,
    the results of such a calibration on each source that it was not fitted on. Both are None if too few sources were
    left out. `beside_baseline` is `held_back` for the candidate's first recipe with the baseline instead of the second
    recipe. `seeds` has the figures of bundles of the two recipes, by seed.
    """

    archives: tuple[Archive, ...]
    candidates: tuple[Candidate, ...]
    inside: Mapping[str, Mapping[str, Inside]]
    outside: Mapping[str, Mapping[str, Outside]]
    called_normal: tuple[CalledNormal, ...]
    fitted: Fit | None
    held_back: Mapping[float, Sequence[HeldBack]]
    beside_baseline: Sequence[HeldBack]
    seeds: Sequence[OneSeed]
    resamples: int

    @property
    def diverged(self) -> list[Archive]:
        """Runs whose loss became infinite or NaN. They have no snapshot."""
        return [one for one in self.archives if one.diverged is not None]

    @property
    def cut_off(self) -> list[Archive]:
        """Runs that ended before their last cycle."""
        return [one for one in self.archives if not one.complete and one.diverged is None]


def measure(
    rows: Sequence[Row], archives: Sequence[Archive], readings: Mapping[str, str], resamples: int = RESAMPLES
) -> TravelReport:
    """Compute all figures.

    Args:
        rows: the whole table.
        archives: all runs, also those without figures.
        readings: by file, the radiologists' reading; for `CalledNormal`.
        resamples: of patients, for intervals.

    Raises:
        DataError: archives do not fit the table or each other.
    """
    given = candidates(archives)
    conditions = list(dict.fromkeys(source for one in given for source in one.networks))
    swabs = [one for one in archives if one.config.leave_out == SWABS and one.left_out is not None]
    sources, others = unseen(rows, archives), unseen(rows, archives, (MEMBERS[0], BASELINE))
    return TravelReport(
        archives=tuple(archives),
        candidates=tuple(given),
        inside={source: inside(rows, given, source, resamples) for source in conditions},
        outside={source: out_of(rows, given, source, resamples) for source in conditions if source != ALL},
        called_normal=tuple(called_normal(rows, one, readings) for one in swabs),
        fitted=fit(sources.values()) if len(sources) > 1 else None,
        held_back={asked: held_back(sources, asked) for asked in CURVE if len(sources) > 1},
        beside_baseline=held_back(others) if len(others) > 1 else [],
        seeds=by_seed(rows, archives, *MEMBERS),
        resamples=resamples,
    )


def called_normal(rows: Sequence[Row], run: Archive, readings: Mapping[str, str]) -> CalledNormal:
    """For the COVID-19 training images of the source that a run left out; by the mean of all its snapshots."""
    judged = left_out_rows(rows, run.config.leave_out)
    said = posterior((run,), lambda one: one.left_out)[:, LABELS.index("normal")] > 0.5
    shown = [
        (readings.get(row.file, ""), normal)
        for row, normal in zip(judged, said, strict=True)
        if (row.split, row.label) == ("train", "covid19")
    ]
    by_reading: dict[str, list[bool]] = {}
    for reading, normal in shown:
        by_reading.setdefault(reading, []).append(bool(normal))
    return CalledNormal(
        run=run.name,
        source=run.config.leave_out,
        snapshots=len(run.val),
        complete=run.complete,
        images=len(shown),
        share=float(np.mean([normal for _, normal in shown])),
        by_reading={reading: (len(found), float(np.mean(found))) for reading, found in sorted(by_reading.items())},
    )
