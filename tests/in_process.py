"""A plugin, `-p tests.in_process`: DICOM files are decoded in the tests' own process, so that coverage counts lines.

Decoder processes are sandboxed and cannot write coverage data. Tests of the sandbox, of privacy and of files that
exhaust a process still use them.
"""

import json
import warnings
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

from cxr import decode
from cxr.decode.dicom.acceptance import decode_dicom, preview_dicom
from cxr.decode.dicom.elements import stored_bytes
from cxr.decode.sandbox import wire
from cxr.decode.source import KEYWORDS, Source
from cxr.errors import Refusal

T = TypeVar("T")

FOLDER: Final = "tests/cxr/decode/"
KEPT: Final = ("sandbox/", "dicom/test_dicom_privacy", "test_fuzzing", "test_parse_bombs")


@pytest.fixture(autouse=True)
def _in_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    name = request.node.nodeid.removeprefix(FOLDER)
    if name != request.node.nodeid and not name.startswith(KEPT):
        monkeypatch.setattr(decode, "decode_in_child", _alone(decode_dicom))
        monkeypatch.setattr(decode, "preview_in_child", _alone(preview_dicom))
        monkeypatch.setattr(decode, "source_in_child", _alone(_source))


def _source(data: bytes) -> Source:
    return wire.source(json.loads(wire.elements(stored_bytes(data, KEYWORDS))))


def _alone(work: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """As in a separate process: warnings are discarded, and a refusal has no other error as its context."""

    def done(data: bytes) -> T:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return work(data)
            except Refusal as error:
                refusal = error
        refusal.__context__ = None
        raise refusal

    return done
