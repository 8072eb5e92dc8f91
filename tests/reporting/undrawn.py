"""Reports without their figures' drawing, which takes most of their time."""

from typing import IO, Any

import pytest
from matplotlib.figure import Figure


def not_drawn(patch: pytest.MonkeyPatch) -> None:
    """Figures as SVG are empty: tests/reporting/test_pictures.py looks at what they show."""
    draw = Figure.savefig

    def savefig(self: Figure, file: IO[str], **options: Any) -> None:
        if options.get("format") == "svg":
            file.write("<svg/>")
        else:
            draw(self, file, **options)

    patch.setattr(Figure, "savefig", savefig)
