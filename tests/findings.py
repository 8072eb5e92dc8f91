"""Findings and explanations without a network."""

from collections.abc import Sequence

from PIL import Image

from cxr.anatomy.boxes import Box
from cxr.anatomy.zones import ZoneShare
from cxr.labels import LABELS, Label
from cxr.model.frames import FULL
from cxr.pipeline import Finding, MemberFinding, Probabilities
from cxr.report.explanation import Explanation, Method


def make_finding(
    p: Sequence[float] = (0.02, 0.05, 0.93),
    prediction_set: tuple[Label, ...] = ("covid19",),
    members: Sequence[Sequence[float]] = ((0.02, 0.05, 0.93),),
) -> Finding:
    """A finding with these probabilities; members are named resnet18-0, resnet18-1, …"""
    return Finding(
        prediction=LABELS[max(range(3), key=lambda i: p[i])],
        probabilities=_named(p),
        prediction_set=prediction_set,
        members=tuple(
            MemberFinding(f"resnet18-{i}", "resnet18", FULL, _named(member)) for i, member in enumerate(members)
        ),
        ensemble="scpa",
        media_type="image/png",
        instance=None,
        warnings=(),
        timings_ms={},
    )


def _named(p: Sequence[float]) -> Probabilities:
    return dict(zip(LABELS, p, strict=True))


def make_explanation(
    overlay: Image.Image | None = None,
    method: Method = "gradcam",
    target: Label = "normal",
    member: str = "member",
    boxes: tuple[Box, ...] = (Box(1, 2, 3, 4, 0.5),),
) -> Explanation:
    """An explanation with these fields and some others."""
    return Explanation(
        method=method,
        target=target,
        member=member,
        heatmap_png=b"map",
        overlay=overlay or Image.new("RGB", (2, 1)),
        statement="A sentence.",
        warnings=(),
        zones=(ZoneShare("outside", 1.0, 0.7),),
        no_lungs="",
        boxes=boxes,
        conservation_error=None,
        timings_ms={"attribution": 1.0},
    )
