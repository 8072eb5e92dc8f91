"""evaluation.json: all measured figures of a bundle, stored beside the bundle's manifest."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from cxr.json_file import read_json
from cxr.model.bundle import Bundle
from cxr.model.bundle_files import sha256
from cxr.model.frames import FULL
from evaluation.checks import Check
from evaluation.elsewhere import Elsewhere
from evaluation.gate import GateCheck
from evaluation.maps.marked import Marked
from evaluation.maps.quality import Explanations
from evaluation.split_evaluation import SplitEvaluation
from evaluation.table_facts import TableFacts
from export.verify import Parity

FILE: Final = "evaluation.json"
ANSWERS: Final = {"name", "version", "labels", "recipe", "members", "ensemble", "temperature", "conformal"}


@dataclass(frozen=True, slots=True)
class BundleEvaluation:
    """The figures of one model with one calibration.

    `splits` has an evaluation for each measured split, `parity` the comparison of ONNX with PyTorch, `checks` the
    results of `evaluation.checks`, `gate` the cross-fitted figures of the gate (`study.gate`), `explanations` the
    quality of the maps, `marks` their agreement with radiologists' boxes, `elsewhere` the figures at sources left out
    of training, and `data` a description of the table.
    """

    bundle: Bundle
    splits: dict[str, SplitEvaluation]
    parity: tuple[Parity, ...] = ()
    checks: tuple[Check, ...] = ()
    gate: tuple[GateCheck, ...] = ()
    explanations: tuple[Explanations, ...] = ()
    data: TableFacts | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    marks: tuple[Marked, ...] = ()

    @staticmethod
    def read(bundle: Bundle) -> "BundleEvaluation":
        """Read the earlier figures; empty if they belong to another model or calibration.

        Raises:
            DataError: the bundle's evaluation.json is not an evaluation.
        """
        file = bundle.root / FILE
        if not file.exists() or read_json(_OF_WHAT, file, _SAID).answers_sha256 != _identity(bundle):
            return BundleEvaluation(bundle, {})
        stored = read_json(_ADAPTER, file, _SAID)
        return BundleEvaluation(bundle, **{name: getattr(stored, name) for name in _MEASURED})

    def with_split(self, found: SplitEvaluation) -> "BundleEvaluation":
        """A copy with a split's evaluation, which replaces an older one."""
        return replace(self, splits={**self.splits, found.split: found})

    def with_explanations(self, found: Explanations) -> "BundleEvaluation":
        """A copy with figures of one network's maps, which replace older ones."""
        others = (one for one in self.explanations if one.architecture != found.architecture)
        return replace(self, explanations=(*others, found))

    def with_marks(self, found: tuple[Marked, ...]) -> "BundleEvaluation":
        """A copy with figures of maps against marks, which replace older ones of the same split."""
        splits = {one.split for one in found}
        return replace(self, marks=(*(one for one in self.marks if one.split not in splits), *found))

    def write(self) -> None:
        """Write evaluation.json into the bundle's folder."""
        stored = _Stored(_identity(self.bundle), **{name: getattr(self, name) for name in _MEASURED})
        values = _ADAPTER.dump_python(stored, mode="json")
        (self.bundle.root / FILE).write_text(_compact(json.dumps(values, indent=1, allow_nan=False)) + "\n")


@dataclass(frozen=True, slots=True)
class _OfWhat:
    """Only the identity of the bundle that was measured."""

    answers_sha256: str


@dataclass(frozen=True, slots=True)
class _Stored(_OfWhat):
    """evaluation.json."""

    data: TableFacts | None
    splits: dict[str, SplitEvaluation]
    checks: tuple[Check, ...] = ()
    gate: tuple[GateCheck, ...] = ()
    explanations: tuple[Explanations, ...] = ()
    parity: tuple[Parity, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    marks: tuple[Marked, ...] = ()


_OF_WHAT: Final = TypeAdapter(_OfWhat)
_ADAPTER: Final = TypeAdapter(_Stored)
_EXPLANATIONS: Final = TypeAdapter(Explanations)
_MEASURED: Final = ("data", "splits", "checks", "gate", "explanations", "parity", "elsewhere", "marks")
_SAID: Final = "an evaluation (remove it and run `cxr evaluate`)"


def read_explanations(path: Path) -> Explanations:
    """Read a file of `python -m evaluation.maps.explanations`. Raises DataError if it is missing or of another kind."""
    return read_json(_EXPLANATIONS, path, "of `python -m evaluation.maps.explanations`")


def _identity(bundle: Bundle) -> str:
    """A hash of everything that answers depend on. The explaining member is left out: it changes no figure."""
    manifest = bundle.manifest
    include = ANSWERS | {"lungs"} if manifest.sees_lungs else ANSWERS
    # Answers do not need the second head. The full frame is left out, because older manifests did not state it.
    exclude = {
        "members": {
            number: {"opacity_head"} | ({"frame"} if member.frame == FULL else set())
            for number, member in enumerate(manifest.members)
        }
    }
    return sha256(manifest.model_dump_json(include=include, exclude=exclude).encode())


def _compact(text: str) -> str:
    """Indented JSON, with objects and lists of numbers only on a single line: a figure takes one line, a curve five."""
    return re.sub(r"([\[{])\n[^\[\]{}]*\n\s*[\]}]", lambda inner: re.sub(r"\n\s*", " ", inner[0]), text)
