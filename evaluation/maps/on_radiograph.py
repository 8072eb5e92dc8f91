"""A network's maps, placed on the whole radiograph, for many images at a time."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from attribution.canonize import canonize
from attribution.explain import MAPS
from attribution.lrp import lrp
from attribution.opacity import opacities
from cxr.anatomy.boxes import evidence_of
from cxr.model.frames import Placement
from cxr.report.explanation import Method
from evaluation.maps.baselines import GRID, Maps
from networks.architectures import Network
from training.data import Dataset

SLOW: Final[frozenset[Method]] = frozenset({"integrated_gradients", "occlusion"})
"""Methods that cost a hundred forward passes per image, or more."""

HEAD: Final[Method] = "opacity"
BATCH: Final = 8


def maps_of(network: Network, method: Method, images: Dataset, places: Sequence[Placement]) -> Maps:
    """A method's maps for each image's own label (docs/marks.md, rule 4).

    Args:
        network: in evaluation mode, on the CPU.
        images: the network's input images.
        places: the place of each input image on its radiograph.

    Returns:
        [N, GRID, GRID] positive evidence. Maps of single pixels are summed over regions.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)  # channels last is a quarter faster on a CPU
    attribute = partial(lrp, canonize(network)) if method == "lrp" else partial(MAPS[method], network)
    pixels, labels = torch.from_numpy(np.array(images.images))[:, None], torch.from_numpy(images.labels)
    found = []
    parts = list(zip(pixels.split(BATCH), labels.split(BATCH), strict=True))
    for some, their_labels in track(parts, f"explaining by {method}", transient=True):
        maps: Tensor = attribute(some.to(device), their_labels.to(device))
        found += list(maps.detach().float().cpu().numpy())
    return np.stack([evidence_of(one, GRID, place)[1] for one, place in zip(found, places, strict=True)])


def opacities_of(network: Network, images: Dataset) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    """[N, h, w] the second head's output for each image."""
    parts = torch.from_numpy(np.array(images.images))[:, None].split(BATCH)
    return np.concatenate([opacities(network, part).numpy() for part in parts])
