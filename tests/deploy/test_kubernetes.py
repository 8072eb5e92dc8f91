"""The Kubernetes manifests: valid for the five newest versions, and consistent with each other and the service."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from scripts.server import REPOSITORY
from service.metrics import Metrics
from service.settings import PREFIX, Settings

FOLDER = REPOSITORY / "deploy" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: dict[str, dict[str, Any]] = {
    manifest["kind"]: manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / name).read_text())
}
POD: dict[str, Any] = MANIFESTS["Deployment"]["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
ADAPTER: dict[str, Any] = yaml.safe_load((FOLDER / "monitoring" / "prometheus-adapter.yaml").read_text())


@pytest.mark.parametrize("version", all_versions()[-5:])
def test_they_are_valid_for_the_newest_versions(version: str) -> None:
    for manifest in MANIFESTS.values():
        kubernetes_validate.validate(manifest, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(MANIFESTS["Deployment"] | {"spek": {}}, version, strict=True)


def test_every_manifest_is_applied_in_one_namespace() -> None:
    assert set(KUSTOMIZATION["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    namespace = MANIFESTS["Namespace"]["metadata"]["name"]
    assert KUSTOMIZATION["namespace"] == namespace
    others = [manifest for kind, manifest in MANIFESTS.items() if kind != "Namespace"]
    assert {manifest["metadata"]["namespace"] for manifest in others} == {namespace}
    assert CONTAINER["image"] == KUSTOMIZATION["images"][0]["name"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kustomize_builds_them() -> None:
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)
    built = {manifest["kind"]: manifest for manifest in yaml.safe_load_all(done.stdout)}
    assert set(built) == set(MANIFESTS)
    (container,) = built["Deployment"]["spec"]["template"]["spec"]["containers"]
    image = KUSTOMIZATION["images"][0]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"


def test_they_select_the_pods() -> None:
    labels = MANIFESTS["Deployment"]["spec"]["template"]["metadata"]["labels"]
    monitor = yaml.safe_load((FOLDER / "monitoring" / "servicemonitor.yaml").read_text())
    assert MANIFESTS["Service"]["spec"]["selector"] == labels
    assert MANIFESTS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert monitor["spec"]["selector"]["matchLabels"] == MANIFESTS["Service"]["metadata"]["labels"]
    assert (
        MANIFESTS["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"]
        == (MANIFESTS["Deployment"]["metadata"]["name"])
    )


def test_the_pod_has_no_rights_and_one_small_folder_to_write() -> None:
    assert POD["securityContext"]["runAsNonRoot"]
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not POD["automountServiceAccountToken"]
    (writable,) = [mount["name"] for mount in CONTAINER["volumeMounts"] if not mount.get("readOnly")]
    (volume,) = [volume for volume in POD["volumes"] if volume["name"] == writable]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Mi"}


def test_a_pod_has_time_to_drain() -> None:
    waited = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    option, drain = CONTAINER["args"]
    assert option == "--timeout-graceful-shutdown"
    assert waited + int(drain) < POD["terminationGracePeriodSeconds"]


def test_its_settings_exist_and_its_keys_are_mounted_so_that_they_can_change() -> None:
    settings = {each["name"]: each["value"] for each in CONTAINER["env"] if each["name"].startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in settings} <= set(Settings.model_fields)
    (mount,) = [mount for mount in CONTAINER["volumeMounts"] if mount.get("readOnly")]
    assert Path(settings["CXR_API_KEYS_FILE"]).parent == Path(mount["mountPath"])
    assert "subPath" not in mount
    assert not POD["enableServiceLinks"]


def test_the_autoscaler_waits_for_a_metric_that_the_adapter_makes_of_the_services() -> None:
    (rule,) = ADAPTER["rules"]["custom"]
    (metric,) = MANIFESTS["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    exposed = Metrics().text().decode()
    for name in set(re.findall(r"\bcxr_\w+", rule["seriesQuery"] + rule["metricsQuery"])):
        assert f"\n{name} " in exposed, name
    target_s = int(metric["pods"]["target"]["averageValue"].removesuffix("m")) / 1000
    assert target_s < Settings().queue_seconds, "past which nothing is let in"
