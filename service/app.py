"""The FastAPI app that holds every route, and the boundary around it; `service.bento.api` gives both to BentoML.

Routes, errors, limits and metrics are ours: BentoML's own answer with lists, echo the input, log tracebacks and label
metrics with raw paths.
"""

import logging
from typing import Final

from fastapi import FastAPI

from cxr import __version__
from cxr.labels import DISCLAIMER
from service import errors
from service.bento import schema
from service.metrics import Metrics
from service.middleware import Boundary
from service.routes import batch, page
from service.routes.classify import router
from service.uploads import BATCH, FILE

logger = logging.getLogger("cxr.service")

DOCS: Final = "/docs.json"

metrics = Metrics()

app = FastAPI(
    title="DeepCOVIDExplainer",
    version=__version__,
    description=DISCLAIMER,
    openapi_url=DOCS,
    docs_url=None,  # FastAPI's pages would load scripts from a third-party server
    redoc_url=None,
    redirect_slashes=False,  # a redirect would quote the URL
)
app.include_router(router)
app.include_router(page.router)
app.add_api_route(schema.PATH, schema.schema, include_in_schema=False)
errors.install(app)

# Every path with a route except the page's, and its limit on bodies. Log and metrics call all other paths "other".
LIMITS: Final = {
    "/classify": FILE,
    "/explain": FILE,
    "/preview": FILE,
    batch.PATH: BATCH,
    "/metrics": FILE,
    DOCS: FILE,
    schema.PATH: FILE,
}

boundary = Boundary(app, LIMITS, metrics.requested, page.PATHS)
