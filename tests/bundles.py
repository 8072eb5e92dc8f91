"""Bundles with random weights: real files, real hashes, exported graphs, no training."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from safetensors.torch import save

from cxr.labels import LABELS
from cxr.model.architecture import Architecture
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle, OnnxManifest, Precision, onnx_name
from cxr.model.bundle_files import sha256
from cxr.model.frames import FULL
from cxr.model.posterior import EnsembleRule
from export.to_onnx import export_bundle
from networks.architectures import build, storable


def make_bundle(
    root: Path,
    architectures: Sequence[Architecture] = ("resnet18",),
    ensemble: EnsembleRule = "scpa",
    size: int = 64,
    seed: int = 0,
    lungs: bool = False,
    opacity_heads: Sequence[Architecture] = (),
) -> Bundle:
    """Write and export a bundle with one randomly initialised member for each architecture, on the full frame.

    With `lungs` it has the default bundle's lung segmenter and gate, which are not random.
    """
    (root / "weights").mkdir(parents=True)
    members = [
        _member(root, architecture, seed, architecture in opacity_heads)
        for seed, architecture in enumerate(architectures, seed)
    ]
    manifest = {
        "schema_version": 2,
        "name": "random",
        "version": "0",
        "labels": LABELS,
        "recipe": {"id": "clahe-1", "size": size},
        "members": members,
        "ensemble": ensemble,
        "explainer": members[0]["name"],
        "temperature": 0.5,
        "conformal": {"coverage": 0.9, "thresholds": dict.fromkeys(LABELS, 0.7)},
        "training_manifest_sha256": "0" * 64,
        "lungs": _handed_on(root, "lungs") if lungs else None,
        "gate": _handed_on(root, "gate") if lungs else None,
    }
    (root / "bundle.json").write_text(json.dumps(manifest))
    bundle = Bundle(root)
    export_bundle(bundle)
    return Bundle(root)


def _handed_on(root: Path, name: Literal["lungs", "gate"]) -> dict[str, object]:
    """The default bundle's network of this name."""
    default = Bundle(DEFAULT_BUNDLE)
    stored = getattr(default.manifest, name)
    assert stored is not None
    (root / "weights" / stored.weights).write_bytes(default.read_weights(stored))
    description: dict[str, object] = stored.model_dump()
    return description


def first_member_only(bundle: Bundle, root: Path, exported: bool = False) -> Bundle:
    """A bundle of another's first member, exported or not; weights and graphs are links, so unlink before writing."""
    manifest = bundle.manifest.model_copy(update={"members": bundle.manifest.members[:1], "lungs": None, "gate": None})
    (root / "weights").mkdir(parents=True)
    weights = manifest.members[0].weights
    (root / "weights" / weights).hardlink_to(bundle.root / "weights" / weights)
    (root / "bundle.json").write_text(manifest.model_dump_json())
    if exported:
        hand_on_graphs(bundle, root)
    return Bundle(root)


def hand_on_graphs(bundle: Bundle, root: Path) -> None:
    """What an export of a bundle of the first member alone would write, as links to the graphs that there are."""
    (root / "onnx").mkdir(exist_ok=True)
    member = bundle.manifest.members[0]
    names = [onnx_name(member, precision) for precision in get_args(Precision)]
    files = {name: file for name, file in bundle.onnx.files.items() if name in names}
    for name in files:
        (root / "onnx" / name).hardlink_to(bundle.root / "onnx" / name)
    golden = {member.name: bundle.onnx.golden[member.name]}
    (root / "onnx" / "manifest.json").write_text(OnnxManifest(files=files, golden=golden).model_dump_json())


def _member(root: Path, architecture: Architecture, seed: int, opacity_head: bool) -> dict[str, object]:
    torch.manual_seed(seed)
    data = save(storable(build(architecture, opacity_head)))
    name = f"{architecture.replace('_', '-')}-{seed}"
    (root / "weights" / f"{name}.safetensors").write_bytes(data)
    return {
        "name": name,
        "architecture": architecture,
        "weights": f"{name}.safetensors",
        "sha256": sha256(data),
        "frame": FULL,
        "opacity_head": opacity_head,
    }


def variant(bundle: Bundle, root: Path, **changes: object) -> Bundle:
    """A bundle with the same weights and graphs (by links: write none of them) and other fields in bundle.json."""
    root.mkdir(parents=True)
    for folder in ("weights", "onnx"):
        shutil.copytree(bundle.root / folder, root / folder, copy_function=os.link)
    manifest = json.loads((bundle.root / "bundle.json").read_text())
    (root / "bundle.json").write_text(json.dumps(manifest | changes))
    return Bundle(root)


def framed(bundle: Bundle, root: Path, *frames: str, **changes: object) -> Bundle:
    """As `variant`, and with these frames for the members."""
    members = [
        member.model_copy(update={"frame": frame}).model_dump(mode="json")
        for member, frame in zip(bundle.manifest.members, frames, strict=True)
    ]
    return variant(bundle, root, members=members, **changes)
