"""Train the gate on examples, and compute its logits. Runs on a CPU in minutes, from one seed."""

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
    """Train with binary cross-entropy and AdamW for one cycle of fixed length. Nothing is chosen on other images.

    Half of each batch must be accepted: unchanged and varied radiographs in equal numbers. The other half must be
    rejected: all kinds in equal numbers.
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
        with torch.autocast("cpu", torch.bfloat16):  # takes a third less time on processors with bfloat16
            logits = network(images.contiguous(memory_format=torch.channels_last))
        _loss(logits.float()).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def logits_of(network: GateNetwork, images: Images) -> Floats:
    """Prepared images [N, S, S] → logits [N]. Above 0, acceptance is more likely than rejection."""
    batches = torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).split(256)
    return torch.cat([network(batch) for batch in batches]).double().numpy()


def _draw(by_kind: dict[str, Ints], kinds: "tuple[str, ...] | list[str]", rng: np.random.Generator) -> Ints:
    """Indices for half a batch, with alternating kinds."""
    return np.array([rng.choice(by_kind[kinds[place % len(kinds)]]) for place in range(BATCH // 2)], np.int64)


def _loss(logits: Tensor) -> Tensor:
    """The loss of a batch. Its first half must be accepted, its second half rejected."""
    targets = torch.zeros_like(logits)
    targets[: len(logits) // 2] = 0.98  # with targets of 0 and 1 the logits would grow forever
    targets[len(logits) // 2 :] = 0.02
    return F.binary_cross_entropy_with_logits(logits, targets)
