"""Measure the quality of a network's explanations: five methods and two baselines, by the criteria of `attribution`.

    python -m evaluation.maps.explanations --weights WEIGHTS --architecture densenet161 --data DIR --output JSON

An image costs some 770 forward passes: 360 for deletion and insertion (9 orders of 2 · 20 steps), 51 for infidelity,
55 for sensitivity, 27 for the cascade, 275 for integrated gradients and occlusion; LRP counts 3.3. Needs neither
pydantic nor onnxruntime; captum for the two slow methods.
"""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, cast

import numpy as np
import torch
import typer
from rich.progress import track
from torch import Tensor

from attribution.canonize import CanonicalNetwork, canonize
from attribution.faithfulness import Curves, curves, infidelity, order, square_removals
from attribution.gradcam import gradcam, gradcam_plus_plus
from attribution.lrp import lrp
from attribution.metrics import (
    Attribute,
    centred_gaussian,
    conservation_error,
    lung_concentration,
    on_grid,
    pointing_game,
    random_map,
)
from attribution.perturbation import integrated_gradients, occlusion
from attribution.robustness import STAGES, cascade, max_sensitivity
from cxr.arrays import Mask
from cxr.model.architecture import Architecture
from cxr.model.frames import FULL
from evaluation.maps.lung_masks import framed, of_the_table
from evaluation.maps.quality import Explanations
from evaluation.metrics import spearman
from networks.architectures import Network, load_weights
from training.data import DEFAULT_DATA, Dataset, load
from training.lungs.mask_file import load_masks

METHODS: Final[dict[str, Attribute]] = {
    "gradcam_plus_plus": gradcam_plus_plus,
    "gradcam": gradcam,
    "lrp": lrp,
    "random": random_map,
    "gaussian": centred_gaussian,
}
SLOW: Final[dict[str, Attribute]] = {"integrated_gradients": integrated_gradients, "occlusion": occlusion}
"""Methods that cost a hundred forward passes. They run once per image: no sensitivity, and no shuffled weights."""

RANDOM_ORDERS: Final = 2  # deletion and insertion are compared with the mean over these orders
SQUARES: Final = 50


def choose(data: Dataset, count: int, seed: int = 0) -> Dataset:
    """This many images, drawn at random; all images if there are not more."""
    chosen = set(np.random.default_rng(seed).permutation(len(data.rows))[:count].tolist())
    return data.where(index in chosen for index in range(len(data.rows)))


def explanations(
    network: Network, architecture: str, data: Dataset, lungs: Mask, batch: int = 50, seed: int = 0
) -> Explanations:
    """Measure the explanations of the predicted label, on a GPU if there is one.

    Args:
        network: in evaluation mode, on the CPU.
        architecture: its name.
        data: images outside its training data.
        lungs: [N, S, S] masks over the whole image, of any size; all false for an image without known lungs.
        batch: number of images at a time.
        seed: of noise, squares, random orders and shuffled weights.
    """
    start = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    chance = torch.Generator(device).manual_seed(seed)
    shuffled = cascade(network, torch.Generator().manual_seed(seed))
    subject = _Subject(_ready(network, device), [_ready(copied, device) for copied in shuffled])
    images, masks = torch.from_numpy(np.array(data.images)).unsqueeze(1), torch.from_numpy(lungs)
    parts: dict[str, list[Tensor]] = defaultdict(list)
    batches = list(zip(images.split(batch), masks.split(batch), strict=True))
    for some, their_lungs in track(batches, "explaining", transient=True):
        for name, values in _measure(subject, some.to(device), their_lungs.to(device), chance):
            parts[name].append(values.double().cpu())
    return Explanations.of(
        {name: torch.cat(values).numpy() for name, values in parts.items()},
        [row.patient for row in data.rows],
        architecture=architecture,
        lungs=int(lungs.any(axis=(1, 2)).sum()),
        device=torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        seconds=round(time.perf_counter() - start, 1),
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    """The network whose explanations are measured, and its copies with more and more randomised layers."""

    network: CanonicalNetwork
    shuffled: list[CanonicalNetwork]


def _ready(network: Network, device: torch.device) -> CanonicalNetwork:
    return canonize(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


Values = Iterator[tuple[str, Tensor]]


def _measure(subject: _Subject, images: Tensor, lungs: Tensor, chance: torch.Generator) -> Values:
    """The values [N] of these images for each name of `Explanations.figures`."""
    network = subject.network
    with torch.no_grad():
        logits = network(images)
    targets = logits.argmax(dim=1)
    maps = {method: attribute(network, images, targets) for method, attribute in (METHODS | SLOW).items()}
    yield "lrp/conservation", conservation_error(maps["lrp"], logits.gather(1, targets[:, None])[:, 0])
    yield from _faithfulness(network, images, targets, maps, chance)
    for method, heatmap in maps.items():
        yield f"{method}/lungs", lung_concentration(heatmap, lungs)
        yield f"{method}/pointing", pointing_game(heatmap, lungs)
    for method, attribute in METHODS.items():
        yield f"{method}/sensitivity", max_sensitivity(attribute, network, images, targets, chance)
        for share, copied in zip(STAGES, subject.shuffled, strict=True):
            correlation = rank_correlation(maps[method], attribute(copied, images, targets))
            yield f"{method}/randomised@{share:g}", correlation
        yield f"{method}/randomised", correlation.abs()


def rank_correlation(left: Tensor, right: Tensor) -> Tensor:
    """[N] Spearman's rank correlation of the strength |R| of two sets of maps on the grid; 0 if a map is constant."""
    strengths = (on_grid(maps).abs().flatten(1).cpu().numpy() for maps in (left, right))
    return torch.from_numpy(np.nan_to_num(spearman(*strengths)))


def _faithfulness(
    network: CanonicalNetwork, images: Tensor, targets: Tensor, maps: dict[str, Tensor], chance: torch.Generator
) -> Values:
    squares, losses = square_removals(network, images, targets, SQUARES, chance)

    def along(heatmap: Tensor) -> Curves:
        return curves(network, images, targets, order(heatmap, chance))

    orders = [along(random_map(network, images, targets)) for _ in range(RANDOM_ORDERS)]
    deleted = torch.stack([curve.deletion_auc for curve in orders]).mean(dim=0)
    inserted = torch.stack([curve.insertion_auc for curve in orders]).mean(dim=0)
    for method, heatmap in maps.items():
        found = along(heatmap)
        yield f"{method}/deletion", deleted - found.deletion_auc
        yield f"{method}/insertion", found.insertion_auc - inserted
        yield f"{method}/aopc", found.aopc
        yield f"{method}/infidelity", infidelity(heatmap, squares, losses)


def main(
    weights: Annotated[Path, typer.Option(help="Weights in safetensors.")],
    architecture: Annotated[str, typer.Option(help="Architecture of the weights.")],
    output: Annotated[Path, typer.Option(help="The JSON file to write.")],
    data: Annotated[Path, typer.Option(help="Folder with metadata.csv.")] = DEFAULT_DATA,
    images: Annotated[int, typer.Option(help="Number of validation images.")] = 300,
    lungs: Annotated[
        Path | None, typer.Option(help="Masks from `training.lungs.mask_file`. Default: the data set's few masks.")
    ] = None,
    recipe: str = "clahe-1",
    size: int = 224,
    frame: str = FULL,
    batch: int = 50,
) -> None:
    """Measure the explanations of weights on validation images, and write JSON."""
    network = load_weights(cast(Architecture, architecture), weights.read_bytes())
    found = load_masks(lungs) if lungs else None
    chosen = choose(load(data, "val", recipe, size, frame=frame, masks=found), images)
    masks = framed(found, chosen.rows, frame) if found else of_the_table(data, chosen.rows)
    made = explanations(network, architecture, chosen, masks, batch)
    output.write_text(json.dumps(asdict(made), indent=1, allow_nan=False) + "\n")
    typer.echo("\n".join(made.verdict()))
    typer.echo(f"{output}: {made.images} images, {made.lungs} with lungs, {made.seconds} s on {made.device}")


if __name__ == "__main__":
    typer.run(main)
