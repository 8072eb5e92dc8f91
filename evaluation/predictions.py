"""A bundle's predictions for a data set, and the images that it was not calibrated on."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from cxr.arrays import Floats, Ints, Logits, Mask
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.inference import Ensemble
from cxr.model.posterior import combine, prediction_set
from cxr.model.views import parts_of
from evaluation.bundle_images import BundleImages
from training.data import Row

BATCH: Final = 16


@dataclass(frozen=True, slots=True)
class Predictions:
    """N images and the ensemble's predictions.

    `posterior` [N, K] is calibrated, `uncalibrated` [N, K] is at temperature 1, `in_set` [N, K] has the labels of the
    prediction sets, and `held_out` [N] the images that were not used to fit temperature or thresholds. `provider` is
    onnxruntime's execution provider.
    """

    rows: tuple[Row, ...]
    labels: Ints
    posterior: Floats
    uncalibrated: Floats
    in_set: Mask
    held_out: Mask
    provider: str

    @property
    def sources(self) -> NDArray[np.str_]:
        """[N] the source of each image."""
        return np.array([row.source for row in self.rows])

    @property
    def patients(self) -> list[str]:
        """[N] the patient of each image."""
        return [row.patient for row in self.rows]


def predictions(bundle: Bundle, data: BundleImages, calibration_rows: tuple[Row, ...]) -> Predictions:
    """Run a bundle's graphs over images prepared for it.

    Args:
        bundle: exported.
        data: the images.
        calibration_rows: the rows that fitted the bundle's temperature and thresholds; empty if not available.
    """
    manifest, ensemble = bundle.manifest, Ensemble(bundle, precision="float32")
    logits = logits_of(ensemble, data)
    posterior = combine(logits, manifest.temperature, manifest.ensemble)
    sets = [prediction_set(p, manifest.conformal.thresholds) for p in posterior]
    fitted = set(calibration_rows)
    return Predictions(
        rows=data.rows,
        labels=data.labels,
        posterior=posterior,
        uncalibrated=combine(logits, 1.0, manifest.ensemble),
        in_set=np.array([[label in kept for label in LABELS] for kept in sets]),
        held_out=np.array([row not in fitted for row in data.rows]),
        provider=ensemble.provider,
    )


def logits_of(ensemble: Ensemble, data: BundleImages) -> Logits:
    """[M, N, 3] logits of the members, by the graphs that the service runs."""
    batches, total = parts_of(data.views, BATCH), math.ceil(len(data.rows) / BATCH)
    logits = [ensemble.logits(batch) for batch in track(batches, "predicting", total=total, transient=True)]
    return np.concatenate(logits, axis=1)
