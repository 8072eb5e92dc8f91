"""The loss of a run: cross-entropy with weights, and the terms for boxes and for evidence, on given outputs."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cxr.errors import DataError
from networks.architectures import build
from networks.opacity_head import BothHeads
from training.config import TrainConfig
from training.data import Row
from training.evidence import WithEvidence, outside_loss
from training.objective import Objective
from training.opacities import opacity_loss

CPU = torch.device("cpu")
ROWS = (Row("a.png", "covid19", "here", "p1", "train"), Row("b.png", "normal", "here", "p2", "train"))
BOXES = {"a.png": [(0.0, 0.0, 0.5, 0.5)]}
LUNGS = {"a.png": np.eye(8, dtype=bool), "b.png": np.zeros((8, 8), bool)}
IMAGES = torch.zeros(2, 1, 32, 32)
LOGITS = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]])
TARGETS = torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 3.0]])


def objective(**changes: Any) -> Objective:
    return Objective(TrainConfig(size=32, label_smoothing=0.0, **changes), ROWS, BOXES, LUNGS, CPU)


def cross_entropy() -> Tensor:
    """The images count 1 and 3."""
    own = -LOGITS.log_softmax(dim=1)[[0, 1], [2, 0]]
    return (own[0] + 3 * own[1]) / 4


def test_without_terms_it_is_the_weighted_cross_entropy() -> None:
    plain = objective()
    assert plain.masks is None
    network = build("resnet18")
    assert plain.over(network) is network
    torch.testing.assert_close(plain.loss(lambda _: LOGITS, IMAGES, TARGETS), cross_entropy())


def test_boxes_are_a_term_of_the_second_head() -> None:
    with_boxes = objective(opacity_weight=2.0)
    assert with_boxes.masks is not None
    assert with_boxes.masks.shape == (2, 2, 32, 32)
    assert isinstance(with_boxes.over(build("resnet18", opacity_head=True)), BothHeads)
    opacities, masks = torch.randn(2, 1, 4, 4), with_boxes.masks.float()
    found = with_boxes.loss(lambda _: (LOGITS, opacities), torch.cat([IMAGES, masks], dim=1), TARGETS)
    torch.testing.assert_close(found, cross_entropy() + 2 * opacity_loss(opacities, masks))


def test_lungs_are_a_term_of_the_evidence() -> None:
    with_lungs = objective(evidence_weight=0.5)
    assert with_lungs.masks is not None
    assert with_lungs.masks[0, 0].sum() == 4 * 4 * 8, "the lungs of eight cells, four times as large"
    assert with_lungs.masks[0, 1].all()
    assert not with_lungs.masks[1].any(), "without lungs nothing is known"
    assert isinstance(with_lungs.over(build("resnet18")), WithEvidence)
    relevance, masks = torch.rand(2, 1, 4, 4), with_lungs.masks.float()
    asked: list[Tensor] = []

    def forward(_images: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        asked.append(shares)
        return LOGITS, relevance

    found = with_lungs.loss(forward, torch.cat([IMAGES, masks], dim=1), TARGETS)
    torch.testing.assert_close(found, cross_entropy() + 0.5 * outside_loss(relevance, masks))
    torch.testing.assert_close(asked[0], TARGETS[:, :3])


@pytest.mark.parametrize(("term", "said"), [("opacity_weight", "no boxes"), ("evidence_weight", "no lung masks")])
def test_a_term_without_its_marks_is_named(term: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        Objective(TrainConfig(size=32, **{term: 1.0}), ROWS, {}, {}, CPU)  # type: ignore[arg-type]
