"""The explainer's process: what it bounds, and what it answers."""

import subprocess
import sys

import pytest

from cxr.errors import LateralView
from cxr.model.bundle import Bundle
from cxr.report.result import Result
from scripts.server import REPOSITORY
from service.bento.explainer import outcome
from service.schemas import ExplanationAnswer
from tests.findings import make_explanation, make_finding


def test_pictures_leave_it_encoded_and_alone_where_one_is_asked_for(bundle: Bundle) -> None:
    result = Result.of(make_finding(), make_explanation(), bundle, b"")
    shown, picture = outcome(result, b"", ["json"]), outcome(result, b"", ["png"])
    assert isinstance(shown.answer, ExplanationAnswer)
    assert (shown.answer.heatmap_png, shown.answer.overlay_png) == ("bWFw", "b3ZlcmxheQ==")
    assert (shown.files, picture.answer, picture.files) == ({}, None, {"png": b"overlay"})
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
        "print(explain(explainer, lateral, None, 'normal', 'gradcam', 'resnet18-0', ['json'], 'id').refusal)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == ["1 1", LateralView.__name__]
