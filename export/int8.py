"""Members' graphs in 8-bit integers, for CPUs: a third of the time, for a small loss of accuracy that is measured.

Static quantisation (Jacob et al. 2018, arXiv 1712.05877): weights per channel, activations by their range on
calibration images. These graphs are optional: only the service with CXR_PRECISION=int8 uses them.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from cxr.arrays import Images, Views
from cxr.model.bundle import Bundle, OnnxFile, onnx_name
from cxr.model.sessions import INPUT
from export.to_onnx import store, write

CALIBRATION_IMAGES: Final = 64
MAX_LOSS: Final = 0.005
"""The largest accepted loss of macro-F1."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Macro-F1 of the ensemble on the same images, in float32 and in int8."""

    float32: float
    int8: float

    @property
    def acceptable(self) -> bool:
        return self.float32 - self.int8 <= MAX_LOSS


def quantise_bundle(bundle: Bundle, views: Views) -> None:
    """Write onnx/<member>.int8.onnx for every member, and rewrite onnx/manifest.json.

    Args:
        bundle: exported.
        views: [N, S, S] uint8 in each of its frames. Evenly spaced images of these calibrate the ranges.

    Raises:
        BundleError: a float32 graph is missing or altered.
    """
    folder = bundle.root / "onnx"
    files = dict(bundle.onnx.files)
    for member in bundle.manifest.members:
        name, images = onnx_name(member, "int8"), views[member.frame]
        chosen = images[:: max(1, len(images) // CALIBRATION_IMAGES)]
        files[name] = store(folder / name, quantise(bundle.read_onnx(member, "float32"), chosen), member)
    _write_manifest(bundle, files)


def discard(bundle: Bundle) -> None:
    """Remove the int8 graphs."""
    folder = bundle.root / "onnx"
    names = {onnx_name(member, "int8") for member in bundle.manifest.members}
    files = {name: file for name, file in bundle.onnx.files.items() if name not in names}
    _write_manifest(bundle, files)
    for name in names:
        (folder / name).unlink(missing_ok=True)


def _write_manifest(bundle: Bundle, files: dict[str, OnnxFile]) -> None:
    """Rewrite the manifest with this list of files."""
    manifest = bundle.onnx.model_copy(update={"files": files})
    write(bundle.root / "onnx" / "manifest.json", manifest.model_dump_json(indent=2).encode() + b"\n")


def quantise(graph: bytes, images: Images) -> onnx.ModelProto:
    """Quantise the convolutions of a float32 graph; inputs and outputs keep their types. onnxruntime works on files."""
    with TemporaryDirectory() as folder:
        source, ready, target = (Path(folder) / name for name in ("source.onnx", "ready.onnx", "target.onnx"))
        source.write_bytes(graph)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            target,
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(target)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Gives onnxruntime the calibration images one by one."""

    def __init__(self, images: Images) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, Images] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: np.array(image[np.newaxis, np.newaxis])}
