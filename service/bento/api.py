"""The entry service: the app of every route, mounted into BentoML, which gives processes, bento and image."""

import logging
import os
from typing import Any, Final

import bentoml
from pydantic import ValidationError

from cxr.errors import BundleError
from cxr.model import signature
from cxr.model.bundle import Bundle
from service import logs
from service.access.key_file import KeyFile, KeyFileError
from service.access.keys import Keys
from service.access.origins import Origins
from service.access.rates import RateLimit
from service.app import LIMITS, app, boundary, metrics
from service.bento import protocol
from service.bento.explainer import ExplainerService
from service.bento.own_paths import answer_own_paths
from service.bento.supervisor import confine, refuse_open_listeners
from service.bundles.link import LastServed
from service.routes.openapi import name_keys
from service.runtime import Runtime
from service.settings import TIMEOUT_S, Settings
from service.tracing import ExporterMissing, check_environment, from_environment
from service.uploads import Uploads
from service.verify import verify

logger = logging.getLogger("cxr.service")

protocol.install(boundary.turn_away)  # before the worker creates its server, which it does right after this import

# BentoML's configuration of the entry service.
ENTRY: Final = {
    "name": "deepcovidexplainer",
    "workers": 1,
    "traffic": {
        "timeout": TIMEOUT_S
    },  # longer than all our deadlines; each request's timer stays in memory for this long
    "runner_probe": {"enabled": False},  # /classify needs no explainer
    "metrics": {"enabled": False},
    "logging": {"access": {"enabled": False}},
    "tracing": {"excluded_urls": ".*"},  # spans would contain whole URLs, and take a third of a refusal's time
}


def start(explainer: Any) -> None:
    """Load the bundle and open the boundary, once in each worker. `explainer`: None if there is none."""
    logs.configure()
    settings = Settings()
    refuse_open_listeners(settings)
    tracing = from_environment()
    app.state.runtime = runtime = Runtime(settings, metrics, explainer, tracing)
    runtime.bundles.follow()
    name_keys(app, needed=settings.needs_key)
    boundary.open(
        _keys(settings),
        Uploads(settings.upload_mib << 20, settings.upload_seconds),
        Origins(keyless=not settings.needs_key, loopback_only=not settings.allow_anonymous),
        RateLimit(settings.requests_per_minute) if settings.requests_per_minute else None,
        tracing,
    )
    logger.info("ready")


def _keys(settings: Settings) -> Keys:
    """The valid keys. A key file is read again when it changes. Raises KeyFileError."""
    if settings.api_keys_file is None:
        return Keys([key.get_secret_value() for key in settings.api_keys])
    file = KeyFile(settings.api_keys_file)
    file.watch()
    return file.keys


def prepare() -> None:
    """Check everything before any process starts, and end with one clear line: a failing worker would be restarted."""
    logs.configure()
    try:
        settings = Settings()
        logger.info("settings: %s", settings)
        if os.geteuid() == 0:
            logger.warning("the service runs as root, which it does not need: give it a user of its own")
        if settings.bundle_key:
            signature.verify(settings.bundle, settings.bundle_key)
        verify(Bundle(settings.bundle, settings.bundle_key), settings.precision)
        if settings.api_keys_file is not None:
            KeyFile(settings.api_keys_file)  # otherwise the worker would be restarted endlessly
        check_environment()
        confine(settings)
        LastServed.begin()
    except (ValidationError, KeyFileError, ExporterMissing) as error:
        raise SystemExit(f"The settings are wrong. {error}") from None
    except BundleError as error:
        raise SystemExit(f"The bundle cannot be served. {error}") from None


# BentoML does not recognise a wrapped app as Starlette, and so leaves all paths except its probes to it.
@answer_own_paths(boundary, LIMITS)
@bentoml.asgi_app(boundary, path="/")
@bentoml.service(**ENTRY)
class Api:
    """Classifies in its own process and gets explanations from the explainer."""

    explainer = bentoml.depends(ExplainerService)

    def __init__(self) -> None:
        start(self.explainer)

    prepare = bentoml.on_deployment(staticmethod(prepare))
