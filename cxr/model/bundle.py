"""The bundle: a folder with everything that a service needs, where every file is verified by its hash.

    bundle.json             this module's `Manifest`
    weights/*.safetensors   one file for each member, one for the lung segmenter, one for the gate, and one with hashes
                            of the training images
    onnx/                   made by `export`, never committed: a graph for each member and precision, lungs.onnx,
                            gate.onnx, and manifest.json
    SHA256SUMS{,.sig}       in a signed bundle: `cxr.model.signature`

`read_weights` and `read_onnx` return bytes whose SHA-256 has been checked. torch and onnxruntime get these bytes and no
path, so that nothing can change between the check and the use.
"""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxr.errors import BundleError
from cxr.labels import LABELS, Label
from cxr.model import signature
from cxr.model.architecture import Architecture
from cxr.model.bundle_files import read_json, read_verified, sha256
from cxr.model.bundle_schemas import as_schema_2
from cxr.model.frames import FRAMES, FULL
from cxr.model.posterior import EnsembleRule
from cxr.model.preprocess import RECIPES

ENSEMBLE: Final = "ensemble"  # stands for all members together where a member's name is expected

DEFAULT_BUNDLE: Final = Path(__file__).parents[2] / "models" / "default"

_WHERE_A_BUNDLE_IS: Final = (
    "name a model's folder with --bundle or CXR_BUNDLE. The default model is in the project's repository, "
    "in models/default; an installed package contains none"
)

LUNGS_ONNX: Final = "lungs.onnx"
"""File name of the lung segmenter's graph inside onnx/. A member's file name has two dots."""

GATE_ONNX: Final = "gate.onnx"
"""File name of the gate's graph."""

Precision = Literal["float32", "bfloat16", "float16", "int8"]
"""The number format of a computation. Each has its own graph, except bfloat16, which uses float32's."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]  # no separators: it cannot leave its folder
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Recipe(_Strict):
    """The pre-processing that the members were trained with."""

    id: str
    size: Annotated[int, Field(ge=32, le=1024)]

    @model_validator(mode="after")
    def _known(self) -> "Recipe":
        if self.id not in RECIPES:
            raise ValueError("unknown recipe")
        return self


class Member(_Strict):
    """One network of the ensemble.

    `frame` is the part of a radiograph that it sees. With `opacity_head` its weights include the second head, and its
    graphs have a second output, `cxr.model.sessions.OPACITY`.
    """

    name: Name
    architecture: Architecture
    weights: FileName
    sha256: Sha256
    frame: str
    opacity_head: bool = False
    cycle: Annotated[int | None, Field(ge=1, le=10_000)] = None
    validation: dict[str, float] = {}

    @model_validator(mode="after")
    def _known(self) -> "Member":
        if self.frame not in FRAMES:
            raise ValueError("unknown frame")
        return self


class Segmenter(_Strict):
    """The network that outlines the lungs, for lung frames and to locate a map's evidence."""

    weights: FileName
    sha256: Sha256
    recipe: Recipe


class Gate(_Strict):
    """The network that decides whether an image is an upright frontal chest radiograph like those it was trained on.

    An image with a score under `threshold` is unfamiliar.
    """

    weights: FileName
    sha256: Sha256
    recipe: Recipe
    threshold: Probability


class Hashes(_Strict):
    """64-bit perceptual hashes of the images that trained and calibrated the bundle (used by `study.site.copies`)."""

    weights: FileName
    sha256: Sha256


class Conformal(_Strict):
    """Class-conditional conformal prediction: thresholds on 1 - p for one target coverage."""

    coverage: Annotated[float, Field(ge=0.5, lt=1.0)]
    thresholds: dict[Label, Probability]

    @model_validator(mode="after")
    def _complete(self) -> "Conformal":
        if set(self.thresholds) != set(LABELS):
            raise ValueError("a threshold for each label is needed")
        return self


class Reference(_Strict):
    """Mean and standard deviation of a figure over a site's images, as a reference to detect drift."""

    mean: float
    deviation: Annotated[float, Field(gt=0.0)]


class Site(_Strict):
    """The record of a recalibration by `cxr site`: where, on which images, and from which bundle.

    name:        of the site, as the user gave it
    images:      by label, the number of images that fitted temperature and thresholds
    base:        name and version of the bundle that the weights come from, and the SHA-256 of its bundle.json
    labels_sha256: of the table of local labels
    kept:        labels with too few images here. Their threshold keeps them in as many sets as before
    reference:   by figure, the values of `cxr_reference_mean` and `cxr_reference_deviation` (`service.metrics`)
    """

    name: Name
    images: dict[Label, Annotated[int, Field(ge=0)]]
    base: str
    base_sha256: Sha256
    labels_sha256: Sha256
    kept: tuple[Label, ...] = ()
    reference: dict[Name, Reference] = {}


class Pointing(_Strict):
    """By method, how often the explaining member's maps point at regions that radiologists marked, on one source.

    `hits` is the share of the images in which a map's maximum lies in a radiologist's box. `constant` is the same
    share for a constant map, the mean of the training set's boxes.
    """

    split: Literal["val", "test"]
    source: Name
    images: Annotated[int, Field(ge=1)]
    hits: dict[Name, Probability]
    constant: Probability


class Manifest(_Strict):
    """bundle.json.

    Older bundles have no `explainer_reason`. `calibrated_on` describes the images that fitted temperature and
    thresholds, unless these were the calibration half of the training table's validation split. `pointing` is missing
    in some bundles. Schema 1 is converted to schema 2 (`cxr.model.bundle_schemas`).
    """

    schema_version: Literal[2]
    name: Name
    version: Name
    labels: tuple[Label, ...]
    recipe: Recipe
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=32)]
    ensemble: EnsembleRule
    explainer: Name
    explainer_reason: str | None = None
    temperature: Annotated[float, Field(ge=0.05, le=20.0)]  # outside it posteriors are all 0 and 1, or all equal
    conformal: Conformal
    calibrated_on: str | None = None
    training_manifest_sha256: Sha256
    lungs: Segmenter | None = None
    pointing: Pointing | None = None
    gate: Gate | None = None
    hashes: Hashes | None = None
    site: Site | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Manifest":
        names = [member.name for member in self.members]
        if self.labels != LABELS:
            raise ValueError("labels differ from this build's")
        if len(set(names)) != len(names) or self.explainer not in names:
            raise ValueError("members need distinct names, and the explainer must be one of them")
        if ENSEMBLE in names:
            raise ValueError("a member's name is that of the whole ensemble")
        if self.sees_lungs and self.lungs is None:
            raise ValueError("a member's frame needs a lung segmenter")
        return self

    @property
    def frames(self) -> tuple[str, ...]:
        """The members' frames, each once."""
        return tuple(dict.fromkeys(member.frame for member in self.members))

    @property
    def sees_lungs(self) -> bool:
        """Whether any member's frame is cut out by the lungs' mask."""
        return any(frame != FULL for frame in self.frames)

    @property
    def stored(self) -> tuple["Stored", ...]:
        """Everything that has a file in weights/."""
        others = (self.lungs, self.gate, self.hashes)
        return *self.members, *(one for one in others if one is not None)

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible values of an explanation's member: each member's name, and `ENSEMBLE`."""
        return *(member.name for member in self.members), ENSEMBLE


Network = Member | Segmenter | Gate
Stored = Network | Hashes


class OnnxFile(_Strict):
    """One exported graph: its hash, and the hash of the weights it was made from."""

    sha256: Sha256
    weights_sha256: Sha256


class OnnxManifest(_Strict):
    """onnx/manifest.json. Calibration is not in the graphs, so a new temperature needs no new export.

    `golden` has, by member, the logits of `cxr.model.golden`; older exports have none.
    """

    files: dict[FileName, OnnxFile]
    golden: dict[Name, tuple[float, float, float]] = {}


class Bundle:
    """A bundle on disk. The manifest is parsed at once; other files are read and verified when needed."""

    def __init__(self, root: Path, key: Path | None = None) -> None:
        """Parse the manifest.

        Args:
            root: the bundle's folder.
            key: file of a public key. If given, bundle.json and onnx/manifest.json must match their signature; they
                contain the hashes of all other files that a service reads.

        Raises:
            BundleError: bundle.json is missing, malformed or of another schema or recipe.
            BundleUnsigned, BundleAltered, KeyUnusable: see `cxr.model.signature.signed_sums`.
        """
        if not (root / "bundle.json").exists():
            raise BundleError(f"{root / 'bundle.json'} is missing: {_WHERE_A_BUNDLE_IS}")
        self.root = root
        self._signed = signature.signed_sums(root, key) if key else None
        data = self._read_manifest("bundle.json")
        # bundle.json contains the hash of each weights file, so its own hash identifies model and calibration.
        self.sha256 = sha256(data)
        self.manifest = _parse(Manifest, root / "bundle.json", data, as_schema_2)

    @property
    def explainer(self) -> Member:
        """The member whose maps are shown."""
        return next(m for m in self.manifest.members if m.name == self.manifest.explainer)

    def read_weights(self, stored: Stored) -> bytes:
        """The bytes of a safetensors file. Raises BundleError unless their hash matches the manifest."""
        return read_verified(self.root, self.root / "weights" / stored.weights, stored.sha256)

    def read_onnx(self, member: Member, precision: Precision) -> bytes:
        """The bytes of a member's graph in a precision.

        Raises:
            BundleError: not exported, altered, or exported from other weights.
        """
        return self._read_graph(onnx_name(member, precision), member.sha256)

    def read_lungs_onnx(self, segmenter: Segmenter) -> bytes:
        """The bytes of the lung segmenter's graph. Raises what `read_onnx` raises."""
        return self._read_graph(LUNGS_ONNX, segmenter.sha256)

    def read_gate_onnx(self, gate: Gate) -> bytes:
        """The bytes of the gate's graph. Raises what `read_onnx` raises."""
        return self._read_graph(GATE_ONNX, gate.sha256)

    def _read_graph(self, name: str, weights_sha256: str) -> bytes:
        entry = self.onnx.files.get(name)
        if entry is None or entry.weights_sha256 != weights_sha256:
            raise BundleError(f"{self.root / 'onnx' / name} does not belong to these weights: run `cxr export`")
        return read_verified(self.root, self.root / "onnx" / name, entry.sha256)

    @cached_property
    def onnx(self) -> OnnxManifest:
        """onnx/manifest.json. Raises BundleError if it is missing or malformed."""
        path = self.root / "onnx" / "manifest.json"
        if not path.exists():
            raise BundleError(f"{path} is missing: run `cxr export`")
        return _parse(OnnxManifest, path, self._read_manifest("onnx/manifest.json"))

    def _read_manifest(self, name: str) -> bytes:
        data = read_json(self.root, self.root / name)
        if self._signed is not None:
            signature.check(self.root, name, data, self._signed)
        return data


def onnx_name(member: Member, precision: Precision) -> str:
    """File name inside onnx/ of the graph that a member uses for a precision."""
    return f"{member.name}.{'float32' if precision == 'bfloat16' else precision}.onnx"


_M = TypeVar("_M", bound=BaseModel)


def _parse(model: type[_M], path: Path, data: bytes, present: Callable[[bytes], bytes] = bytes) -> _M:
    """Parse a JSON file's bytes as a model. `present` converts an earlier schema to the present one."""
    try:
        return model.model_validate_json(present(data))
    except ValueError as error:  # pydantic's ValidationError is a ValueError
        raise BundleError(f"{path} is not valid: {error}") from None
