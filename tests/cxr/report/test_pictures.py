"""Which pictures a name stands for, and their encodings."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.report.pictures import EVERYTHING, Drawing, Pictures, encode

RAMP = np.repeat((np.arange(64 * 48) % 251).astype(np.uint8).reshape(48, 64, 1), 3, axis=2)


@pytest.mark.parametrize(
    ("name", "overlay", "heatmap"),
    [("none", False, False), ("overlay", True, False), ("heatmap", False, True), ("both", True, True)],
)
def test_a_name_stands_for_an_overlay_and_a_small_heatmap(name: Pictures, overlay: bool, heatmap: bool) -> None:
    assert Drawing.named(name) == Drawing(overlay, heatmap, full_size=False)


def test_without_a_name_everything_is_drawn_in_full() -> None:
    assert Drawing(True, True, True) == EVERYTHING


def test_encodings_are_those_of_their_names_and_png_loses_nothing() -> None:
    picture = Image.fromarray(RAMP)
    made = {"png": encode(picture), "jpeg": encode(picture, "jpeg"), "webp": encode(picture, "webp")}
    assert [Image.open(BytesIO(data)).format for data in made.values()] == ["PNG", "JPEG", "WEBP"]
    assert np.array_equal(np.asarray(Image.open(BytesIO(made["png"]))), RAMP)
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    assert made["jpeg"] == file.getvalue()
