"""/schema.json, which BentoML's own client reads to learn a service's endpoints.

BentoML would make it from its typed endpoints, of which this service has none, and serve it without a key. This one is
ours and needs a key like every other path: `bentoml.SyncHTTPClient(url, token=KEY).classify(path)`.
"""

from typing import Any, Final

from starlette.responses import JSONResponse, Response

PATH: Final = "/schema.json"

_FILE: Final = {"type": "file"}


def _endpoint(name: str, route: str, argument: str, schema: dict[str, Any], doc: str) -> dict[str, Any]:
    """An endpoint in the form that BentoML's client reads: the client sends a form with a file and reads JSON."""
    return {
        "name": name,
        "route": route,
        "doc": doc,
        "input": {"type": "object", "properties": {argument: schema}, "required": [argument]},
        "output": {"type": "object"},
    }


SCHEMA: Final = {
    "routes": [
        _endpoint("classify", "/classify", "file", _FILE, "Classify one radiograph."),
        _endpoint("explain", "/explain", "file", _FILE, "Classify one radiograph and explain the answer."),
        _endpoint(
            "classify_batch",
            "/v1/classify",
            "files",
            {"type": "array", "items": _FILE},
            "Classify several.",
        ),
    ]
}


async def schema() -> Response:
    """The endpoints of the service."""
    return JSONResponse(SCHEMA)
