"""Train the lung segmenter on masks and images, and measure its agreement with held-out masks.

Masks are by people and by another segmenter (`training.lungs.masked_images`). Agreement with the latter is not
accuracy. Runs on a CPU or a GPU, from one seed.
"""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from networks.unet import WIDTHS, UNet
from training.augmentation.augment import Augmentation, augment_with_masks
from training.lungs.masked_images import MaskedImages

RECIPE: Final = "clahe-1"
SIZE: Final = (
    64  # enough for zones of a third of a lung; 1.5 times the side gains 0.006 in Dice and takes twice the time
)

# Wide, because masks of two sources must suffice for every hospital. Erased rectangles imitate white lungs and devices.
VARIATIONS: Final = Augmentation(
    rotation=15,
    translation=0.1,
    scale=0.25,
    aspect=0.15,
    flip=0.5,
    brightness=0.2,
    contrast=0.35,
    gamma=0.4,
    blur=0.3,
    noise=0.04,
    erase=0.4,
)


def train_segmenter(
    data: MaskedImages,
    epochs: int,
    seed: int,
    batch_size: int = 16,
    max_lr: float = 4e-3,
    widths: tuple[int, ...] = WIDTHS,
) -> UNet:
    """A U-Net trained on these masks: binary cross-entropy plus soft Dice, AdamW, one cycle.

    It learns both conventions of outlining, each from its own masks, with a common trunk. The first output is the whole
    lung (`MaskedImages.whole`), which is deployed. The number of epochs is fixed beforehand and the last weights are
    returned: nothing is chosen on other images.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    rng = torch.Generator(device).manual_seed(seed)
    network: UNet = UNet(widths, outputs=2).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.from_numpy(data.images).unsqueeze(1).to(device)
    masks = torch.from_numpy(data.masks).unsqueeze(1).to(device)
    convention = torch.from_numpy((~data.whole).astype(np.int64)).to(device)
    steps = max(1, len(images) // batch_size)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=epochs * steps)
    for _ in track(range(epochs), "lungs, epoch"):
        order = torch.randperm(len(images), device=device, generator=rng)
        for batch in order.tensor_split(steps):
            inputs, targets = augment_with_masks(images[batch], masks[batch], VARIATIONS, rng)
            optimizer.zero_grad()
            outlines = network.outlines(inputs.contiguous(memory_format=torch.channels_last))
            _loss(outlines[torch.arange(len(batch)), convention[batch]], targets[:, 0]).backward()
            optimizer.step()
            schedule.step()
    return network.eval().cpu()


@torch.inference_mode()
def dice(network: UNet, data: MaskedImages) -> NDArray[np.float64]:
    """[N] Dice coefficients 2|A ∩ B| / (|A| + |B|) of predicted lungs A and masks B, each in the mask's convention.

    A network with one output is compared with all masks by that output.
    """
    batches = torch.from_numpy(data.images).unsqueeze(1).split(32)
    outlines = torch.cat([network.outlines(batch) > 0 for batch in batches]).numpy()
    predicted = outlines[np.arange(len(outlines)), np.minimum((~data.whole).astype(int), outlines.shape[1] - 1)]
    both = (predicted & data.masks).sum(axis=(1, 2))
    return np.asarray(2 * both / (predicted.sum(axis=(1, 2)) + data.masks.sum(axis=(1, 2))), dtype=np.float64)


def _loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over images of cross-entropy, which places borders, and 1 - Dice, which weighs all lungs equally."""
    p = logits.sigmoid()
    overlap = 2 * (p * targets).sum(dim=(1, 2)) + 1
    total = p.sum(dim=(1, 2)) + targets.sum(dim=(1, 2)) + 1
    return F.binary_cross_entropy_with_logits(logits, targets) + (1 - overlap / total).mean()
