"""The node's alert rules: they use metrics that its /metrics has, and fire when they should."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hospital.metrics import Metrics
from hospital.spool import Spool
from scripts.server import REPOSITORY
from tests.deploy.promql import ALERTS, PROMETHEUS_OWN, RULES, TARGET_LABELS, grouped, matched, named

PROMTOOL = shutil.which("promtool")
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES["pacs"]}
JOBS = yaml.safe_load((REPOSITORY / "deploy" / "orthanc" / "prometheus.yml").read_text())["scrape_configs"]
NODE = '{instance="pacs:9100", job="pacs"}'

# One value per minute for an hour: the oldest entry grows older, or an attempt fails every five minutes, or neither.
AWAY = {"cxr_pacs_spool_oldest_seconds": "0+60x60", "cxr_pacs_send_failures_total": "0x4 1x4 2x4 3x4 4x4 5x40"}
QUIET = {"cxr_pacs_spool_oldest_seconds": "30x60", "cxr_pacs_send_failures_total": "7x60", "up": "1x60"}
FULL = {"cxr_pacs_turned_away_total": "0x9 1x50"}


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_every_metric_and_label_exists(alert: str, tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.watch(Spool(tmp_path / "spool"))
    known = {sample.name: set(sample.labels) for family in metrics.registry.collect() for sample in family.samples}
    expression = EXPRESSIONS[alert]
    assert named(expression)
    assert named(expression) - PROMETHEUS_OWN <= set(known)
    assert grouped(expression) | {label for label, _ in matched(expression)} <= TARGET_LABELS
    assert {value for label, value in matched(expression) if label == "job"} <= {job["job_name"] for job in JOBS}


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, of Debian's prometheus")
@pytest.mark.parametrize(
    ("series", "minute", "firing"),
    [
        (AWAY, 12, []),
        (AWAY, 18, ["CxrPacsQueueOld"]),
        (AWAY, 22, ["CxrPacsQueueOld", "CxrPacsSendsFail"]),
        (QUIET, 60, []),
        (FULL, 9, []),
        (FULL, 12, ["CxrPacsFull"]),
        (FULL, 30, []),
        ({"up": "0x60"}, 5, ["CxrPacsDown"]),
    ],
)
def test_alerts_fire(series: dict[str, str], minute: int, firing: list[str], tmp_path: Path) -> None:
    expected: list[dict[str, Any]] = [
        {
            "eval_time": f"{minute}m",
            "alertname": rule["alert"],
            "exp_alerts": _as_told(rule) * (rule["alert"] in firing),
        }
        for rule in RULES["pacs"]
    ]
    inputs = [{"series": name + NODE, "values": values} for name, values in series.items()]
    case = {"interval": "1m", "input_series": inputs, "alert_rule_test": expected}
    path = tmp_path / "case.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run([str(PROMTOOL), "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _as_told(rule: dict[str, Any]) -> list[dict[str, Any]]:
    told = {key: text.replace("{{ $labels.instance }}", "pacs:9100") for key, text in rule["annotations"].items()}
    return [{"exp_labels": rule["labels"] | {"instance": "pacs:9100", "job": "pacs"}, "exp_annotations": told}]
