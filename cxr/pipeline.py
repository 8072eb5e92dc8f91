"""From the bytes of a file to a finding: the one path that the command line, the service and its explainer share."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.decode import InstanceUIDs, Radiograph, decode
from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle, Precision
from cxr.model.inference import MAX_BATCH, Ensemble
from cxr.model.posterior import EnsembleRule, combine, prediction_set, softmax
from cxr.model.preprocess import preprocess

Probabilities = dict[Label, float]


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
    """What is known of a decoded file (no pixels), [S, S] uint8 for the networks, and how long that took."""

    radiograph: Radiograph
    image: NDArray[np.uint8]
    watch: Stopwatch


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
        self.ensemble = Ensemble(bundle, threads, precision, max_batch)
        self._lock = Lock()
        self._working = 0

    def classify(self, data: bytes) -> Finding:
        """Classify one file: PNG, JPEG or DICOM Part 10.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        with self._work():
            return self._infer(self._prepare(data))

    def prepare(self, data: bytes) -> "Prepared":
        """The first half of `classify`, for those who have it done in a thread of its own. What waits is small."""
        with self._work():
            return self._prepare(data)

    def infer(self, prepared: "Prepared") -> Finding:
        """The second half of `classify`."""
        with self._work():
            return self._infer(prepared)

    def conclude(self, prepared: "Prepared", logits: NDArray[np.float32]) -> Finding:
        """What the members' logits [M, 1, 3] say of a prepared file: for those who run the networks themselves."""
        manifest = self.bundle.manifest
        radiograph = prepared.radiograph
        posterior = combine(logits, manifest.temperature, manifest.ensemble)[0]
        members = softmax(logits[:, 0], manifest.temperature)
        return Finding(
            prediction=LABELS[int(posterior.argmax())],
            probabilities=named(posterior),
            prediction_set=prediction_set(posterior, manifest.conformal.thresholds),
            members=tuple(
                MemberFinding(member.name, member.architecture, named(p))
                for member, p in zip(manifest.members, members, strict=True)
            ),
            ensemble=manifest.ensemble,
            media_type=radiograph.media_type,
            instance=radiograph.instance,
            warnings=radiograph.warnings,
            timings_ms=prepared.watch.timings_ms,
        )

    def _prepare(self, data: bytes) -> "Prepared":
        watch = Stopwatch()
        radiograph, image = prepare(data, self.bundle, watch)
        return Prepared(radiograph.without_pixels(), image, watch)

    def _infer(self, prepared: "Prepared") -> Finding:
        with prepared.watch.stage("inference"):
            logits = self.ensemble.logits(prepared.image[np.newaxis], alone=self._working == 1)
        return self.conclude(prepared, logits)

    @contextmanager
    def _work(self) -> Iterator[None]:
        """Counted inside: a file that is being decoded needs a core as one in its network does."""
        with self._lock:
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1


def prepare(data: bytes, bundle: Bundle, watch: Stopwatch) -> tuple[Radiograph, NDArray[np.uint8]]:
    """Decode a file and pre-process it as the bundle's networks expect: (radiograph, [S, S] uint8)."""
    with watch.stage("decode"):
        radiograph = decode(data)
    with watch.stage("preprocess"):
        recipe = bundle.manifest.recipe
        image = preprocess(radiograph.pixels, recipe.id, recipe.size)
    return radiograph, image


def named(posterior: NDArray[np.float64]) -> Probabilities:
    """[3] → {label: probability}."""
    return {label: float(p) for label, p in zip(LABELS, posterior, strict=True)}
