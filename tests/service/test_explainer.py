"""The explainer's process: what it bounds, and what it answers."""

import subprocess
import sys

import pytest

from cxr.anatomy.boxes import Box
from cxr.anatomy.zones import ZoneShare
from cxr.errors import LateralView
from cxr.model.bundle import Bundle
from cxr.report.explanation import Explanation
from scripts.server import REPOSITORY
from service.bento.explainer import _outcome
from service.schemas import ExplanationAnswer

EXPLANATION = Explanation(
    method="gradcam",
    target="normal",
    member="member",
    heatmap_png=b"map",
    overlay_png=b"overlay",
    statement="A sentence.",
    warnings=(),
    zones=(ZoneShare("outside", 1.0, 0.7),),
    no_lungs="",
    boxes=(Box(1, 2, 3, 4, 0.5),),
    conservation_error=None,
    timings_ms={"attribution": 1.0},
)


def test_pictures_leave_it_encoded_and_alone_where_one_is_asked_for() -> None:
    shown, picture = _outcome(EXPLANATION, as_picture=False), _outcome(EXPLANATION, as_picture=True)
    assert isinstance(shown.answer, ExplanationAnswer)
    assert (shown.answer.heatmap_png, shown.answer.overlay_png) == ("bWFw", "b3ZlcmxheQ==")
    assert (shown.overlay_png, picture.answer, picture.overlay_png) == (None, None, b"overlay")
    assert shown.timings_ms == picture.timings_ms == {"attribution": 1.0}


@pytest.mark.slow
def test_its_libraries_have_no_more_threads_than_it_may_have_and_refusals_are_named(bundle: Bundle) -> None:
    """In a process of its own, since it sets what holds for a whole process."""
    code = (
        "import os, pathlib; os.environ |= {'CXR_THREADS': '1', 'CXR_BUNDLE': " + repr(str(bundle.root)) + "}\n"
        "import cv2, torch\n"
        "from service.bento.explainer import ExplainerService\n"
        "from tests import files\n"
        "explainer = ExplainerService.inner()\n"
        "print(cv2.getNumThreads(), torch.get_num_threads())\n"
        "explain = ExplainerService.inner.explain.func\n"
        "lateral = files.lateral_dicom()\n"
        "print(explain(explainer, lateral, None, 'normal', 'gradcam', 'resnet18-0', False, 'id').refusal)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == ["1 1", LateralView.__name__]
