"""Alert rules on drift: silent on images like those of the acceptance test, true on others, silent without a reference.

No Prometheus runs here. In each rule's expression the selectors of samples are replaced by their values between two
scrapes of the real metrics, and the remaining arithmetic is evaluated.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from cxr.decode import decode
from cxr.drift import FIGURES, figures
from cxr.model.bundle import Bundle, Manifest, Reference, Site
from cxr.pipeline import Classifier, Finding, Prepared
from scripts.server import REPOSITORY
from service.metrics import STAGES, Metrics
from study.site.recalibrate import references
from tests import files

RULES = {
    rule["alert"]: rule["expr"]
    for rule in yaml.safe_load((REPOSITORY / "deploy" / "alerts.yml").read_text())["groups"][0]["rules"]
    if "cxr_reference_mean" in rule["expr"]
}
ENOUGH = 60
TIMINGS = dict.fromkeys(STAGES, 1.0)

Seen = tuple[Finding, Prepared]
Samples = dict[str, float]


def scrape(metrics: Metrics) -> Samples:
    return {
        sample.name + "".join(f'{{{name}="{value}"}}' for name, value in sample.labels.items()): sample.value
        for family in parse(metrics.text().decode())
        for sample in family.samples
    }


def is_true(expression: str, before: Samples, after: Samples) -> bool:
    """Whether a rule's expression is true for one instance."""

    def increase(found: re.Match[str]) -> str:
        return repr(after[found[1]] - before[found[1]])

    def value(found: re.Match[str]) -> str:
        return repr(after[found[1]])

    text = re.sub(r"sum by \(instance\) \(increase\((\w+)\[\w+\]\)\)", increase, " ".join(expression.split()))
    text = re.sub(r'sum by \(instance\) \((\w+\{\w+="\w+"\})\)', value, text)
    assert "cxr" not in text, text
    try:
        return bool(eval(text, {"abs": abs, "nan": nan}))
    except ZeroDivisionError:  # in Prometheus this is NaN, and no comparison with NaN is true
        return False


def alerts(manifest: Manifest, one: Seen, times: int = ENOUGH) -> set[str]:
    """The alerts that are true after this many requests with an image."""
    metrics = Metrics()
    metrics.served(manifest, "0" * 64, "provider", "float32")
    before = scrape(metrics)
    for _ in range(times):
        metrics.classified(*one, TIMINGS)
    return {name for name, expression in RULES.items() if is_true(expression, before, scrape(metrics))}


@pytest.fixture(scope="module")
def see(bundle: Bundle) -> Callable[[bytes], Seen]:
    classifier = Classifier(bundle)

    def seen(data: bytes) -> Seen:
        prepared = classifier.prepare(data)
        return classifier.infer(prepared), prepared

    return seen


@pytest.fixture(scope="module")
def chest(see: Callable[[bytes], Seen]) -> Seen:
    return see(files.radiograph_png())


@pytest.fixture(scope="module")
def at_the_site(bundle: Bundle, chest: Seen) -> Manifest:
    """A bundle whose acceptance test had images like this one."""
    reference = references({name: np.full(100, value) for name, value in figures(*chest).items()})
    return with_reference(bundle, reference)


def with_reference(bundle: Bundle, reference: dict[str, Reference]) -> Manifest:
    site = Site(
        name="lakeside",
        images={"normal": 50, "covid19": 50},
        base="random 0",
        base_sha256="0" * 64,
        labels_sha256="0" * 64,
        reference=reference,
    )
    return bundle.manifest.model_copy(update={"site": site})


def test_there_is_a_rule_for_each_figure() -> None:
    assert len(RULES) == len(FIGURES)
    assert all(any(f"cxr_{figure}_sum" in expression for expression in RULES.values()) for figure in FIGURES)


def test_silent_while_images_are_like_those_of_the_acceptance_test(at_the_site: Manifest, chest: Seen) -> None:
    assert alerts(at_the_site, chest) == set()


def test_other_images_raise_the_alerts(at_the_site: Manifest, see: Callable[[bytes], Seen]) -> None:
    turned = see(files.png(255 - np.ascontiguousarray(np.rot90(decode(files.radiograph_png()).pixels))))
    raised = alerts(at_the_site, turned)
    assert {"CxrGateDrifts", "CxrGreysDrift"} <= raised
    assert alerts(at_the_site, turned, times=20) == set()  # too few images for an alert


def test_each_figure_raises_its_own_alert(at_the_site: Manifest, chest: Seen) -> None:
    finding, prepared = chest
    assert alerts(at_the_site, (replace(finding, prediction_set=()), prepared)) == {"CxrSetsDrift"}
    unsure = dict.fromkeys(finding.probabilities, 1 / 3)
    assert alerts(at_the_site, (replace(finding, probabilities=unsure), prepared)) == {"CxrProbabilitiesDrift"}
    assert alerts(at_the_site, (finding, replace(prepared, mean_grey=5.0))) == {"CxrGreysDrift"}
    reference = at_the_site.site.reference if at_the_site.site else {}
    without_lungs = at_the_site.model_copy(
        update={"site": _with(at_the_site.site, {**reference, "no_lungs": Reference(mean=0.9, deviation=0.3)})}
    )
    assert alerts(without_lungs, chest) == {"CxrLungsDrift"}


def test_a_bundle_without_a_site_raises_no_alert(bundle: Bundle, chest: Seen) -> None:
    assert alerts(bundle.manifest, chest) == set()


def _with(site: Any, reference: dict[str, Reference]) -> Any:
    return site.model_copy(update={"reference": reference})
