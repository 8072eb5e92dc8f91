"""A hostile decoder may answer anything: its parent accepts only valid answers."""

import json
import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from cxr.decode.preview import LONGEST
from cxr.decode.radiograph import InstanceUIDs, Radiograph
from cxr.decode.sandbox import wire
from cxr.decode.sandbox.decoder import Decoder, Ended
from cxr.errors import DecoderCrashed, DecodingTooLarge, LateralView, Refusal, Truncated

T = TypeVar("T")

TRUE = {"shape": [2, 3], "instance": None, "warnings": [], "turned": 1, "view": ""}


class Liar:
    """A fork server whose decoder is this process."""

    channel: socket.socket

    def fork(self, channel: int, _memory: int) -> int:
        self.channel = socket.socket(fileno=os.dup(channel))
        return os.getpid()


def answered(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> Radiograph:
    return asked(monkeypatch, answer, lambda decoder: decoder.decode(b"a file"))


def asked(monkeypatch: pytest.MonkeyPatch, answer: bytes, question: Callable[[Decoder], T]) -> T:
    liar = Liar()
    decoder = Decoder(liar)  # type: ignore[arg-type]
    monkeypatch.setattr(decoder, "kill", lambda: None)
    liar.channel.send(b"{}")
    liar.channel.send(answer)
    try:
        return question(decoder)
    finally:
        decoder.forget()
        liar.channel.close()


def test_an_answer_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    uids = InstanceUIDs("1.2", "", "3")
    said = Radiograph(np.empty((2, 3), np.uint8), "application/dicom", uids, ("Careful.",), 2, "PA")
    heard = answered(monkeypatch, wire.answer(said))
    assert heard.pixels.tolist() == [[0] * 3] * 2
    assert repr(heard.without_pixels()) == repr(said.without_pixels())


@pytest.mark.parametrize("refusal", [LateralView, Truncated, DecodingTooLarge])
def test_a_refusal_is_the_same_on_both_sides(monkeypatch: pytest.MonkeyPatch, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as caught:
        answered(monkeypatch, wire.refused(refusal()))
    assert type(caught.value) is refusal


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": [0, 3]},
        {"shape": [-2, -3]},
        {"shape": [10**6, 10**6]},
        {"shape": [1, 2, 3]},
        {"shape": None},
        {"shape": [2, float("nan")]},
        {"shape": [2, float("inf")]},
        {"instance": ["1", "2"]},
        {"instance": [1, 2, 3]},
        {"instance": ["<script>", "", ""]},
        {"warnings": [["nested"]]},
        {"warnings": ["x" * 401]},
        {"warnings": ["x"] * 21},
        {"turned": "upside down"},
        {"turned": 9},
        {"view": 4},
        {"refusal": "NoSuchRefusal"},
        {"refusal": "Refusal"},
        {"failed": "KeyError: 'a patient'"},
    ],
    ids=str,
)
def test_invalid_answers_count_as_a_crash(
    monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DecoderCrashed):
        answered(monkeypatch, json.dumps(TRUE | lie).encode())
    assert not caplog.records


SEEN: dict[str, Any] = {"shape": [2, 3], "window": [0, 9], "inverted": True, "scale": 1, "turned": 1}


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": [1, LONGEST + 1]},
        {"shape": [0, 3]},
        {"window": [0, float("nan")]},
        {"window": [0]},
        {"window": ["low", "high"]},
        {"scale": 0},
        {"turned": 9},
    ],
    ids=str,
)
def test_invalid_previews_count_as_a_crash(monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]) -> None:
    seen = asked(monkeypatch, json.dumps(SEEN).encode(), lambda decoder: decoder.preview(b"a file"))
    assert (seen.values.shape, seen.high, seen.inverted) == ((2, 3), 9, True)
    with pytest.raises(DecoderCrashed):
        asked(monkeypatch, json.dumps(SEEN | lie).encode(), lambda decoder: decoder.preview(b"a file"))


@pytest.mark.parametrize("nonsense", [b"\xff\xfe", b"[]", b"3", b"[" * 50_000], ids=len)
def test_nonsense_counts_as_the_decoders_end(monkeypatch: pytest.MonkeyPatch, nonsense: bytes) -> None:
    with pytest.raises(Ended):
        answered(monkeypatch, nonsense)


def test_our_own_failure_is_logged_only_by_its_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DecoderCrashed):
        answered(monkeypatch, wire.failed("KeyError at decode/dicom/pixels.py:53"))
    (line,) = caplog.messages
    assert line == "decoding failed: KeyError at decode/dicom/pixels.py:53"
