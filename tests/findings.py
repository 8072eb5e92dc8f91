"""BundleEvaluation without a network."""

from collections.abc import Sequence

from cxr.labels import LABELS, Label
from cxr.model.frames import FULL
from cxr.pipeline import Finding, MemberFinding, Probabilities


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
