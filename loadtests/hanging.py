"""The service with explanations that hang or crash, to test that the explainer is replaced.

LRP hangs forever, and Grad-CAM ends the explainer. Grad-CAM++ is unchanged.
"""

import os
import time
from typing import Any, Final

from cxr.report.explanation import Explanation, Method
from service.bento.api import Api
from service.bento.explainer import ExplainerService

__all__ = ["Api"]

_service: Final[Any] = ExplainerService  # the decorator has turned the class into a BentoML service
_start: Final = _service.inner.__init__


class Planted:
    """Replaces the explainer's networks."""

    def __init__(self, explainer: Any) -> None:
        self._explainer = explainer
        self.bundle = explainer.bundle

    def explain(self, prepared: Any, finding: Any, target: Any, method: Method, *how: Any) -> Explanation:
        if method == "lrp":
            time.sleep(3600)
        if method == "gradcam":
            os._exit(1)
        explanation: Explanation = self._explainer.explain(prepared, finding, target, method, *how)
        return explanation


def _plant(self: Any) -> None:
    _start(self)
    know = self._kept.get

    def get(sha256: str) -> Planted | None:
        known = know(sha256)
        return Planted(known) if known else None

    self._kept.get = get


_service.inner.__init__ = _plant
