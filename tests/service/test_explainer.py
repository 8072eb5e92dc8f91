"""The explainer's process: its limits and its answers."""

import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.errors import UnknownMember
from cxr.model.bundle import Bundle
from cxr.report.pictures import Drawing, Pictures, encode
from cxr.report.result import Result
from scripts.server import REPOSITORY
from service.bento.explainer import Wanted, drawing, outcome
from service.refusals import OtherBundle
from service.schemas import ExplanationAnswer
from tests.findings import make_explanation, make_finding


def test_pictures_leave_it_encoded_and_alone_where_one_is_asked_for(bundle: Bundle) -> None:
    result = Result.of(make_finding(), make_explanation(), bundle, b"")
    overlay = result.explanation.overlay
    assert overlay is not None
    shown, picture = outcome(result, b"", ["json"]), outcome(result, b"", ["png"])
    assert isinstance(shown.answer, ExplanationAnswer)
    assert (shown.answer.heatmap_png, shown.answer.overlay_png) == ("bWFw", b64encode(encode(overlay)).decode())
    assert (shown.files, picture.answer, picture.files) == ({}, None, {"png": encode(overlay)})
    assert set(shown.timings_ms) == set(picture.timings_ms) == {"attribution", "encode"}


@pytest.mark.parametrize(("kind", "form"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_an_overlay_is_the_same_picture_in_every_encoding(bundle: Bundle, kind: Wanted, form: str) -> None:
    grey = Image.new("RGB", (64, 48), (120, 120, 120))
    made = outcome(Result.of(make_finding(), make_explanation(grey), bundle, b""), b"", [kind]).files[kind]
    decoded = Image.open(BytesIO(made))
    assert (decoded.format, decoded.size) == (form, (64, 48))
    assert np.abs(np.asarray(decoded.convert("RGB")).astype(int) - 120).max() <= 2


@pytest.mark.parametrize(
    ("wanted", "pictures", "expected"),
    [
        (["json"], None, Drawing()),
        (["json"], "none", Drawing(overlay=False, heatmap=False, full_size=False)),
        (["json"], "heatmap", Drawing(overlay=False, heatmap=True, full_size=False)),
        (["json"], "overlay", Drawing(overlay=True, heatmap=False, full_size=False)),
        (["json"], "both", Drawing(overlay=True, heatmap=True, full_size=False)),
        (["webp"], "overlay", Drawing(overlay=True, heatmap=False, full_size=False)),
        (["heatmap"], "heatmap", Drawing(overlay=False, heatmap=True, full_size=False)),
        (["sr"], None, Drawing(overlay=False, heatmap=False, full_size=False)),
        (["sc", "sr"], None, Drawing(overlay=True, heatmap=False, full_size=False)),
        (["fhir"], None, Drawing(overlay=True, heatmap=False, full_size=False)),
    ],
)
def test_only_requested_pictures_are_drawn(wanted: list[Wanted], pictures: Pictures | None, expected: Drawing) -> None:
    assert drawing(wanted, pictures) == expected


def test_a_picture_that_was_not_drawn_is_null(bundle: Bundle) -> None:
    bare = replace(make_explanation(), overlay=None, heatmap_png=None)
    answer = outcome(Result.of(make_finding(), bare, bundle, b""), b"", ["json"]).answer
    assert answer is not None
    assert (answer.overlay_png, answer.heatmap_png) == (None, None)


@pytest.mark.slow
def test_its_libraries_have_no_more_threads_than_it_may_have_and_refusals_are_named(bundle: Bundle) -> None:
    """In a separate process, because the settings apply to a whole process."""
    code = (
        "import os, pathlib; os.environ |= {'CXR_THREADS': '1', 'CXR_BUNDLE': " + repr(str(bundle.root)) + "}\n"
        "import cv2, torch\n"
        "from service.bento.explainer import ExplainerService, Sealed\n"
        "explainer = ExplainerService.inner()\n"
        "print(cv2.getNumThreads(), torch.get_num_threads())\n"
        "explain = ExplainerService.inner.explain.func\n"
        "asked = (Sealed(None), b'', None, 'normal', 'gradcam', 'alexnet', ['json'], None, 'id')\n"
        "print(explain(explainer, " + repr(bundle.sha256) + ", *asked).refusal)\n"
        "print(explain(explainer, '0' * 64, *asked).refusal)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == ["1 1", UnknownMember.__name__, OtherBundle.__name__]
