"""Example cases of a split: right, wrong and uncertain ones, with the maps of all three methods.

They are not hand-picked: of each kind those with the smallest hash of the file name come first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from PIL import Image
from rich.progress import track

from attribution.explain import Explainer
from cxr.arrays import Floats
from cxr.labels import DISPLAY_NAMES, LABELS
from cxr.model.bundle import Bundle
from cxr.model.posterior import prediction_set
from cxr.pipeline import Classifier
from cxr.report.explanation import PAPERS
from cxr.report.wording import figure
from training.data import Row, hashed_order

CaseKind = Literal["right", "wrong", "uncertain", "worst"]

EACH: Final = 3
WIDTH: Final = 1200  # pixels


@dataclass(frozen=True, slots=True)
class Case:
    """One radiograph with its maps (a PNG, to be protected like the data), and a caption."""

    kind: CaseKind
    file: str
    panel_png: bytes
    caption: str


def gallery(bundle: Bundle, folder: Path, rows: Sequence[Row], posterior: Floats) -> list[Case]:
    """Three cases of each kind, or as many as there are.

    Right: the prediction is the label, and the prediction set contains nothing else; one case for each label. Wrong:
    the prediction is not the label. Uncertain: the set does not have exactly one label.

    Args:
        bundle: exported.
        folder: the folder of the rows' files.
        rows: N rows of a split.
        posterior: [N, 3] the bundle's calibrated probabilities for them.
    """
    return _cases(bundle, folder, rows, posterior, choose(bundle, rows, posterior))


def worst_cases(bundle: Bundle, folder: Path, rows: Sequence[Row], posterior: Floats, count: int) -> list[Case]:
    """The cases whose true label got the smallest probability, smallest first. Arguments as for `gallery`."""
    own = [float(posterior[index, LABELS.index(row.label)]) for index, row in enumerate(rows)]
    chosen: list[tuple[CaseKind, int]] = [("worst", int(index)) for index in np.argsort(own, kind="stable")[:count]]
    return _cases(bundle, folder, rows, posterior, chosen)


def _cases(
    bundle: Bundle, folder: Path, rows: Sequence[Row], posterior: Floats, chosen: Sequence[tuple[CaseKind, int]]
) -> list[Case]:
    """Make the cases with their maps."""
    classifier, explainer = Classifier(bundle, precision="float32"), Explainer(bundle)
    cases = []
    for kind, index in track(chosen, "gallery", transient=True):
        row = rows[index]
        data = (folder / row.file).read_bytes()
        panel = explainer.panel(data, classifier.classify(data), "predicted", methods=PAPERS)
        cases.append(Case(kind, row.file, smaller(panel.overlay), _caption(kind, row, posterior[index])))
    return cases


def smaller(panel: Image.Image) -> bytes:
    """A PNG of width `WIDTH` with maximum compression, because a page contains nine of them."""
    picture = cv2.cvtColor(np.asarray(panel), cv2.COLOR_RGB2BGR)
    height = round(picture.shape[0] * WIDTH / picture.shape[1])
    shrunk = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", shrunk, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def choose(bundle: Bundle, rows: Sequence[Row], posterior: Floats) -> list[tuple[CaseKind, int]]:
    """The kinds and rows of a gallery's cases."""
    order = hashed_order(rows)
    predicted = [LABELS[int(best)] for best in np.argmax(posterior, axis=1)]
    sets = [prediction_set(p, bundle.manifest.conformal.thresholds) for p in posterior]
    right = [index for index in order if predicted[index] == rows[index].label and sets[index] == (predicted[index],)]
    wrong = [index for index in order if predicted[index] != rows[index].label]
    uncertain = [index for index in order if len(sets[index]) != 1]
    one_a_label = [next((index for index in right if rows[index].label == label), None) for label in LABELS]
    chosen: list[tuple[CaseKind, Iterable[int]]] = [
        ("right", [index for index in one_a_label if index is not None]),
        ("wrong", wrong[:EACH]),
        ("uncertain", [index for index in uncertain if index not in wrong[:EACH]][:EACH]),
    ]
    return [(kind, index) for kind, indices in chosen for index in indices]


def _caption(kind: CaseKind, row: Row, p: Floats) -> str:
    best = int(np.argmax(p))
    called = (
        f"{DISPLAY_NAMES[row.label]} of {row.source}, called {DISPLAY_NAMES[LABELS[best]]} ({figure(float(p[best]))})"
    )
    return f"{called}." if kind == "worst" else f"{kind.capitalize()}: {called}."
