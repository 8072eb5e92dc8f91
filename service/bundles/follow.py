"""Replace the bundle without losing a request: once CXR_BUNDLE names another folder, that bundle is served.

A thread loads the new bundle beside the old one, verifies it, warms it up and compares it with its golden answers. The
explainer loads it too. Then one assignment swaps them. If anything fails before that, the old bundle stays.
"""

import asyncio
import logging
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cxr.errors import BundleError, NoRoom, NotServable
from cxr.memory import available_bytes, give_back
from cxr.model.bundle import Bundle
from service.bundles.link import LastServed, Link
from service.bundles.served import Served, load
from service.metrics import Metrics
from service.settings import Settings

logger = logging.getLogger("cxr.service")

CHECK_S: Final = 1.0
ROOM: Final = 8
"""Bytes that must be available for each byte of a new bundle's weights. Loading two ResNet-18s of 45 MB took 290 MB
in the API and a few in the explainer."""


class Explainer(Protocol):
    """The part of the explainer's client that this module needs."""

    async def adopt(self, root: Path, sha256: str) -> bool: ...


class Bundles:
    """The served bundle (`served`) and its replacement. Only the task of `follow` changes them."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Explainer, working: Callable[[], int]) -> None:
        """Load the bundle that CXR_BUNDLE names. If that fails, load the one served before this worker was restarted.

        Raises:
            BundleError: neither can be served.
        """
        self._settings, self._metrics, self._explainer, self._working = settings, metrics, explainer, working
        self._link, self._last = Link(settings.bundle), LastServed()
        self._known = False  # the explainer must be told about the served bundle
        self._gone: weakref.ref[Served] | None = None  # the previous bundle, until its last request has ended
        self._serve(self._first())

    def follow(self) -> None:
        """Serve what CXR_BUNDLE names from now on, until the running event loop ends."""
        self._following = asyncio.get_running_loop().create_task(self._follow())

    async def check(self) -> None:
        """Check once: swap if the link was replaced, and tell the explainer about a bundle that it does not hold."""
        if await asyncio.to_thread(self._link.moved):  # a network disk may be slow
            await self._swap(self._link.target)
        if not self._known:
            await self._tell(self.served)
        if self._gone is not None and self._gone() is None:
            self._gone = None
            await asyncio.to_thread(give_back)

    def unknown(self) -> None:
        """Tell the explainer again about the served bundle: it did not hold the one that it was asked about."""
        self._known = False

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.check()
            except Exception as error:  # otherwise the link would not be watched any more
                logger.error("checking the bundle link failed: %s", type(error).__qualname__)

    def _first(self) -> Served:
        target, before = self._link.target, self._last.read()
        try:
            return load(target, self._settings, self._working, proved=before not in (None, target))
        except Exception as error:
            if before in (None, target):
                raise
            self._refuse(target, error, f"{before} was served before")
            return load(before, self._settings, self._working, proved=False)

    async def _swap(self, target: Path) -> None:
        try:
            new = await asyncio.to_thread(self._load, target)
            known = await self._explainer.adopt(new.root, new.sha256)
        except Exception as error:
            self._refuse(target, error, f"{self.served.name} stays")
            return
        self._metrics.swapped()
        self._gone = weakref.ref(self.served)
        self._serve(new)
        self._known = known

    def _load(self, target: Path) -> Served:
        """Load a bundle that may replace the served one. Runs in a thread."""
        self._check_room(target)
        with self.served.paused():
            new = load(target, self._settings, self._working, proved=True)
        self._check_device(new)
        return new

    def _serve(self, new: Served) -> None:
        self.served = new
        self._last.note(new.root)
        ensemble = new.classifier.ensemble
        self._metrics.served(new.manifest, new.sha256, ensemble.provider, ensemble.precision)
        logger.info("serving bundle %s from %s, SHA-256 %s", new.name, new.root, new.sha256)

    async def _tell(self, served: Served) -> None:
        try:
            self._known = await self._explainer.adopt(served.root, served.sha256)
        except BundleError as error:
            logger.error("the explainer cannot explain the served bundle: %s", error)

    def _refuse(self, target: Path, error: Exception, what_else: str) -> None:
        """Log the error's text: it is about the operator's own files and contains no client's data."""
        self._metrics.swap_failed()
        reason = str(error) if isinstance(error, BundleError) else type(error).__qualname__
        logger.error("the bundle in %s cannot be served, %s: %s", target, what_else, reason)

    def _check_room(self, target: Path) -> None:
        """Raises NoRoom unless two bundles fit into memory: requests in progress still use the old one."""
        stored = Bundle(target, self._settings.bundle_key).manifest.stored
        needed = ROOM * sum((target / "weights" / one.weights).stat().st_size for one in stored)
        if needed > (available := available_bytes()):
            raise NoRoom(
                f"loading it takes {needed / 2**20:.0f} MiB, {ROOM} times its weights, and {available / 2**20:.0f} are "
                "available. Give the service more memory, or restart it"
            )

    def _check_device(self, new: Served) -> None:
        """Raises NotServable if the new bundle runs on another device or in another precision, as on a full GPU."""
        runs, ran = new.classifier.ensemble, self.served.classifier.ensemble
        if (runs.provider, runs.precision) != (ran.provider, ran.precision):
            raise NotServable(
                f"it computes in {runs.precision} by {runs.provider}, and the served one in "
                f"{ran.precision} by {ran.provider}: restart the service to serve it"
            )
