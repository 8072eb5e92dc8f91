"""From the bytes of a file to a finding: the single path that command line, service and explainer share."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.lungs import Lungs, LungSegmenter, NoLungs, union
from cxr.arrays import Grey, Logits, Views
from cxr.decode import InstanceUIDs, Radiograph, decode
from cxr.errors import Unfamiliar
from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle
from cxr.model.frames import Placement, placement
from cxr.model.gate import GateKeeper, GatePolicy, Judgement
from cxr.model.inference import MAX_BATCH, Ensemble, PrecisionChoice
from cxr.model.posterior import RULES, EnsembleRule, prediction_set, softmax
from cxr.model.preprocess import preprocess, shrink
from cxr.model.views import batched

Probabilities = dict[Label, float]

NO_LUNGS: Final = (
    "No lungs could be outlined, so the whole image was classified, not only the lungs: this answer is less reliable."
)
UNFAMILIAR: Final = (
    "The image does not look like an upright frontal radiograph of a chest, as this model has seen them: "
    "this answer may mean nothing."
)


@dataclass(frozen=True, slots=True)
class MemberFinding:
    """One network's answer, at the bundle's temperature. `frame` is the part of the radiograph that it saw."""

    name: str
    architecture: str
    frame: str
    probabilities: Probabilities


@dataclass(frozen=True, slots=True)
class Finding:
    """The ensemble's answer for one radiograph.

    `probabilities` are calibrated and sum to 1; `prediction` is the label of the largest. `prediction_set` has the
    labels that cannot be ruled out at the bundle's coverage, and may be empty. `gate` is None if the bundle has no
    gate or it is off. `timings_ms` has the milliseconds of decode, preprocess and inference.
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
    gate: Judgement | None = None


class Stopwatch:
    """Total milliseconds of each stage, and its start by `time.perf_counter`."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}
        self.began: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block under a name, also if it raises."""
        start = time.perf_counter()
        self.began.setdefault(name, start)
        try:
            yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + (time.perf_counter() - start) * 1000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded file and the networks' inputs made from it.

    views:      [S, S] uint8 in each of the bundle's frames
    placements: the position of each frame on the radiograph
    lungs:      the segmenter's result; None if no frame needs lungs
    gate:       the gate's judgement; None if there is no gate or it is off
    mean_grey:  of the radiograph, 0 to 255
    watch:      how long it took
    """

    radiograph: Radiograph
    views: Views
    placements: Mapping[str, Placement]
    lungs: Lungs | NoLungs | None
    gate: Judgement | None
    mean_grey: float
    watch: Stopwatch

    def without_pixels(self) -> "Prepared":
        """The same without pixels, which is small enough to queue or to keep."""
        return replace(self, radiograph=self.radiograph.without_pixels())

    @property
    def no_lungs(self) -> bool:
        """Whether no lungs were found although a network's frame needs them."""
        return isinstance(self.lungs, NoLungs)

    @property
    def unfamiliar(self) -> bool:
        """Whether the gate judges the image unfamiliar."""
        return self.gate is not None and self.gate.verdict == "unfamiliar"

    @property
    def warnings(self) -> tuple[str, ...]:
        """The radiograph's own warnings, and those about missing lungs and an unfamiliar image."""
        own = (NO_LUNGS,) * self.no_lungs + (UNFAMILIAR,) * self.unfamiliar
        return (*self.radiograph.warnings, *own)


class Preprocessor:
    """Prepares files for a bundle's networks. Safe to call from several threads."""

    def __init__(self, bundle: Bundle, gated: bool = False) -> None:
        """Raises BundleError unless lung segmenter and gate, where needed, are the ones that the bundle describes.

        Args:
            bundle: exported.
            gated: whether the bundle's gate, if it has one, judges each image.
        """
        manifest = bundle.manifest
        self._gate = GateKeeper(bundle, manifest.gate) if manifest.gate and gated else None
        self._frames, self._recipe = manifest.frames, manifest.recipe
        self._segmenter = LungSegmenter(bundle, manifest.lungs) if manifest.lungs and manifest.sees_lungs else None

    def prepare(self, data: bytes) -> Prepared:
        """Decode a file and pre-process it.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        watch = Stopwatch()
        with watch.stage("decode"):
            radiograph = decode(data)
        with watch.stage("preprocess"):
            small = shrink(radiograph.pixels)
            views, lungs = self._views(small)
            judgement = self._gate.judge(small) if self._gate else None
            mask = union(lungs) if lungs else None
            placements = {frame: placement(frame, mask) for frame in views}
        return Prepared(radiograph, views, placements, lungs, judgement, float(small.mean()), watch)

    def views(self, pixels: Grey) -> tuple[Views, Lungs | NoLungs | None]:
        """A radiograph [H, W] in each frame, and the lungs that it was cut by, if a frame needs them.

        Raises:
            TooSmall: see `cxr.model.preprocess.preprocess`.
        """
        return self._views(shrink(pixels))

    def _views(self, small: Grey) -> tuple[Views, Lungs | NoLungs | None]:
        """The same for a radiograph that is shrunk already: once for segmenter, gate and frames."""
        lungs = self._segmenter.find(small) if self._segmenter else None
        mask = union(lungs) if lungs else None
        recipe, size = self._recipe.id, self._recipe.size
        return {frame: preprocess(small, recipe, size, frame, mask) for frame in self._frames}, lungs


class Classifier:
    """A verified bundle, loaded and ready. Safe to call from several threads."""

    def __init__(
        self,
        bundle: Bundle,
        threads: int | None = None,
        precision: PrecisionChoice = "auto",
        max_batch: int = MAX_BATCH,
        gate: GatePolicy = "warn",
        at_once: int | None = None,
    ) -> None:
        """Arguments and errors: see `Ensemble` and `Preprocessor`."""
        cv2.setNumThreads(1)  # callers have their own threads, which would wait for OpenCV's
        self.bundle = bundle
        self._refuses = gate == "refuse"
        self._preprocessor = Preprocessor(bundle, gated=gate != "off")
        self.ensemble = Ensemble(bundle, threads, precision, max_batch, at_once)

    def classify(self, data: bytes, alone: bool = True) -> Finding:
        """Classify one file: PNG, JPEG or DICOM Part 10.

        Args:
            data: its bytes.
            alone: see `Ensemble.logits`.

        Raises:
            Refusal: the bytes cannot be classified; its class says why.
        """
        return self.infer(self.prepare(data), alone)

    def prepare(self, data: bytes, keep: Callable[[Grey], Grey] | None = None) -> Prepared:
        """The first half of `classify`, for callers that run the second half elsewhere.

        To keep the result small, it contains only the pixels that `keep` returns for the radiograph's pixels [H, W];
        by default none.
        """
        prepared = self._preprocessor.prepare(data)
        if self._refuses and prepared.unfamiliar:
            raise Unfamiliar
        radiograph = prepared.radiograph
        with prepared.watch.stage("preprocess"):
            small = radiograph.with_pixels(keep(radiograph.pixels)) if keep else radiograph.without_pixels()
        return replace(prepared, radiograph=small)

    def warm_up(self, data: bytes) -> None:
        """Classify a file, whatever the gate's verdict, so that everything is loaded before the first request."""
        self.infer(self._preprocessor.prepare(data))

    def infer(self, prepared: Prepared, alone: bool = True) -> Finding:
        """The second half of `classify`."""
        with prepared.watch.stage("inference"):
            logits = self.ensemble.logits(batched([prepared.views]), alone)
        return self.conclude(prepared, logits)

    def conclude(self, prepared: Prepared, logits: Logits) -> Finding:
        """The finding for a prepared file and the members' logits [M, 1, 3], for callers that run the networks."""
        manifest = self.bundle.manifest
        radiograph = prepared.radiograph
        members = softmax(logits, manifest.temperature)
        posterior = RULES[manifest.ensemble](members)[0]
        return Finding(
            prediction=LABELS[int(posterior.argmax())],
            probabilities=named(posterior),
            prediction_set=prediction_set(posterior, manifest.conformal.thresholds),
            members=tuple(
                MemberFinding(member.name, member.architecture, member.frame, named(p))
                for member, p in zip(manifest.members, members[:, 0], strict=True)
            ),
            ensemble=manifest.ensemble,
            media_type=radiograph.media_type,
            instance=radiograph.instance,
            warnings=prepared.warnings,
            timings_ms=prepared.watch.timings_ms,
            gate=prepared.gate,
        )


def named(posterior: NDArray[np.float64]) -> Probabilities:
    """[3] → {label: probability}."""
    return {label: float(p) for label, p in zip(LABELS, posterior, strict=True)}
