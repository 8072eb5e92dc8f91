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

PROBE_S: Final = 2  # an idle explainer answers its probe in milliseconds
PROBES: Final = 2  # the connection of the first may be one that the explainer closes just now, since it was idle


class ExplainerClient:
    """Sends requests to the explainer, and reports quickly if it is unavailable.

    The explainer's socket outlives its process: a call to a dead explainer does not fail, it waits for the next
    one, 18 s measured. So each question is preceded by a probe, which costs a millisecond or two.

    A question is put once. Where its connection breaks, the explainer most likely died of it, and the next one would
    die too; so a connection that is broken to begin with is found out by the probe, which may be repeated.
    """

    def __init__(self, remote: Any) -> None:
        """`remote` is what `bentoml.depends` gives (`is_ready`, `to_async.explain`); None where there is none."""
        self._remote = remote

    async def explain(self, **question: Any) -> Outcome:
        """Put a question to `ExplainerService.explain`: an outcome with an explanation.

        It returns when the explainer's work has ended, or its process, and not before. A work that hangs is ended by
        the explainer itself (`service.bento.watchdog`).

        Raises:
            Refusal: what the explainer refused.
            ExplanationFailed: it failed.
            ExplainerUnavailable: it does not answer its probe.
            ExplainerDied: it ended during this question.
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
        """Have the explainer hold a bundle, beside the one before it.

        Returns:
            Whether it does: it may be away, and /classify goes on without it. Where there is none, nobody has to.

        Raises:
            NotServable: it cannot load that bundle.
        """
        if self._remote is None:
            return True
        try:
            await self._probe()
            fault = await self._remote.to_async.adopt(root=str(root), sha256=sha256)
        except Exception as error:  # it is away, or its connection broke
            logger.warning("the explainer was not told of the bundle: %s", type(error).__qualname__)
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
    """What the explainer raised: by its class, since errors of one code may differ in their message."""
    try:
        return error_named(name)
    except KeyError:
        return ExplanationFailed()
