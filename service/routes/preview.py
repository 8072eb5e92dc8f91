"""`POST /preview`: the decoded radiograph, for a screen on which the user sets the window."""

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from cxr.decode import Preview
from cxr.decode.preview import LONGEST
from service.routes.negotiation import BYTES
from service.routes.openapi import BODY, ERRORS
from service.routes.request import body, check, check_media_type, runtime_of

router = APIRouter()


def _header(schema: str, description: str) -> dict[str, Any]:
    return {"schema": {"type": schema}, "description": description, "required": True}


_HEADERS: Final = {
    "Image-Width": _header("integer", "Number of values per row."),
    "Image-Height": _header("integer", "Rows."),
    "Image-Scale": _header("integer", "Pixels of the stored image per value, along each side."),
    "Image-Orientation": _header("integer", "How the stored image was turned, as an EXIF orientation; 1: not at all."),
    "Image-Inverted": _header("boolean", "Whether low values are white."),
    "Window-Low": _header("number", "The value that is black in the classified picture; white if inverted."),
    "Window-High": _header("number", "The value that is white in the classified picture; black if inverted."),
}
_ANSWER: Final = {
    "description": (
        f"The values, row by row from the top left: little-endian, 16 bits, unsigned. Neither side is over {LONGEST}."
    ),
    "content": {BYTES: {"schema": {"type": "string", "format": "binary"}}},
    "headers": _HEADERS,
}


@router.post("/preview", response_class=Response, responses={**ERRORS, 200: _ANSWER}, openapi_extra=BODY)
async def preview(request: Request) -> Response:
    """The radiograph that /classify would see, upright, before its window. Accepts and refuses the same files."""
    check(request, (BYTES,))
    check_media_type(request)
    runtime = runtime_of(request)
    runtime.classifications.check()
    seen = await runtime.preview(await body(request))
    return Response(seen.values.astype("<u2", copy=False).tobytes(), media_type=BYTES, headers=_fields(seen))


def _fields(seen: Preview) -> dict[str, str]:
    height, width = seen.values.shape
    values = (width, height, seen.scale, seen.turned, str(seen.inverted).lower(), seen.low, seen.high)
    return {name: str(value) for name, value in zip(_HEADERS, values, strict=True)}
