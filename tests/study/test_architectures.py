"""Rows of docs/study/outside.md: the runs of each row, and the row that it is compared with."""

from dataclasses import replace

from study.architectures import SHIPPED, travelled
from study.travel_archive import Archive
from tests.study.test_travel import ROWS, archive

PAIR = "VGG-19 + DenseNet-161, the paper's best"


def paper(name: str, source: str = "", skill: float = 1.0) -> Archive:
    """A run with the name that the plan gives to one of the paper's networks."""
    return replace(archive(name, source, skill=skill), name=f"{name}-without-{source}" if source else name)


ARCHIVES = [
    *(archive(name, source) for name in ("baseline", "convolution", "full") for source in ("", "siim", "cohen")),
    archive("convolution", "siim", seed=1, skill=9.0),
    *(paper("vgg19bn-imbalanced", source) for source in ("", "siim")),
    *(paper("densenet161-imbalanced", source, skill=5.0) for source in ("", "siim")),
    paper("resnet34-travel", "cohen", skill=5.0),
]


def test_a_row_needs_all_its_members_trained_under_the_same_condition() -> None:
    found = travelled(ROWS, ARCHIVES, resamples=20)
    assert PAIR in found.inside
    assert PAIR in found.outside["siim"]
    assert PAIR not in found.outside["cohen"]
    assert "ResNet-34, travelling" not in found.inside
    assert "ResNet-34, travelling" in found.outside["cohen"]
    assert "VGG-16, travelling" not in found.inside


def test_rows_are_compared_with_the_shipped_recipes_of_the_same_seed() -> None:
    found = travelled(ROWS, ARCHIVES, resamples=20)
    shipped = found.to_shipped["siim"][SHIPPED].main
    other = found.to_shipped["siim"]["DenseNet-161, the paper's protocol"].main
    assert shipped.difference is None
    assert shipped.networks == 1  # seed 1 of a member has no partner here
    assert shipped.value.value is not None
    assert other.value.value is not None
    assert other.difference is not None
    assert other.difference.value is not None
    assert abs(other.difference.value - (other.value.value - shipped.value.value)) < 1e-3
    assert found.outside["siim"]["baseline"].main.difference is None
