"""One file → one row: the model's answer, or the code of the error."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from archive.sources import read
from cxr.errors import DecoderCrashed, Refusal, Unavailable
from cxr.labels import LABELS

if TYPE_CHECKING:
    from cxr.pipeline import Finding

UNREADABLE: Final = "unreadable"
INTERNAL: Final = "internal_error"
CRASHED: Final = DecoderCrashed.code


class Row(TypedDict, total=False):
    """A row of the result. A refused file has null in the columns of the answer.

    error:   null, or an error code of the API, or `UNREADABLE` if the file cannot be read
    seconds: for reading and classifying the file
    """

    path: str
    p_normal: float | None
    p_pneumonia: float | None
    p_covid19: float | None
    prediction: str | None
    prediction_set: list[str] | None
    warnings: list[str] | None
    error: str | None
    seconds: float


def row(classify: "Callable[[bytes], Finding]", path: str) -> Row:
    """The row of a file. Never raises, because one bad file must not stop the work on a million others."""
    start = time.perf_counter()
    try:
        said = _said(classify(read(Path(path))))
    except (Refusal, Unavailable) as refusal:
        said = _unsaid(refusal.code)
    except (OSError, ValueError):  # a path with a null byte is a ValueError
        said = _unsaid(UNREADABLE)
    except Exception:
        said = _unsaid(INTERNAL)
    return {"path": path, **said, "seconds": time.perf_counter() - start}  # type: ignore[typeddict-item]


def crashed(path: str) -> Row:
    """The row of a file that made its scoring process end."""
    return {"path": path, **_unsaid(CRASHED), "seconds": 0.0}  # type: ignore[typeddict-item]


def _said(finding: "Finding") -> dict[str, object]:
    return {
        **{f"p_{label}": finding.probabilities[label] for label in LABELS},
        "prediction": finding.prediction,
        "prediction_set": list(finding.prediction_set),
        "warnings": list(finding.warnings),
        "error": None,
    }


def _unsaid(code: str) -> dict[str, object]:
    nothing = (*(f"p_{label}" for label in LABELS), "prediction", "prediction_set", "warnings")
    return {**dict.fromkeys(nothing), "error": code}
