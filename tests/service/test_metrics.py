"""Metrics: all are ours, and no client can add a series."""

from prometheus_client.parser import text_string_to_metric_families as parse

from cxr.drift import FIGURES
from cxr.errors import LateralView
from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from scripts.server import Server
from service.app import LIMITS, app
from tests import files

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(server: Server) -> Series:
    text = server.client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def count(series: Series, metric: str, /, **labels: str) -> float:
    return series.get((metric, tuple(sorted(labels.items()))), 0.0)


def test_every_stage_is_timed_and_every_answer_counted(server: Server, bundle: Bundle) -> None:
    before = scrape(server)
    headers = {"Content-Type": "image/png"}
    label = server.client.post("/classify", content=files.radiograph_png(), headers=headers).json()["prediction"]
    server.client.post("/explain?method=gradcam", content=files.radiograph_png(), headers=headers)
    lateral = {"Content-Type": "application/dicom"}
    server.client.post("/classify", content=files.lateral_dicom(), headers=lateral)
    after = scrape(server)

    def grown(metric: str, **labels: str) -> float:
        return count(after, metric, **labels) - count(before, metric, **labels)

    assert sum(value for (name, _), value in after.items() if name == "cxr_inference_info") == 1
    for stage in ("queue", "decode", "preprocess", "inference"):
        assert grown(f"cxr_{stage}_seconds_count") == 2
        assert grown(f"cxr_{stage}_seconds_sum") > 0
    assert grown("cxr_explanation_seconds_count", method="gradcam") == 1
    assert grown("cxr_request_seconds_count", route="/classify", status="200") == 1
    assert grown("cxr_request_seconds_count", route="/classify", status="422") == 1
    assert grown("cxr_request_seconds_count", route="/explain", status="200") == 1
    assert grown("cxr_answers_total", label=label) == 2
    assert grown("cxr_errors_total", code=LateralView.code) == 1
    for figure in FIGURES:
        assert grown(f"cxr_{figure}_count") == 2
    assert count(after, "cxr_bundle_info", name="random", version="0", sha256=bundle.sha256) == 1


def test_odd_requests_make_no_series(server: Server) -> None:
    server.client.get("/odd")
    server.client.get("/static/odd")
    server.client.post("/classify?name=odd", content=b"x", headers={"Content-Type": "x/odd"})
    before = set(scrape(server))
    for i in range(10):
        server.client.get(f"/odd/{i}")
        server.client.get(f"/static/{i}.js")
        server.client.post(f"/classify?name={i}", content=b"x", headers={"Content-Type": f"x/{i}"})
    assert set(scrape(server)) == before


def test_names_and_labels(server: Server) -> None:
    for name, labels in scrape(server):
        assert name.startswith("cxr_")
        values = dict(labels)
        ours = {
            "le",
            "route",
            "status",
            "method",
            "label",
            "code",
            "name",
            "version",
            "sha256",
            "provider",
            "precision",
            "figure",
        }
        assert set(values) <= ours
        assert values.get("route", "other") in {
            "/classify",
            "/explain",
            "/preview",
            "/v1/classify",
            "/",
            "/static/{name}",
            "/metrics",
            "/docs.json",
            "/schema.json",
            "other",
        }
        assert values.get("label", "normal") in LABELS


def test_every_route_is_known_by_name() -> None:
    assert {*app.openapi()["paths"], "/metrics", "/docs.json", "/schema.json"} == set(LIMITS)
