"""All figures of docs/travel.md, and who is not among them."""

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
"""The sources by whose leaving out recipes are compared; both have COVID-19 beside another label."""

SWABS: Final = "radiography"
"""The source whose COVID-19 is a positive swab, whatever the radiograph shows."""


@dataclass(frozen=True, slots=True)
class CalledNormal:
    """Of a source's COVID-19 training images, how many a network that left the source out calls normal.

    `by_reading` holds, by what radiologists said of an image ("" where nobody read it), the number of images and the
    share to which p(normal) > 0.5 is given.
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
    """`inside` and `outside` by condition and candidate; `archives` are all runs, those without figures too.

    `fitted` is the calibration for a new hospital on all sources that were left out, `held_back`, by the coverage asked
    for, what such a calibration gives on each source that it was not fitted on. None where too few were left out.
    `beside_baseline` is `held_back` of the candidate's first recipe with the baseline in the second one's
    place, `seeds` what bundles of its two recipes would be.
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
        """Runs whose loss ceased to be finite; they have no snapshot."""
        return [one for one in self.archives if one.diverged is not None]

    @property
    def cut_off(self) -> list[Archive]:
        """Runs that ended before their last cycle."""
        return [one for one in self.archives if not one.complete and one.diverged is None]


def measure(
    rows: Sequence[Row], archives: Sequence[Archive], readings: Mapping[str, str], resamples: int = RESAMPLES
) -> TravelReport:
    """Every figure there is.

    Args:
        rows: the whole table.
        archives: all runs, those without figures too.
        readings: by file what radiologists said of it; for `CalledNormal`.
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
    """Of the COVID-19 training images of the source that a run left out; the mean of its snapshots, however many."""
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
