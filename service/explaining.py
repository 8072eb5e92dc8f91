"""The API's client of the explainer, which may start, die or hang while /classify keeps working."""

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

from cxr.errors import NotServable, error_named
from service.bento.explainer import Outcome
from service.errors import ExplanationFailed
from service.refusals import ExplainerDied, ExplainerUnavailable

logger = logging.getLogger("cxr.service")

PROBE_S: Final = 2  # seconds; an idle explainer answers its probe in milliseconds
PROBES: Final = 2  # the first probe may use an idle connection that the explainer is just closing


class ExplainerClient:
    """Sends requests to the explainer, and reports quickly if it is unavailable.

    The explainer's socket outlives its process: a call to a dead explainer does not fail but waits for the next
    process, 18 s measured. So each request is preceded by a probe, which takes one or two milliseconds.

    A request is sent once. If its connection breaks, the request most likely killed the explainer, and would kill the
    next one too. A connection that was already broken is detected by the probe, which may be repeated.
    """

    def __init__(self, remote: Any) -> None:
        """`remote`: the object from `bentoml.depends` (`is_ready`, `to_async.explain`); None without an explainer."""
        self._remote = remote

    async def explain(self, **question: Any) -> Outcome:
        """Call `ExplainerService.explain`. The arguments are its own. The outcome has an explanation.

        It returns when the explainer's job or process has ended, and not before. The explainer itself ends a job that
        hangs (`service.bento.watchdog`).

        Raises:
            Refusal: the explainer refused.
            ExplanationFailed: the explainer failed.
            ExplainerUnavailable: the explainer does not answer its probe.
            ExplainerDied: the explainer ended during this request.
        """
        await self._probe()
        try:
            outcome: Outcome = await self._remote.to_async.explain(**question)
        except Exception as error:
            logger.warning("the explainer was lost during an explanation: %s", type(error).__qualname__)
            raise ExplainerDied from None
        if outcome.refusal is not None:
            raise _named(outcome.refusal)
        if outcome.answer is None and not outcome.files:
            raise ExplanationFailed
        return outcome

    async def adopt(self, root: Path, sha256: str) -> bool:
        """Make the explainer hold a bundle, in addition to the previous one.

        Returns:
            Whether it holds it. It may be unavailable; /classify continues without it. True if there is no explainer.

        Raises:
            NotServable: the explainer cannot load that bundle.
        """
        if self._remote is None:
            return True
        try:
            await self._probe()
            fault = await self._remote.to_async.adopt(root=str(root), sha256=sha256)
        except Exception as error:  # it is unavailable, or its connection broke
            logger.warning("the explainer could not be told to load the bundle: %s", type(error).__qualname__)
            return False
        if fault:
            raise NotServable(f"the explainer cannot load it: {fault}")
        return True

    async def _probe(self) -> None:
        if self._remote is None:
            raise ExplainerUnavailable
        try:
            async with asyncio.timeout(PROBE_S):
                if await self._is_ready():
                    return
        except TimeoutError:
            pass
        logger.warning("the explainer does not answer its probe")
        raise ExplainerUnavailable

    async def _is_ready(self) -> bool:
        for _ in range(PROBES):
            try:
                return bool(await self._remote.is_ready())
            except Exception:  # its connection broke
                continue
        return False


def _named(name: str) -> Exception:
    """The error that the explainer raised, looked up by its class: errors of one code may differ in their message."""
    try:
        return error_named(name)
    except KeyError:
        return ExplanationFailed()
