"""One file → one row: what the model says of it, or the code of why it says nothing."""

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
    """A row of the result; what a refused file lacks is null.

    error:   null, or a code: the API's own, `UNREADABLE` where the file cannot be read
    seconds: of reading and judging it
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
    """The row of a file. Never raises, for one bad file must not end the work on a million others."""
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
    """The row of a file that has ended the process that worked on it."""
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
