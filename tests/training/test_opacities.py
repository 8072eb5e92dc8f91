"""The second head's target: each cell's share under boxes, for images with known opacities."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cxr.errors import DataError
from cxr.labels import Label
from cxr.model.frames import placement
from training.data import Row
from training.opacities import covered_by_boxes, framed, known, opacity_loss, opacity_masks, read_boxes

HEADER = "file,x,y,w,h,kind,by\n"


def row(file: str, label: Label = "covid19") -> Row:
    return Row(file, label, "siim", file, "train")


def test_boxes_around_opacities_are_read(tmp_path: Path) -> None:
    lines = ["a,0.1,0.2,0.3,0.4,opacity,x", "a,0.5,0.5,0.1,0.1,Pneumonia,x", "b,0,0,1,1,Cardiomegaly,x"]
    (tmp_path / "boxes.csv").write_text(HEADER + "\n".join(lines))
    assert read_boxes(tmp_path) == {"a": [(0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.1, 0.1)]}


def test_without_the_file_there_are_no_boxes(tmp_path: Path) -> None:
    assert read_boxes(tmp_path) == {}


@pytest.mark.parametrize("text", ["file,x\na,0.1", HEADER + "a,0.1,0.2,wide,0.4,opacity,x", HEADER + "a,0.1"])
def test_a_damaged_file_is_a_named_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(DataError, match=r"boxes\.csv"):
        read_boxes(tmp_path)


def test_pixels_in_a_box_are_covered_also_where_it_leaves_the_frame() -> None:
    boxes = {"a": [(0.25, 0.5, 0.5, 0.25)], "b": [(-0.5, -0.5, 1.0, 1.0), (0.75, 0.75, 1.0, 1.0)]}
    a, b, nothing = covered_by_boxes([row("a"), row("b"), row("c")], boxes, 8)
    assert a[4:6, 2:6].all()
    assert a.sum() == 8
    assert b[:4, :4].all()
    assert b[6:, 6:].all()
    assert b.sum() == 20
    assert not nothing.any()


def test_normal_images_and_those_with_boxes_are_known() -> None:
    boxes = {"a": [(0.0, 0.0, 1.0, 1.0)]}
    rows = [row("a"), row("b"), row("c", "normal"), row("d", "pneumonia")]
    assert known(rows, boxes).tolist() == [True, False, True, False]
    masks = opacity_masks(rows, boxes, 4, torch.device("cpu"))
    assert masks.float().mean(dim=(2, 3)).tolist() == [[1, 1], [0, 0], [0, 1], [0, 0]]


def test_the_loss_is_cross_entropy_against_the_share_of_each_cell_over_known_images() -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 1, 2, 2, generator=rng)
    covered = (torch.rand(3, 1, 8, 8, generator=rng) > 0.5).float()
    counts = torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1, 1).expand_as(covered)
    shares = F.avg_pool2d(covered, 4)
    expected = F.binary_cross_entropy_with_logits(logits[[0, 2]], shares[[0, 2]])
    torch.testing.assert_close(opacity_loss(logits, torch.cat([covered * counts, counts], dim=1)), expected)


def test_a_mixtures_loss_is_the_mixture_of_the_losses() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(1, 1, 2, 2)))
    one, other = (torch.from_numpy((rng.random((1, 2, 8, 8)) > 0.5).astype(float)) for _ in range(2))
    one[:, 1], other[:, 1] = 1.0, 1.0
    mixed = opacity_loss(logits, one.lerp(other, 0.3))
    torch.testing.assert_close(mixed, 0.7 * opacity_loss(logits, one) + 0.3 * opacity_loss(logits, other))
    unknown = torch.zeros_like(other)
    torch.testing.assert_close(opacity_loss(logits, one.lerp(unknown, 0.3)), opacity_loss(logits, one))


def test_without_known_images_there_is_no_loss() -> None:
    assert float(opacity_loss(torch.ones(2, 1, 2, 2), torch.zeros(2, 2, 8, 8))) == 0


def test_boxes_move_into_the_frame() -> None:
    mask = np.zeros((64, 64), bool)
    mask[16:48, 8:56] = True
    boxes = {"a": [(0.25, 0.5, 0.5, 0.25)], "b": [(0.25, 0.5, 0.5, 0.25)]}
    moved = framed(boxes, "lungs-1", {"a": mask, "b": np.zeros_like(mask)})
    place = placement("lungs-1", mask)
    x, y, w, h = moved["a"][0]
    assert place.left + x * (place.right - place.left) == pytest.approx(0.25)
    assert place.top + y * (place.bottom - place.top) == pytest.approx(0.5)
    assert w == pytest.approx(0.5 / (place.right - place.left))
    assert h == pytest.approx(0.25 / (place.bottom - place.top))
    assert moved["b"] == boxes["b"], "without lungs the frame is the whole image"
    assert framed(boxes, "full-1", {}) == boxes
