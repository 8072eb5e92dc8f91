"""Parts of the OpenAPI description (/docs.json): bodies, statuses, keys."""

from typing import Any, Final

from fastapi import FastAPI

from cxr.limits import MAX_BYTES, MAX_PIXELS
from service.limits import MAX_FILES, MAX_FORM_BYTES
from service.schemas import ErrorAnswer

_FILE: Final = {"type": "string", "format": "binary"}


def _form(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A form with this field. The file's field may have any other name too."""
    return {"multipart/form-data": {"schema": {"type": "object", "properties": {name: schema}, "required": [name]}}}


_RAW: Final = ("image/png", "image/jpeg", "application/dicom", "application/octet-stream")

BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {**{media: {"schema": _FILE} for media in _RAW}, **_form("file", _FILE)},
    }
}
"""One file, raw or as the one file of a form."""
FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": _form("files", {"type": "array", "items": _FILE, "minItems": 1, "maxItems": MAX_FILES}),
    }
}
"""Several files."""

_RETRY: Final = {"headers": {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}}
_CHALLENGE: Final = {"headers": {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}}}

_DESCRIPTIONS: Final = {
    400: "Empty body, malformed form or request, unknown or repeated parameter, or an unknown value of a parameter.",
    401: "A key is required, and there is none.",
    403: "The key is not valid; or, if no key is required, the request comes from a page of another origin.",
    405: "The path does not support this method.",
    406: "Accept excludes every form of the answer, or a DICOM answer is requested for a file that is not DICOM.",
    408: "Head or body did not arrive in time.",
    413: (
        f"Over {MAX_BYTES >> 20} MiB or {MAX_PIXELS // 10**6} megapixels; a form over {MAX_FORM_BYTES >> 20} MiB or "
        f"{MAX_FILES} files."
    ),
    415: "An unsupported media type, or a content coding.",
    421: "No key is required, and Host does not name loopback.",
    422: "Not decodable, or not a frontal chest radiograph.",
    429: "The service is at capacity, or the key has used up its requests for this minute. See Retry-After.",
    431: "A head over 64 KiB or 100 fields.",
    503: (
        "The explainer is unavailable, or all connections are in use (see Retry-After); or the explainer ended during "
        "this explanation."
    ),
    504: "Not answered within the deadline.",
}
_EXTRAS: Final = {401: _CHALLENGE, 429: _RETRY, 503: _RETRY}

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": description, **_EXTRAS.get(status, {})}
    for status, description in _DESCRIPTIONS.items()
}
"""All statuses of errors, for the routes' declarations."""

_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def name_keys(app: FastAPI, needed: bool) -> None:
    """Add the two ways to send a key to the app's description. `needed`: whether a key is required."""
    document = app.openapi()
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES] + ([] if needed else [{}])
