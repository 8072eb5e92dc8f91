"""`static/words.js`, generated from the project's constants, so that the page has no texts or colours of its own."""

import json
from typing import Any, Final

from cxr import __version__
from cxr.anatomy.zones import LUNG_ZONES, ZONES
from cxr.errors import BodyTooLarge
from cxr.labels import DISCLAIMER, DISPLAY_NAMES
from cxr.limits import MAX_BYTES
from cxr.model.bundle import ENSEMBLE
from cxr.report.colour import legend
from cxr.report.drawing import SIDES_LINE
from cxr.report.explanation import METHOD_NAMES, METHODS, SIGNED, TAUGHT
from cxr.report.wording import zone_in_words

WORDS: Final[dict[str, Any]] = {
    "version": __version__,
    "disclaimer": DISCLAIMER,
    "labels": DISPLAY_NAMES,
    "methods": METHOD_NAMES,
    "method": METHODS[0],
    "signed": sorted(SIGNED),
    "taught": sorted(TAUGHT),
    "ensemble": ENSEMBLE,
    "zones": {zone: zone_in_words(zone, thirds=False) for zone in ZONES},
    "thirds": {zone: zone_in_words(zone, thirds=True) for zone in LUNG_ZONES},
    "sides": SIDES_LINE,
    "maxBytes": MAX_BYTES,
    "tooLarge": BodyTooLarge.message,
    # Colour and opacity of each grey level of a heatmap, in hexadecimal: RGBA, 256 times.
    "colours": {"evidence": legend().tobytes().hex(), "relevance": legend(signed=True).tobytes().hex()},
}


def module() -> bytes:
    """An ES module whose default export is `WORDS`."""
    return f"export default {json.dumps(WORDS)};\n".encode()
