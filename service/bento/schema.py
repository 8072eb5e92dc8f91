"""/schema.json, from which BentoML's own client learns a service's endpoints.

BentoML makes one from its typed endpoints, of which this service has none, and leaves it open to those without a key.
This one is ours and behind the boundary like every other path: `bentoml.SyncHTTPClient(url, token=KEY).classify(path)`.
"""

from typing import Any, Final

from starlette.responses import JSONResponse, Response

PATH: Final = "/schema.json"

_FILE: Final = {"type": "file"}


def _endpoint(name: str, route: str, argument: str, schema: dict[str, Any], doc: str) -> dict[str, Any]:
    """One as BentoML's client reads it: it sends a form, in which a file is a part, and reads JSON."""
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
