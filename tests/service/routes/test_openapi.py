"""/docs.json against the live server: files, mutations and noise get only documented answers.

A thousand cases per operation: `python -m pytest tests/service/routes/test_openapi.py --hypothesis-profile thorough`.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from cxr.decode import decode
from cxr.model.bundle import Bundle
from scripts.server import Server, serve
from tests import files

pytestmark = pytest.mark.slow

NOT_OURS: list[Any] = [checks.positive_data_acceptance, checks.negative_data_rejection]
"""No schema can express whether a picture is a radiograph."""


@st.composite
def files_and_what_became_of_them(draw: st.DrawFn) -> bytes:
    """A real file, unchanged, truncated, or with some bytes replaced; or noise."""
    data = bytearray(draw(st.sampled_from([*corpus(), b""])))
    kind = draw(st.sampled_from(["whole", "cut", "changed", "grown", "noise"]))
    if kind == "noise" or not data:
        return draw(st.binary(max_size=4096))
    if kind == "cut":
        return bytes(data[: draw(st.integers(0, len(data)))])
    if kind == "grown":
        return bytes(data) + draw(st.binary(max_size=100))
    for _ in range(draw(st.integers(1, 8)) if kind == "changed" else 0):
        # The bytes that matter most are at the beginning.
        place = draw(st.one_of(st.integers(0, min(2048, len(data)) - 1), st.integers(0, len(data) - 1)))
        data[place] = draw(st.integers(0, 255))
    return bytes(data)


@cache
def corpus() -> list[bytes]:
    """The real radiograph as PNG, JPEG and DICOM, small; and files that are refused."""
    image = Image.fromarray(decode(files.radiograph_png()).pixels).resize((128, 136))
    pictures = [files.encoded(image, "PNG"), files.encoded(image, "JPEG")]
    dicom = files.small_radiograph_dicom()
    return [*pictures, dicom, files.changed(dicom, ViewPosition="LL"), files.text_file(), files.dicom_without_pixels()]


schemathesis.openapi.format("binary", files_and_what_became_of_them())


@pytest.fixture(scope="module")
def served(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("openapi") / "log", bundle.root, queue=512, queue_seconds=60) as running:
        running.wait_for_explainer(files.radiograph_png())
        yield running


@pytest.fixture(scope="module")
def document(served: Server) -> Any:
    return schemathesis.openapi.from_url(f"{served.client.base_url}/docs.json".replace("//docs", "/docs"))


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize("path", ["/classify", "/explain", "/preview", "/v1/classify"])
def test_answers_are_in_the_document(document: Any, path: str, mode: GenerationMode) -> None:
    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(document[path]["POST"].as_strategy(generation_mode=mode))
    def judge(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and case.query:
            case.query.pop("member", None)  # a random string is hardly ever a member's name
        case.call_and_validate(excluded_checks=NOT_OURS, timeout=120)

    judge()


def test_the_log_of_all_that_holds_no_traceback(served: Server) -> None:
    log = Path(served.log).read_text(errors="replace")
    assert "Traceback" not in log
    assert "ERROR" not in log
