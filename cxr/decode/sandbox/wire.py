"""The messages between a decoder process and its parent, and the limits of one decode.

A shared memory file holds the bytes of the file to decode and, after them, the grey pixels. A socket carries one small
message each way: the request with the number of bytes, and the answer, a JSON object that describes the pixels or the
refusal. The parent does not trust the answer, because a hostile file may have taken over the decoder. So nothing is
unpickled, and every value is checked like one from the file itself.
"""

import json
import math
import re
import struct
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cxr.decode.preview import LONGEST, Preview
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.decode.source import Source
from cxr.errors import DecoderCrashed, Refusal, error_named
from cxr.limits import MAX_BYTES, MAX_PIXELS

CPU_S: Final = 5
"""Seconds of CPU time for one decode. The slowest radiograph that detectors make, 15 megapixels of 16 noisy bits in
JPEG 2000, takes 2 to 3 s; any other encoding of it takes less than 1 s."""
DEADLINE_S: Final = 10.0
"""Seconds of wall-clock time for one decode, on a busy machine."""
MEMORY: Final = 384 << 20
"""Bytes that one decode may take beyond an idle decoder's size: 40 megapixels of 16 bits take 300 MiB in the most
expensive encoding. With the file and the grey pixels the total stays under half a gigabyte."""

PIXELS_AT: Final = MAX_BYTES
SHARED: Final = MAX_BYTES + MAX_PIXELS  # enough for a preview too: two bytes for each of LONGEST x LONGEST pixels
"""Bytes of the shared memory file: the input, then the grey pixels from PIXELS_AT on. Unwritten pages take none."""


class Wanted(IntEnum):
    """The kinds of results that can be requested for a file."""

    GREY = 0
    PREVIEW = 1
    SOURCE = 2  # the elements of `cxr.decode.source`, and no pixels


MESSAGE: Final = 1 << 16
REQUEST: Final = struct.Struct("<QB")
"""A request: the file's size in bytes, and the kind of result."""
NUMBER: Final = struct.Struct("<q")

_MEDIA_TYPE: Final = "application/dicom"
_MAX_TEXT: Final = 400
_MAX_WARNINGS: Final = 20
_ORIENTATIONS: Final = range(1, 9)  # of EXIF
_UID: Final = re.compile(r"[0-9.]{0,64}")


def answer(radiograph: Radiograph) -> bytes:
    """The answer for a decoded file. Its pixels are in the shared memory."""
    uids = radiograph.instance
    return json.dumps(
        {
            "shape": radiograph.pixels.shape,
            "instance": [uids.sop_instance_uid, uids.series_instance_uid, uids.study_instance_uid] if uids else None,
            "warnings": radiograph.warnings,
            "turned": radiograph.turned,
            "view": radiograph.view,
        }
    ).encode()


def previewed(preview: Preview) -> bytes:
    """The answer for a preview. Its values are in the shared memory."""
    return json.dumps(
        {
            "shape": preview.values.shape,
            "window": [preview.low, preview.high],
            "inverted": preview.inverted,
            "scale": preview.scale,
            "turned": preview.turned,
        }
    ).encode()


def elements(stored: dict[str, bytes]) -> bytes:
    """The answer with a file's elements: their values, one character per byte."""
    return json.dumps({"elements": {keyword: value.decode("latin-1") for keyword, value in stored.items()}}).encode()


def refused(refusal: Refusal) -> bytes:
    """The answer for a refused file."""
    return json.dumps({"refusal": type(refusal).__name__}).encode()


def failed(where: str) -> bytes:
    """The answer when our own code failed: the class of the error and the line, never its text."""
    return json.dumps({"failed": where}).encode()


def shape(said: dict[str, Any]) -> tuple[int, int]:
    """[H, W] of the pixels of an answer. Raises the Refusal that it reports, ValueError if it is invalid."""
    _raise_what_is_said(said)
    height, width = (int(side) for side in said["shape"])
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError
    return height, width


def preview_shape(said: dict[str, Any]) -> tuple[int, int]:
    """The same for a preview."""
    height, width = shape(said)
    if max(height, width) > LONGEST:
        raise ValueError
    return height, width


def preview(said: dict[str, Any], values: NDArray[np.uint16]) -> Preview:
    """The preview from an answer and its values [h, w]. Raises ValueError, TypeError or KeyError if invalid."""
    low, high = map(float, said["window"])
    scale = int(said["scale"])
    if not (math.isfinite(low) and math.isfinite(high)) or scale < 1:
        raise ValueError
    return Preview(values, low, high, bool(said["inverted"]), scale, _orientation(said))


def radiograph(said: dict[str, Any], pixels: NDArray[np.uint8]) -> Radiograph:
    """The radiograph from an answer and its pixels [H, W]. Raises ValueError, TypeError or KeyError if invalid."""
    instance = InstanceUIDs(*map(_uid, said["instance"])) if said["instance"] is not None else None
    warnings = tuple(map(_text, said["warnings"]))
    if len(warnings) > _MAX_WARNINGS:
        raise ValueError
    return Radiograph(pixels, _MEDIA_TYPE, instance, warnings, _orientation(said), _text(said["view"]))


def _orientation(said: dict[str, Any]) -> int:
    turned = int(said["turned"])
    if turned not in _ORIENTATIONS:
        raise ValueError
    return turned


def source(said: dict[str, Any]) -> Source:
    """The elements of an answer. Raises the Refusal that it reports; ValueError, TypeError or KeyError if invalid."""
    _raise_what_is_said(said)
    if not isinstance(stated := said["elements"], dict):
        raise ValueError
    return Source.of(stated)


def _raise_what_is_said(said: dict[str, Any]) -> None:
    if "refusal" in said:
        raise error_named(str(said["refusal"]))
    if "failed" in said:
        raise DecoderCrashed


def _uid(value: object) -> str:
    if not _UID.fullmatch(uid := _text(value)):
        raise ValueError
    return uid


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise ValueError
    return value
