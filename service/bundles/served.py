"""A bundle that is loaded, warm and has proved itself. It does not change: what changes is which one is served."""

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
    """One bundle. A request takes it at its begin and keeps it to its end, whatever is served by then."""

    def __init__(self, classifier: Classifier, working: Callable[[], int]) -> None:
        """
        Args:
            classifier: its bundle's.
            working: how many files are being worked on, in any bundle.
        """
        self.classifier = classifier
        self._working = working
        ensemble = classifier.ensemble
        self._batcher: Batcher | None = None
        if ensemble.max_batch > 1:
            self._batcher = Batcher(ensemble.logits, ensemble.max_batch, working)
            weakref.finalize(self, self._batcher.close)  # when the last request has let go of it

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
        """Of bundle.json, by which the explainer knows the model."""
        return self.bundle.sha256

    @property
    def name(self) -> str:
        """For the log."""
        return f"{self.manifest.name} {self.manifest.version}"

    def infer(self, image: Views, alone: bool) -> "Future[Logits]":
        """One image [S, S] in each frame → [M, 1, 3]: in a batch with others, or in the thread that asks.

        `alone`: see `cxr.model.inference.Ensemble.logits`.
        """
        if self._batcher is not None:
            return self._batcher.submit(image)
        done: Future[Logits] = Future()
        done.set_result(self.classifier.ensemble.logits(batched([image]), alone=alone))
        return done

    def paused(self) -> AbstractContextManager[None]:
        """While another bundle is loaded: a GPU that captures its graphs wants no other work (`cxr.model.cuda`)."""
        return self._batcher.paused() if self._batcher is not None else nullcontext()


def load(root: Path, settings: Settings, working: Callable[[], int], proved: bool) -> Served:
    """Load a bundle and warm it up.

    Args:
        root: its folder, no link: what is read later must be of the same bundle.
        settings: key, precision, threads and the like.
        working: see `Served`.
        proved: whether every byte and the golden answers must be right, as of one that replaces another. At a start
            the supervisor has seen to the bytes.

    Raises:
        BundleError: it is not what its manifest says, or not what was signed; or it does not say what it should.
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
    """A picture of a gradient: what the warm-up classifies."""
    ramp = np.linspace(0, 255, 256, dtype=np.uint8)
    ok, png = cv2.imencode(".png", np.tile(ramp, (256, 1)))
    assert ok
    return png.tobytes()
