"""Content negotiation by the Accept header (RFC 9110, 12.5.1)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from service.refusals import NotAcceptable

JSON: Final = "application/json"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"
WEBP: Final = "image/webp"
BYTES: Final = "application/octet-stream"
DICOM: Final = "application/dicom"
RELATED: Final = "multipart/related"
FHIR: Final = "application/fhir+json"

_WEIGHT: Final = re.compile(r"[01]|[01]?\.[0-9]{0,9}")  # more lenient than the RFC, because Java writes .2


def preferred(accept: str, offers: Sequence[str]) -> str:
    """The offer with the highest weight in the header.

    Only the parameter `q` of a range is used. The most specific range that matches an offer gives its weight. Among
    offers of equal weight, the more specifically named one comes first, then the earlier one. Malformed ranges are
    ignored; a header without valid ranges accepts everything.

    Args:
        accept: the header; several headers are joined by commas.
        offers: media types, the server's default first.

    Raises:
        NotAcceptable: every offer has weight 0.
    """
    weights = dict(_ranges(accept.lower().split(",")))
    if not weights:
        return offers[0]
    best = max(offers, key=lambda offer: _weight(offer, weights))
    if _weight(best, weights)[0] == 0:
        raise NotAcceptable
    return best


def _ranges(parts: Iterable[str]) -> Iterable[tuple[str, float]]:
    """The media ranges with their weights."""
    for part in parts:
        name, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        if (name == "*" or "/" in name) and _WEIGHT.fullmatch(weight):
            yield ("*/*" if name == "*" else name), min(float(f"0{weight}0"), 1.0)


def _weight(offer: str, weights: dict[str, float]) -> tuple[float, int]:
    """Weight and specificity of the range that applies to an offer."""
    kind, _, _ = offer.partition("/")
    for specificity, name in ((2, offer), (1, f"{kind}/*"), (0, "*/*")):
        if name in weights:
            return weights[name], specificity
    return 0.0, 0
