"""A bundle that is loaded, warmed up and verified. The object does not change; a new bundle is a new object."""

import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import cv2
import numpy as np

from cxr.arrays import Logits, Views
from cxr.model import signature
from cxr.model.bundle import Bundle, Manifest
from cxr.model.golden import check_golden
from cxr.model.views import batched
from cxr.pipeline import Classifier
from service.batching import Batcher
from service.settings import Settings
from service.verify import verify


class Served:
    """One bundle. A request uses the same bundle from its start to its end, even if another one is served meanwhile."""

    def __init__(self, classifier: Classifier, working: Callable[[], int]) -> None:
        """
        Args:
            classifier: the bundle's classifier.
            working: returns the number of files being processed, with any bundle.
        """
        self.classifier = classifier
        self._working = working
        ensemble = classifier.ensemble
        self._batcher: Batcher | None = None
        if ensemble.max_batch > 1:
            self._batcher = Batcher(ensemble.logits, ensemble.max_batch, working)
            weakref.finalize(self, self._batcher.close)  # when no request uses it any more

    @property
    def bundle(self) -> Bundle:
        return self.classifier.bundle

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    @property
    def root(self) -> Path:
        return self.bundle.root

    @property
    def sha256(self) -> str:
        """SHA-256 of bundle.json, by which the explainer identifies the model."""
        return self.bundle.sha256

    @property
    def name(self) -> str:
        """Name and version, for the log."""
        return f"{self.manifest.name} {self.manifest.version}"

    def infer(self, image: Views, alone: bool) -> "Future[Logits]":
        """Logits [M, 1, 3] of one image, [S, S] uint8 in each frame: in a batch with others, or in the caller's thread.

        `alone`: see `cxr.model.inference.Ensemble.logits`.
        """
        if self._batcher is not None:
            return self._batcher.submit(image)
        done: Future[Logits] = Future()
        done.set_result(self.classifier.ensemble.logits(batched([image]), alone=alone))
        return done

    def paused(self) -> AbstractContextManager[None]:
        """A context for loading another bundle: nothing else may run while a GPU captures graphs (`cxr.model.cuda`)."""
        return self._batcher.paused() if self._batcher is not None else nullcontext()


def load(root: Path, settings: Settings, working: Callable[[], int], proved: bool) -> Served:
    """Load a bundle and warm it up.

    Args:
        root: its folder, not a link, so that files that are read later belong to the same bundle.
        settings: key, precision, threads and the like.
        working: see `Served`.
        proved: whether to verify every byte and the golden answers, as for a bundle that replaces another. At a start
            the supervisor has already verified the bytes.

    Raises:
        BundleError: it does not match its manifest or its signature, or its answers are not the golden ones.
    """
    bundle = Bundle(root, settings.bundle_key)
    if proved:
        if settings.bundle_key:
            signature.verify(root, settings.bundle_key)
        verify(bundle, settings.precision)
    classifier = Classifier(bundle, settings.threads, settings.precision, settings.batch, settings.gate)
    classifier.warm_up(synthetic_png())
    if proved:
        check_golden(bundle, classifier.ensemble)
    return Served(classifier, working)


def synthetic_png() -> bytes:
    """A PNG of a gradient, 256 × 256 pixels, for the warm-up."""
    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    ok, png = cv2.imencode(".png", np.tile(ramp, (256, 1)))
    assert ok
    return png.tobytes()
