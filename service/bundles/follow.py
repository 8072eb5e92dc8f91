"""A new bundle without a lost request: CXR_BUNDLE names another folder, and from then on that one is served.

The new one is loaded beside the old one in a thread, verified, warmed up and compared with its golden answers; the
explainer loads it too; then one assignment swaps them. Whatever goes wrong before that, the old one stays.
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
    """The line to the explainer."""

    async def adopt(self, root: Path, sha256: str) -> bool: ...


class Bundles:
    """The bundle that is served, `served`, and what may replace it. There is one writer: the task of `follow`."""

    def __init__(self, settings: Settings, metrics: Metrics, explainer: Explainer, working: Callable[[], int]) -> None:
        """Load what CXR_BUNDLE names; where that fails, what was served before this worker was started again.

        Raises:
            BundleError: neither can be served.
        """
        self._settings, self._metrics, self._explainer, self._working = settings, metrics, explainer, working
        self._link, self._last = Link(settings.bundle), LastServed()
        self._known = False  # to the explainer
        self._gone: weakref.ref[Served] | None = None  # the one before, until its last request has ended
        self._serve(self._first())

    def follow(self) -> None:
        """From now on, for as long as the running event loop, serve what CXR_BUNDLE names."""
        self._following = asyncio.get_running_loop().create_task(self._follow())

    async def check(self) -> None:
        """Look once: swap if the link has been replaced, and tell the explainer what it does not know yet."""
        if await asyncio.to_thread(self._link.moved):  # a disk of the network may keep it waiting
            await self._swap(self._link.target)
        if not self._known:
            await self._tell(self.served)
        if self._gone is not None and self._gone() is None:
            self._gone = None
            await asyncio.to_thread(give_back)

    def unknown(self) -> None:
        """The explainer did not know the bundle that it was asked about: it is told again."""
        self._known = False

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.check()
            except Exception as error:  # or nobody would follow any more
                logger.error("the bundle was not followed: %s", type(error).__qualname__)

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
        """In a thread: what may replace the one that is served."""
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
        logger.info("bundle %s from %s is served, SHA-256 %s", new.name, new.root, new.sha256)

    async def _tell(self, served: Served) -> None:
        try:
            self._known = await self._explainer.adopt(served.root, served.sha256)
        except BundleError as error:
            logger.error("the explainer cannot explain what is served: %s", error)

    def _refuse(self, target: Path, error: Exception, what_else: str) -> None:
        """No client's data is near: the text of an error is of the operator's own files."""
        self._metrics.swap_failed()
        reason = str(error) if isinstance(error, BundleError) else type(error).__qualname__
        logger.error("the bundle in %s is not served, %s: %s", target, what_else, reason)

    def _check_room(self, target: Path) -> None:
        """Raises NoRoom unless two bundles fit into memory, for as long as requests hold on to the old one."""
        stored = Bundle(target, self._settings.bundle_key).manifest.stored
        needed = ROOM * sum((target / "weights" / one.weights).stat().st_size for one in stored)
        if needed > (available := available_bytes()):
            raise NoRoom(
                f"loading it takes {needed / 2**20:.0f} MiB, {ROOM} times its weights, and {available / 2**20:.0f} are "
                "available. Give the service more memory, or start it anew"
            )

    def _check_device(self, new: Served) -> None:
        """Raises NotServable where it computes elsewhere or in another precision, as where a GPU's memory is full."""
        runs, ran = new.classifier.ensemble, self.served.classifier.ensemble
        if (runs.provider, runs.precision) != (ran.provider, ran.precision):
            raise NotServable(
                f"it computes in {runs.precision} by {runs.provider}, unlike the one that is served, in "
                f"{ran.precision} by {ran.provider}: start the service anew for that"
            )
