"""Golden answers: the exported graphs give them, and other graphs do not."""

import json
from pathlib import Path

import pytest

from cxr.errors import GoldenDiffers
from cxr.model.bundle import Bundle
from cxr.model.golden import check_golden, golden_image
from cxr.model.inference import Ensemble


def test_the_picture_has_most_grey_levels(bundle: Bundle) -> None:
    image = golden_image(bundle.manifest.recipe)
    assert image.shape == (64, 64)
    assert len(set(image.ravel().tolist())) > 100


def test_what_was_exported_gives_its_golden_answers(bundle: Bundle) -> None:
    assert set(bundle.onnx.golden) == {member.name for member in bundle.manifest.members}
    check_golden(bundle, Ensemble(bundle))


def test_a_member_with_other_answers_is_named(copy: Path) -> None:
    path = copy / "onnx" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["golden"]["vgg16-bn-1"][2] += 0.01
    path.write_text(json.dumps(manifest))
    with pytest.raises(GoldenDiffers, match=r"vgg16-bn-1 of .* differs from its golden logits by 0\.01"):
        check_golden(Bundle(copy), Ensemble(Bundle(copy), precision="float32"))
