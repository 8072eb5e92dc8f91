"""Simulate the recalibration by `cxr site` with `siim` as the new hospital, and measure it on the other images.

    python -m scripts.travel.site --images 200

The predictions for its training and validation images come from networks trained without `siim` (`docs/travel/runs`).
Some random images play the site's labelled ones: a calibration is fitted on them as by `cxr site`, and measured on all
others.
"""

from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer

from cxr.arrays import Floats, Mask
from cxr.labels import LABELS
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.model.posterior import combine
from evaluation import metrics
from study.new_hospital import Unseen, unseen
from study.new_hospital import fit as fit_elsewhere
from study.site.needs import needs
from study.site.recalibrate import Fitted, Shipped, fit
from study.travel_archive import unpack
from training.data import DEFAULT_DATA, read_table, table_sha256

SITE: Final = "siim"
RUNS: Final = Path(__file__).parents[2] / "docs" / "travel" / "runs"


def main(
    images: Annotated[int, typer.Option(help="Labelled images of the site.")] = 200,
    draws: Annotated[int, typer.Option(help="Number of random draws.")] = 10,
    data: Path = DEFAULT_DATA,
) -> None:
    """Print coverage by label, set size and ECE on the other images, as shipped and recalibrated, for each draw."""
    sources = unseen(read_table(data), unpack(RUNS, table_sha256(data)))
    here = sources.pop(SITE)
    elsewhere = fit_elsewhere(sources.values())
    shipped = Shipped(
        "scpa", elsewhere.temperature, Bundle(DEFAULT_BUNDLE).manifest.conformal.coverage, elsewhere.thresholds
    )
    before = Fitted(shipped.temperature, dict(shipped.thresholds), ())
    print("draw     images      " + "  ".join(f"{name:>18}" for name in _NAMES))
    rng, found = np.random.default_rng(0), []
    for draw in range(draws):
        chosen = np.zeros(len(here.labels), bool)
        chosen[rng.choice(len(chosen), images, replace=False)] = True
        fitted = fit(here.logits[:, chosen], here.labels[chosen], shipped)
        found.append((_judged(here, ~chosen, before), _judged(here, ~chosen, fitted)))
        counts = {label: int((here.labels[chosen] == index).sum()) for index, label in enumerate(LABELS)}
        pairs = "  ".join(f"{old:8.3f} → {new:7.3f}" for old, new in zip(*found[-1], strict=True))
        print(f"{draw:4}  {'/'.join(map(str, counts.values())):>11}      {pairs}")
    old, new = np.array([one for one, _ in found]), np.array([one for _, one in found])
    for said, of in (("mean", np.mean), ("least", np.min), ("most", np.max)):
        pairs = "  ".join(f"{a:8.3f} → {b:7.3f}" for a, b in zip(of(old, axis=0), of(new, axis=0), strict=True))
        print(f"{said:>5} {'':>16}{pairs}")
    for need in needs(counts):
        if need.missing:
            print(f"{need.figure}: {need.missing} more images needed, has {need.has} of {need.needs}")


_NAMES: Final = ("coverage of normal", "coverage of covid19", "labels in a set", "ECE")


def _judged(here: Unseen, rest: Mask, fitted: Fitted) -> tuple[float, ...]:
    """The figures named in `_NAMES`."""
    labels, posterior = here.labels[rest], combine(here.logits[:, rest], fitted.temperature, "scpa")
    in_set = fitted.in_set(posterior)
    coverage = (float(in_set[labels == index, index].mean()) for index in (0, 2))
    error: Floats = metrics.calibration_error(posterior, labels)
    return *coverage, float(in_set.sum(axis=1).mean()), float(error[0])


if __name__ == "__main__":
    typer.run(main)
