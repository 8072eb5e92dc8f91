"""The loss of a run: cross-entropy, optionally with the second head's loss or that for evidence outside the lungs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cxr.errors import DataError
from cxr.model.frames import Mask
from networks.architectures import Network
from networks.opacity_head import BothHeads
from training.config import TrainConfig
from training.data import Row
from training.evidence import WithEvidence, outside_loss
from training.opacities import Boxes, opacity_loss, opacity_masks


class Objective:
    """A run's loss, and the two masks of each training image that it may need: [N, 2, S, S] uint8, or none."""

    def __init__(
        self,
        config: TrainConfig,
        rows: Sequence[Row],
        boxes: Boxes,
        lungs: Mapping[str, Mask],
        device: torch.device,
    ) -> None:
        """Raises DataError if the loss has a term for boxes or lungs, but there are none."""
        self.config = config
        self.device = device
        self.masks: Tensor | None = None
        if config.opacity_weight:
            if not boxes:
                raise DataError("opacity_weight is set, but the data's boxes.csv has no boxes")
            self.masks = opacity_masks(rows, boxes, config.size, device)
        elif config.evidence_weight:
            self.masks = _lung_masks(rows, lungs, config.size).to(device)

    def over(self, network: Network) -> nn.Module:
        """The network as one module with all outputs that the loss needs."""
        if self.config.opacity_weight:
            return BothHeads(network)
        return WithEvidence(network) if self.config.evidence_weight else network

    def loss(self, forward: Callable[..., Any], inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of a batch: images with masks [N, 1 or 3, S, S]; targets [N, K + 1], label shares and a weight."""
        images, masks = inputs[:, :1].contiguous(memory_format=torch.channels_last), inputs[:, 1:]
        shares = targets[:, :-1]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            answers = forward(images, shares) if self.config.evidence_weight else forward(images)
        if self.config.opacity_weight:
            logits, opacities = answers
            return self._cross_entropy(logits, targets) + self.config.opacity_weight * opacity_loss(
                opacities.float(), masks
            )
        if self.config.evidence_weight:
            logits, relevance = answers
            return self._cross_entropy(logits, targets) + self.config.evidence_weight * outside_loss(
                relevance.float(), masks
            )
        return self._cross_entropy(answers, targets)

    def _cross_entropy(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The weighted mean over a batch."""
        shares, weights = targets[:, :-1], targets[:, -1]
        losses = F.cross_entropy(logits.float(), shares, label_smoothing=self.config.label_smoothing, reduction="none")
        return (losses * weights).sum() / weights.sum()


def _lung_masks(rows: Sequence[Row], lungs: Mapping[str, Mask], size: int) -> Tensor:
    """[N, 2, size, size]: lungs, and 1 everywhere on images with plausible lungs."""
    masks = np.zeros((len(rows), 2, size, size), np.uint8)
    for target, row in zip(masks, rows, strict=True):
        mask = lungs.get(row.file)
        if mask is not None and mask.any():
            target[0] = cv2.resize(mask.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
            target[1] = 1
    if not masks.any():
        raise DataError("evidence_weight is set, but there are no lung masks: name a file of them with --masks")
    return torch.from_numpy(masks)
