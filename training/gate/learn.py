"""Examples → a trained gate, and what it says of images. Runs on a CPU in minutes, from one seed."""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cxr.arrays import Floats, Images, Ints
from networks.gate import GateNetwork
from training.gate.examples import KNOWN, VARIED, Examples

STEPS: Final = 300
BATCH: Final = 64
MAX_LR: Final = 4e-3


def train_gate(examples: Examples, seed: int, steps: int = STEPS) -> GateNetwork:
    """Binary cross-entropy, AdamW, one cycle of fixed length: nothing is chosen on other images.

    Half of each batch is to be let in, as many images as they are as varied ones; the other half is to be kept out, as
    many of each kind.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = GateNetwork().to(memory_format=torch.channels_last).train()
    by_kind = {str(kind): np.flatnonzero(examples.kinds == kind) for kind in np.unique(examples.kinds)}
    inside, outside = (KNOWN, VARIED), [kind for kind in by_kind if kind not in (KNOWN, VARIED)]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LR, total_steps=steps)
    for _ in range(steps):
        chosen = [_draw(by_kind, inside, rng), _draw(by_kind, outside, rng)]
        images = torch.from_numpy(examples.images[np.concatenate(chosen)]).unsqueeze(1)
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):  # two thirds of the time on processors that have it
            logits = network(images.contiguous(memory_format=torch.channels_last))
        _loss(logits.float()).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def logits_of(network: GateNetwork, images: Images) -> Floats:
    """[N] of prepared images [N, S, S]: above 0, rather let in than not."""
    batches = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).split(256)
    return torch.cat([network(batch) for batch in batches]).double().numpy()


def _draw(by_kind: dict[str, Ints], kinds: "tuple[str, ...] | list[str]", rng: np.random.Generator) -> Ints:
    """Half a batch, kinds in turn."""
    return np.array([rng.choice(by_kind[kinds[place % len(kinds)]]) for place in range(BATCH // 2)], np.int64)


def _loss(logits: Tensor) -> Tensor:
    """Of a batch whose first half is to be let in."""
    targets = torch.zeros_like(logits)
    targets[: len(logits) // 2] = 0.98  # a logit that need not grow forever
    targets[len(logits) // 2 :] = 0.02
    return F.binary_cross_entropy_with_logits(logits, targets)
