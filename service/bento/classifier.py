"""The entry service without an explainer, for deployments that explain elsewhere: its image needs no torch.

Every route is there; /explain answers 503.
"""

import bentoml

from service.app import LIMITS, boundary
from service.bento.api import ENTRY, prepare, start
from service.bento.own_paths import answer_own_paths


@answer_own_paths(boundary, LIMITS)
@bentoml.asgi_app(boundary, path="/")
@bentoml.service(**ENTRY)
class ApiWithoutExplainer:
    """Classifies only."""

    def __init__(self) -> None:
        start(explainer=None)

    prepare = bentoml.on_deployment(staticmethod(prepare))
