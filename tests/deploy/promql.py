"""The alert rules, and the names in an expression of PromQL."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from scripts.server import REPOSITORY

ALERTS: Final = REPOSITORY / "deploy" / "alerts.yml"
RULES: Final[dict[str, list[dict[str, Any]]]] = {
    group["name"]: group["rules"] for group in yaml.safe_load(ALERTS.read_text())["groups"]
}
"""The rules by group: the service's and the node's."""

PROMETHEUS_OWN: Final = {"up"}
TARGET_LABELS: Final = {"instance", "job"}


def named(expression: str) -> set[str]:
    """Metrics: every word with our prefix, or with matchers in braces."""
    return set(re.findall(r"\bcxr_\w+", expression)) | set(re.findall(r"\b([a-z_]+)\{", expression))


def grouped(expression: str) -> set[str]:
    """The labels in `by`, `ignoring` and `group_left`."""
    return {
        label.strip()
        for inside in re.findall(r"(?:by|ignoring)\s*\(([^)]*)\)", expression)
        for label in inside.split(",")
    }


def matched(expression: str) -> Iterator[tuple[str, str]]:
    """Labels, and each value that they are compared with."""
    for label, values in re.findall(r'(\w+)=~?"([^"]*)"', expression):
        yield from ((label, value) for value in values.split("|"))
