"""evaluation.json: all that has been measured of a bundle, beside the bundle's manifest."""

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from cxr.model.bundle import Bundle
from cxr.model.bundle_files import sha256
from evaluation.checks import Check
from evaluation.explanation_quality import Explanations
from evaluation.figure import Figure
from evaluation.split_evaluation import Evaluation
from evaluation.table_facts import TableFacts
from evaluation.unfamiliar import Familiarity
from export.verify import Flip, Parity

FILE: Final = "evaluation.json"
ANSWERS: Final = {"name", "version", "labels", "recipe", "members", "ensemble", "temperature", "conformal"}


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of one model at one calibration.

    `splits` holds an evaluation for each split that was run, `parity` ONNX against PyTorch, `checks` what
    `evaluation.checks` found about where the model looks, `familiarity` what gates against unfamiliar images would do,
    `explanations` how good its maps are, and `data` what the table is.
    """

    bundle: Bundle
    splits: dict[str, Evaluation]
    parity: tuple[Parity, ...] = ()
    checks: tuple[Check, ...] = ()
    familiarity: tuple[Familiarity, ...] = ()
    explanations: tuple[Explanations, ...] = ()
    data: TableFacts | None = None

    @staticmethod
    def read(bundle: Bundle) -> "Findings":
        """What was found before; nothing, if that was of another model or of another calibration."""
        file = bundle.root / FILE
        stored = json.loads(file.read_text()) if file.exists() else {}
        if stored.get("answers_sha256") != _identity(bundle):
            return Findings(bundle, {})
        data = stored.get("data")
        return Findings(
            bundle=bundle,
            splits={name: Evaluation.from_json(values) for name, values in stored["splits"].items()},
            parity=tuple(_parity(values) for values in stored["parity"]),
            checks=tuple(Check(**_figured(values)) for values in stored.get("checks", [])),
            familiarity=tuple(Familiarity(**_figured(values)) for values in stored.get("familiarity", [])),
            explanations=tuple(Explanations.from_json(values) for values in stored.get("explanations", [])),
            data=None if data is None else TableFacts(**data),
        )

    def with_split(self, found: Evaluation) -> "Findings":
        """The same and a split's evaluation, in place of an older one."""
        return replace(self, splits={**self.splits, found.split: found})

    def with_explanations(self, found: Explanations) -> "Findings":
        """The same and figures of one network's maps, in place of older ones."""
        others = (one for one in self.explanations if one.architecture != found.architecture)
        return replace(self, explanations=(*others, found))

    def write(self) -> None:
        """Write evaluation.json into the bundle's folder."""
        values = {
            "answers_sha256": _identity(self.bundle),
            "data": None if self.data is None else asdict(self.data),
            "splits": {name: found.to_json() for name, found in self.splits.items()},
            "checks": [asdict(check) for check in self.checks],
            "familiarity": [asdict(one) for one in self.familiarity],
            "explanations": [found.to_json() for found in self.explanations],
            "parity": [asdict(found) for found in self.parity],
        }
        (self.bundle.root / FILE).write_text(_compact(json.dumps(values, indent=1, allow_nan=False)) + "\n")


def _identity(bundle: Bundle) -> str:
    """A hash of what answers depend on; that maps are explained by another member changes no figure."""
    manifest = bundle.manifest.model_dump_json(include=ANSWERS)
    return sha256(manifest.encode())


def _parity(values: dict[str, Any]) -> Parity:
    return Parity(**{**values, "flips": tuple(Flip(**flip) for flip in values["flips"])})


def _figured(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "figures": {name: Figure(**figure) for name, figure in values["figures"].items()}}


def _compact(text: str) -> str:
    """Indented JSON with what holds numbers alone on one line: a figure a line, a curve in five."""
    return re.sub(r"([\[{])\n[^\[\]{}]*\n\s*[\]}]", lambda inner: re.sub(r"\n\s*", " ", inner[0]), text)
