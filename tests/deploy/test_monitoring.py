"""Dashboard and alert rules use only metrics, labels and values that /metrics can have."""

import json
from itertools import chain

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from cxr.drift import FIGURES
from cxr.errors import CxrError
from cxr.labels import LABELS
from scripts.server import REPOSITORY, Server
from service.app import LIMITS
from service.errors import HTTP_ERRORS, STATUS
from service.metrics import Metrics
from tests import files
from tests.deploy.promql import PROMETHEUS_OWN, RULES, TARGET_LABELS, grouped, matched, named

DASHBOARD = json.loads((REPOSITORY / "deploy" / "dashboard.json").read_text())


def expressions() -> dict[str, str]:
    panels = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    return panels | {rule["alert"]: rule["expr"] for rule in RULES["deepcovidexplainer"]}


@pytest.fixture(scope="module")
def series(server: Server) -> dict[str, set[str]]:
    """Names of samples and their labels, after one request of each kind."""
    png = {"Content-Type": "image/png"}
    for path in ("/classify", "/explain"):
        assert server.client.post(path, content=files.radiograph_png(), headers=png).status_code == 200
    server.client.get("/nothing")
    found: dict[str, set[str]] = {}
    for family in parse(server.client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("name", expressions())
def test_every_metric_and_label_exists(series: dict[str, set[str]], name: str) -> None:
    expression = expressions()[name]
    metrics = named(expression)
    assert metrics
    assert metrics - PROMETHEUS_OWN <= set(series)
    labels = set(chain.from_iterable(series[metric] for metric in metrics - PROMETHEUS_OWN)) | TARGET_LABELS
    assert grouped(expression) <= labels
    assert {label for label, _ in matched(expression)} <= labels


@pytest.mark.parametrize("name", expressions())
def test_every_value_can_occur(name: str) -> None:
    possible: dict[str, set[str]] = {
        "job": {"deepcovidexplainer"},
        "label": set(LABELS),
        "figure": set(FIGURES),
        "route": set(LIMITS),
        "code": codes(),
        "status": {"200", *(str(status) for status in (*STATUS.values(), *HTTP_ERRORS))},
    }
    for label, value in matched(expressions()[name]):
        assert value in possible[label]


@pytest.mark.parametrize("name", expressions())
def test_brackets_match(name: str) -> None:
    expression = expressions()[name]
    for left, right in ("()", "[]", "{}"):
        assert expression.count(left) == expression.count(right)


def test_the_check_detects_a_missing_name(series: dict[str, set[str]]) -> None:
    assert named("rate(cxr_typo_total[5m])") - set(series)


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = set().union(*(named(expression) for expression in expressions().values()))
    for family in parse(Metrics().text().decode()):
        if not family.name.startswith("cxr_process") and not family.name.endswith("_created"):
            assert any(name.startswith(family.name) for name in shown), family.name


def test_the_dashboard_fits_its_grid() -> None:
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in DASHBOARD["panels"]]
    assert len({place[:2] for place in places}) == len(places)
    assert all(x + width <= 24 for x, _, width, _ in places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_alerts_say_what_happened() -> None:
    rules = list(chain.from_iterable(RULES.values()))
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 5
    for rule in rules:
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "warn")


def codes() -> set[str]:
    """Every code that an error can have."""
    kinds: list[type[CxrError]] = [CxrError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return {kind.code for kind in kinds if hasattr(kind, "code")} | {code for code, _ in HTTP_ERRORS.values()}
