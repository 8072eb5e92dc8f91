"""Guards: bounded reads return what a file would, and enforce exactly the stated bounds."""

import os
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.decode import guards
from cxr.decode.guards import BoundedReads, check_size
from cxr.errors import NotDecodable, TooManyPixels
from cxr.limits import MAX_PIXELS

DATA = bytes(range(20))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.one_of(st.none(), st.integers(-1, 30))),
        st.tuples(st.just("seek"), st.integers(0, 25)),
        st.tuples(st.just("skip"), st.integers(-3, 8)),
        st.tuples(st.just("end"), st.integers(-20, 0)),
    ),
    max_size=8,
)


@given(STEPS)
def test_bytes_are_read_as_from_a_file(steps: list[tuple[str, int | None]]) -> None:
    bounded, plain = BoundedReads(DATA), BytesIO(DATA)
    for step, number in steps:
        for stream in (bounded, plain):
            if step == "skip" and plain.tell() + (number or 0) < 0:
                continue
            if step != "read":
                stream.seek(number or 0, {"seek": os.SEEK_SET, "skip": os.SEEK_CUR, "end": os.SEEK_END}[step])
        if step == "read":
            assert bounded.read(number) == plain.read(number)
        assert bounded.tell() == plain.tell()


def test_length_and_number_of_reads_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = BoundedReads(DATA, longest=5)
    assert bounded.read(5) == DATA[:5]
    with pytest.raises(NotDecodable):
        bounded.read(6)
    monkeypatch.setattr(guards, "MAX_READS", 3)
    bounded.read(1)
    with pytest.raises(NotDecodable):
        bounded.read(1)


def test_forty_megapixels_are_the_most() -> None:
    check_size(1, 1)
    check_size(MAX_PIXELS, 1)
    check_size(1, MAX_PIXELS)
    with pytest.raises(TooManyPixels):
        check_size(1, MAX_PIXELS + 1)
    for width, height in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(NotDecodable):
            check_size(width, height)
