"""Every private interface of BentoML, circus, uvicorn and httptools that the service depends on.

These interfaces may change in any version. If a test here fails after an upgrade, first look at the named module of the
service, and at what replaced the interface.
"""

import inspect
from contextlib import closing
from importlib.metadata import version
from typing import Any

import _bentoml_impl.server.serving as serving
import _bentoml_impl.worker.service as worker
import httptools
import pytest
import uvicorn
import uvicorn.importer
from _bentoml_impl.client import RemoteProxy
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_impl.server.mount import PassiveMount
from bentoml._internal.server.base_app import BaseAppFactory
from bentoml._internal.utils import circus
from bentoml.serving import running_inside_container
from circus.arbiter import Arbiter
from circus.sockets import CircusSocket
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.app import LIMITS, boundary
from service.bento import api, classifier, heads, protocol

READ = {"bentoml": "1.4.", "uvicorn": "0.", "httptools": "0.", "kantoku": "0."}
"""The versions that this was written for, up to the first number whose change may break it."""

PROTOCOL_METHODS = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "shutdown": ["self"],
    "on_message_begin": ["self"],
    "on_url": ["self", "url"],
    "on_header": ["self", "name", "value"],
    "on_headers_complete": ["self"],
    "on_body": ["self", "body"],
    "on_message_complete": ["self"],
    "on_response_complete": ["self"],
    "_start_asgi_task": ["self", "cycle", "app"],
    "timeout_keep_alive_handler": ["self"],
    "_unset_keepalive_if_required": ["self"],
}
"""uvicorn's methods that service/bento/{drain,heads,stalls,protocol}.py override or call."""
PROTOCOL_STATE = {
    "cycle",
    "headers",
    "loop",
    "parser",
    "pipeline",
    "server_state",
    "timeout_keep_alive_task",
    "transport",
}
CYCLE_STATE = {"disconnected", "keep_alive", "message_event", "response_complete", "response_started"}
PARSER_METHODS = {"feed_data", "get_http_version", "get_method", "set_dangerous_leniencies", "should_upgrade"}


@pytest.mark.parametrize("package", READ)
def test_versions(package: str) -> None:
    assert version(package).startswith(READ[package])


def test_uvicorns_protocol_has_what_ours_overrides_and_calls() -> None:
    for name, parameters in PROTOCOL_METHODS.items():
        method = getattr(HttpToolsProtocol, name)
        assert list(inspect.signature(method).parameters) == parameters, name
    kinds = [kind for kind in protocol.LimitedProtocol.__mro__ if kind.__module__.startswith("service.")]
    ours = {name for kind in kinds for name in vars(kind)}
    overridden = {name for name in ours if hasattr(HttpToolsProtocol, name) and not name.startswith("__")}
    assert overridden <= set(PROTOCOL_METHODS)


def test_uvicorns_protocol_keeps_its_state_where_ours_looks() -> None:
    made = set(inspect.getsource(HttpToolsProtocol.__init__).replace(":", " ").replace(".", " ").split())
    assert made >= PROTOCOL_STATE
    cycle = set(inspect.getsource(RequestResponseCycle.__init__).replace(":", " ").replace(".", " ").split())
    assert cycle >= CYCLE_STATE
    begun = inspect.getsource(HttpToolsProtocol.on_message_begin)
    assert "self.url = " in begun
    assert "self.headers = []" in begun


def test_uvicorn_parses_as_leniently_as_ours_does_after_an_upgrade_field() -> None:
    source = inspect.getsource(HttpToolsProtocol)
    assert source.count("set_dangerous_leniencies(") == 1
    assert "set_dangerous_leniencies(lenient_data_after_close=True)" in source


def test_uvicorn_offers_its_protocols_in_a_table_that_takes_classes() -> None:
    marker: Any = object
    assert uvicorn.importer.import_from_string(marker) is marker
    assert "HTTP_PROTOCOLS.get(self.http" in inspect.getsource(uvicorn.Config.load)
    assert inspect.signature(uvicorn.Config).parameters["http"].default == "auto"
    assert set(STATUS_LINE) >= {400, 408, 431, 503}


def test_httptools_says_where_a_head_with_an_upgrade_ends_and_why_a_callback_failed() -> None:
    class Sink:
        def on_header(self, name: bytes, _: bytes) -> None:
            if name == b"Bad":
                raise heads.TurnedAway(431)

    parser = httptools.HttpRequestParser(Sink())
    assert all(hasattr(parser, name) for name in PARSER_METHODS)
    head = b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 4\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(memoryview(head + b"body"))
    assert upgrade.value.args == (len(head),)
    with pytest.raises(httptools.HttpParserCallbackError) as failed:
        httptools.HttpRequestParser(Sink()).feed_data(b"GET / HTTP/1.1\r\nBad: x\r\nNext: x\r\n\r\n")
    assert isinstance(failed.value.__context__, heads.TurnedAway)


def test_bentomls_worker_makes_uvicorns_server_without_a_word_about_its_protocol() -> None:
    source = inspect.getsource(worker.main.callback)
    assert "uvicorn.Config(" in source
    assert "uvicorn.Server(config).run(sockets=[socket])" in source
    assert "http=" not in source
    assert source.index("load(bento_identifier") < source.index("uvicorn.Config(")
    assert "--fd" in {option for parameter in worker.main.params for option in parameter.opts}


def test_bentoml_mounts_an_unknown_app_whole_and_after_its_own_routes() -> None:
    assert "isinstance(self.app, Starlette)" in inspect.getsource(PassiveMount.matches)
    source = inspect.getsource(ServiceAppFactory.__call__)
    assert source.index("mount_apps") < source.index('"docs.json"')


def test_bentomls_app_has_the_probes_and_asks_our_middleware_first() -> None:
    routes = inspect.getsource(BaseAppFactory.get_system_routes)
    assert all(f'"{path.decode()}"' in routes for path in protocol.PROBES)
    assert "in self.service.middlewares:" in inspect.getsource(ServiceAppFactory)
    assert 'app.add_route("/schema.json"' in inspect.getsource(ServiceAppFactory.__call__)
    services: list[Any] = [api.Api, classifier.ApiWithoutExplainer]
    for service in services:
        ((_, options),) = service.middlewares
        assert options == {"ours": boundary, "paths": LIMITS}


def test_circus_is_started_by_a_constructor_that_knows_these_arguments() -> None:
    assert issubclass(circus.Arbiter, Arbiter)
    parameters = inspect.signature(Arbiter.__init__).parameters
    assert {"sockets", "endpoint", "pubsub_endpoint", "check_delay"} <= set(parameters)
    assert "self.exit_stack = " in inspect.getsource(circus.Arbiter)
    assert "ThreadedArbiter if threaded else Arbiter" in inspect.getsource(circus.create_standalone_arbiter)
    start = inspect.getsource(serving)
    assert "create_standalone_arbiter(**arbiter_kwargs)" in start
    assert '"sockets": ' in start
    assert start.rindex("server_on_deployment(svc)") < start.index("create_standalone_arbiter(**arbiter_kwargs)")
    with closing(CircusSocket("x", host="127.0.0.1")) as listener:
        assert listener.host == "127.0.0.1"


def test_bentoml_reads_these_variables() -> None:
    assert '"BENTOML_NO_UDS" in os.environ' in inspect.getsource(serving)
    assert '"BENTOML_CONTAINERIZED" in os.environ' in inspect.getsource(running_inside_container)


def test_a_dependency_is_asked_by_these_names() -> None:
    assert {"is_ready", "to_async"} <= {*dir(RemoteProxy), *inspect.getsource(RemoteProxy).replace(".", " ").split()}
