"""From the bytes of a file to a finding: the one path that the command line, the service and its explainer share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.lungs import Lungs, LungSegmenter, NoLungs, union
from cxr.decode import InstanceUIDs, Radiograph, decode
from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle, Precision
from cxr.model.frames import FULL, Placement, placement
from cxr.model.inference import MAX_BATCH, Ensemble
from cxr.model.posterior import RULES, EnsembleRule, prediction_set, softmax
from cxr.model.preprocess import preprocess, shrink

Probabilities = dict[Label, float]

NO_LUNGS: Final = (
    "No lungs could be outlined, so the whole image was judged and not the lungs alone: this answer is less reliable."
)


@dataclass(frozen=True, slots=True)
class MemberFinding:
    """What one network says, at the bundle's temperature."""

    name: str
    architecture: str
    probabilities: Probabilities


@dataclass(frozen=True, slots=True)
class Finding:
    """The ensemble's answer for one radiograph.

    `probabilities` are calibrated and sum to 1; `prediction` is their largest. `prediction_set` holds the labels
    that cannot be ruled out at the bundle's coverage and may be empty. `timings_ms` has the milliseconds of
    decode, preprocess and inference.
    """

    prediction: Label
    probabilities: Probabilities
    prediction_set: tuple[Label, ...]
    members: tuple[MemberFinding, ...]
    ensemble: EnsembleRule
    media_type: str
    instance: InstanceUIDs | None
    warnings: tuple[str, ...]
    timings_ms: dict[str, float]


class Stopwatch:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block under a name; a block that raises is timed too."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[name] = (time.perf_counter() - start) * 1000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded file and what the networks see of it.

    image:     [S, S] uint8
    placement: where on the radiograph that lies
    lungs:     what the segmenter found; None where the bundle's frame needs no lungs
    watch:     how long it took
    """

    radiograph: Radiograph
    image: NDArray[np.uint8]
    placement: Placement
    lungs: Lungs | NoLungs | None
    watch: Stopwatch

    @property
    def warnings(self) -> tuple[str, ...]:
        """The radiograph's, and that no lungs were found where the networks should see nothing else."""
        return (*self.radiograph.warnings, NO_LUNGS) if isinstance(self.lungs, NoLungs) else self.radiograph.warnings


class Preprocessor:
    """A bundle's way from a file to what its networks see. Safe to call from several threads."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises BundleError unless the lung segmenter, where the frame needs it, is the one described."""
        manifest = bundle.manifest
        self._frame, self._recipe = manifest.frame, manifest.recipe
        self._segmenter = LungSegmenter(bundle, manifest.lungs) if manifest.lungs and manifest.frame != FULL else None

    def prepare(self, data: bytes) -> Prepared:
        """Decode a file and pre-process it.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        watch = Stopwatch()
        with watch.stage("decode"):
            radiograph = decode(data)
        with watch.stage("preprocess"):
            small = shrink(radiograph.pixels)  # once, for segmenter and network
            lungs = self._segmenter.find(small) if self._segmenter else None
            mask = union(lungs) if lungs else None
            image = preprocess(small, self._recipe.id, self._recipe.size, self._frame, mask)
        return Prepared(radiograph, image, placement(self._frame, mask), lungs, watch)


class Classifier:
    """A verified bundle, loaded and ready. Safe to call from several threads."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        precision: Precision | None = None,
        max_batch: int = MAX_BATCH,
    ) -> None:
        """Raises BundleError unless every graph is the one that the bundle describes. Arguments: see `Ensemble`."""
        cv2.setNumThreads(1)  # callers have threads of their own, which would wait for those of OpenCV
        self.bundle = bundle
        self._preprocessor = Preprocessor(bundle)
        self.ensemble = Ensemble(bundle, threads, precision, max_batch)

    def classify(self, data: bytes, alone: bool = True) -> Finding:
        """Classify one file: PNG, JPEG or DICOM Part 10.

        Args:
            data: its bytes.
            alone: see `Ensemble.logits`.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        return self.infer(self.prepare(data), alone)

    def prepare(self, data: bytes) -> Prepared:
        """The first half of `classify`, for those who have it done elsewhere. What waits is small: it has no pixels."""
        prepared = self._preprocessor.prepare(data)
        return replace(prepared, radiograph=prepared.radiograph.without_pixels())

    def infer(self, prepared: Prepared, alone: bool = True) -> Finding:
        """The second half of `classify`."""
        with prepared.watch.stage("inference"):
            logits = self.ensemble.logits(prepared.image[np.newaxis], alone)
        return self.conclude(prepared, logits)

    def conclude(self, prepared: Prepared, logits: NDArray[np.float32]) -> Finding:
        """What the members' logits [M, 1, 3] say of a prepared file: for those who run the networks themselves."""
        manifest = self.bundle.manifest
        radiograph = prepared.radiograph
        members = softmax(logits, manifest.temperature)
        posterior = RULES[manifest.ensemble](members)[0]
        return Finding(
            prediction=LABELS[int(posterior.argmax())],
            probabilities=named(posterior),
            prediction_set=prediction_set(posterior, manifest.conformal.thresholds),
            members=tuple(
                MemberFinding(member.name, member.architecture, named(p))
                for member, p in zip(manifest.members, members[:, 0], strict=True)
            ),
            ensemble=manifest.ensemble,
            media_type=radiograph.media_type,
            instance=radiograph.instance,
            warnings=prepared.warnings,
            timings_ms=prepared.watch.timings_ms,
        )


def named(posterior: NDArray[np.float64]) -> Probabilities:
    """[3] → {label: probability}."""
    return {label: float(p) for label, p in zip(LABELS, posterior, strict=True)}
