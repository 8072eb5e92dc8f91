"""A decoder process: it decodes one DICOM file after another until its socket closes or it is killed."""

import json
import mmap
import os
import traceback
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cxr.decode.dicom.acceptance import decode_dicom, preview_dicom
from cxr.decode.dicom.elements import stored_bytes
from cxr.decode.sandbox import confinement, wire
from cxr.decode.source import KEYWORDS
from cxr.errors import DecodingTooLarge, Refusal

_PACKAGE: Final = Path(__file__).parents[2]


def serve(server: int, channel: int, memory: int) -> None:
    """Confine this process, report it, and decode. `server` is the parent's process id; the others are descriptors."""
    confinement.die_with(server)
    os.set_blocking(channel, True)  # as for the fork server's control socket
    shared = memoryview(mmap.mmap(memory, wire.SHARED))
    os.close(memory)
    os.write(channel, json.dumps({"missing": confinement.confine()}).encode())
    while request := os.read(channel, wire.MESSAGE):
        size, wanted = wire.REQUEST.unpack(request)
        confinement.allow_another_decode()
        os.write(channel, _answer(shared, size, wire.Wanted(wanted)))


def _answer(shared: memoryview, size: int, wanted: wire.Wanted) -> bytes:
    data = shared[:size].toreadonly()
    try:
        if wanted is wire.Wanted.SOURCE:
            return wire.elements(stored_bytes(data, KEYWORDS))
        if wanted is wire.Wanted.PREVIEW:
            preview = preview_dicom(data)
            _put(shared, preview.values)
            return wire.previewed(preview)
        radiograph = decode_dicom(data)
        _put(shared, radiograph.pixels)
        return wire.answer(radiograph)
    except Refusal as refusal:
        return wire.refused(refusal)
    except MemoryError:
        return wire.refused(DecodingTooLarge())
    except Exception as error:
        return wire.failed(_where(error))


def _put(shared: memoryview, pixels: NDArray[Any]) -> None:
    np.frombuffer(shared, pixels.dtype, pixels.size, wire.PIXELS_AT)[:] = pixels.reshape(-1)


def _where(error: Exception) -> str:
    """The class of an error and our innermost line, never its text, which may quote the file."""
    lines = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    ours = [line for line in lines if Path(line).is_relative_to(_PACKAGE)]
    return f"{type(error).__name__} at {Path(ours[-1]).relative_to(_PACKAGE)}"
