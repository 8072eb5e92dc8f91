"""The decoder's side, in the tests' own process: its answers, and its system call filter, run by an interpreter."""

import json
import mmap
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cxr import decode
from cxr.decode.preview import Preview
from cxr.decode.sandbox import confinement, wire, worker
from tests import files


@pytest.fixture
def shared() -> memoryview:
    """A decoder's shared memory. Pages take memory only after they are written."""
    return memoryview(mmap.mmap(-1, wire.SHARED))


def asked(shared: memoryview, data: bytes, wanted: wire.Wanted) -> dict[str, Any]:
    shared[: len(data)] = data
    said: dict[str, Any] = json.loads(worker._answer(shared, len(data), wanted))
    return said


def pixels(shared: memoryview, shape: tuple[int, int], kind: type[np.generic]) -> Any:
    return np.frombuffer(shared, kind, shape[0] * shape[1], wire.PIXELS_AT).reshape(shape).copy()


def test_a_file_is_answered_with_its_pixels_behind_it(shared: memoryview) -> None:
    data = files.small_radiograph_dicom()
    said = asked(shared, data, wire.Wanted.GREY)
    radiograph = wire.radiograph(said, pixels(shared, wire.shape(said), np.uint8))
    expected = decode.decode(data)
    assert np.array_equal(radiograph.pixels, expected.pixels)
    assert replace(radiograph, pixels=expected.pixels) == expected


def test_a_preview_and_a_source_are_what_was_asked_for(shared: memoryview) -> None:
    data = files.small_radiograph_dicom()
    said = asked(shared, data, wire.Wanted.PREVIEW)
    preview: Preview = wire.preview(said, pixels(shared, wire.preview_shape(said), np.uint16))
    expected = decode.preview(data)
    assert np.array_equal(preview.values, expected.values)
    assert replace(preview, values=expected.values) == expected
    assert wire.source(asked(shared, data, wire.Wanted.SOURCE)) == decode.source_of(data)


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError(), {"refusal": "DecodingTooLarge"}), (KeyError("Doe^Jane"), None)]
)
def test_an_error_is_answered_with_its_line_and_never_its_text(
    shared: memoryview, monkeypatch: pytest.MonkeyPatch, error: Exception, said: dict[str, str] | None
) -> None:
    def fails(_data: object) -> None:
        raise error

    monkeypatch.setattr(worker, "decode_dicom", fails)
    answer = asked(shared, b"DICM", wire.Wanted.GREY)
    assert answer == said or (said is None and answer["failed"].startswith("KeyError at decode/sandbox/worker.py:"))
    assert "Doe" not in str(answer)
    assert asked(shared, b"no file", wire.Wanted.SOURCE) == {"refusal": "NotDecodable"}


def verdict(program: bytes, machine: int, number: int) -> int:
    """A filter's result for a system call. Interprets the part of classic BPF that filters use (linux/bpf_common.h)."""
    call = struct.pack("II", number, machine)  # the first fields of struct seccomp_data
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, operand = struct.unpack_from("HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("I", call, operand)
        elif code == 0x15:
            at += if_true if accumulator == operand else if_false
        else:
            assert code == 0x06
            return int(operand)


@pytest.mark.parametrize("machine", confinement._MACHINES)
def test_the_filter_allows_what_is_listed_and_nothing_else(machine: str) -> None:
    audit, column = confinement._MACHINES[machine]
    allowed = {numbers[column] for numbers in confinement._ALLOWED.values()}
    program = confinement._filter(audit, [numbers[column] for numbers in confinement._ALLOWED.values()])
    for number in [*range(500), 1 << 30]:
        assert verdict(program, audit, number) == (0x7FFF0000 if number in allowed else 0x00050001)  # allow, or EPERM
        assert verdict(program, audit ^ 1, number) == 0x80000000  # kill the process
