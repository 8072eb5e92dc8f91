"""The API's end of the line to the explainer, which may start, die or hang while /classify goes on."""

import asyncio
import logging
from typing import Any, Final

from cxr.errors import ExplainerUnavailable, refusal_named
from cxr.report.explanation import Explanation
from service.bento.explainer import Outcome
from service.errors import ExplanationFailed

logger = logging.getLogger("cxr.service")

PROBE_S: Final = 2  # an idle explainer answers its probe in milliseconds


class ExplainerClient:
    """Asks the explainer, once more if the connection broke, and tells quickly when it is not there.

    The explainer's socket outlives its process: a call to a dead explainer does not fail, it waits for the next
    one, 18 s measured. So each question is preceded by a probe, which costs a millisecond or two.
    """

    def __init__(self, remote: Any) -> None:
        """`remote` is what `bentoml.depends` gives (`is_ready`, `to_async.explain`); None where there is none."""
        self._remote = remote

    async def explain(self, seconds: float, **question: Any) -> Explanation:
        """Put a question to `ExplainerService.explain`.

        Raises:
            Refusal: what the explainer refused.
            ExplainerUnavailable: it does not answer in so many seconds.
        """
        try:
            async with asyncio.timeout(seconds):
                return _explanation(await self._ask(question))
        except TimeoutError:
            logger.warning("the explainer did not answer within the deadline")
            raise ExplainerUnavailable from None

    async def _ask(self, question: dict[str, Any]) -> Outcome:
        await self._probe()
        try:
            return await self._call(question)
        except Exception as error:  # the connection broke: the explainer died, or closed an idle one just now
            logger.warning("the explainer is asked again after %s", type(error).__qualname__)
        await self._probe()
        try:
            return await self._call(question)
        except Exception:
            raise ExplainerUnavailable from None

    async def _call(self, question: dict[str, Any]) -> Outcome:
        outcome: Outcome = await self._remote.to_async.explain(**question)
        return outcome

    async def _probe(self) -> None:
        if self._remote is None:
            raise ExplainerUnavailable
        try:
            async with asyncio.timeout(PROBE_S):
                ready = await self._remote.is_ready()
        except Exception:
            ready = False
        if not ready:
            logger.warning("the explainer does not answer its probe")
            raise ExplainerUnavailable


def _explanation(outcome: Outcome) -> Explanation:
    if outcome.refusal is not None:
        raise refusal_named(outcome.refusal)
    if outcome.explanation is None:
        raise ExplanationFailed
    return outcome.explanation
