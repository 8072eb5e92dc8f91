"""compose.yaml, nginx.conf and prometheus.yml are consistent with each other and the repository; no container runs."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.proxy import nginx
from scripts.server import REPOSITORY
from service.settings import Settings

DEPLOY = REPOSITORY / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
REPLICAS = [name for name, service in SERVICES.items() if "CXR_API_KEYS" in service.get("environment", {})]
PROMETHEUS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())


def mounts() -> dict[str, str]:
    """Paths in the containers, and the files of this repository that are mounted there."""
    volumes = (volume for service in SERVICES.values() for volume in service.get("volumes", ()))
    return {inside: outside for outside, inside, mode in (volume.split(":") for volume in volumes) if mode == "ro"}


def test_two_replicas_are_behind_the_proxy_and_are_scraped() -> None:
    (scrape,) = PROMETHEUS["scrape_configs"]
    assert len(REPLICAS) == 2
    assert scrape["static_configs"][0]["targets"] == [f"{name}:3000" for name in REPLICAS]
    assert re.findall(r"server (\S+:\d+)", (DEPLOY / "nginx.conf").read_text()) == [f"{name}:3000" for name in REPLICAS]
    assert set(SERVICES["proxy"]["depends_on"]) == set(REPLICAS)


def test_services_that_others_wait_for_have_a_health_check() -> None:
    for name, service in SERVICES.items():
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}, name
            assert SERVICES[other]["healthcheck"]["test"][0] == "CMD"


def test_the_mounted_files_are_there() -> None:
    assert mounts()
    for outside in mounts().values():
        assert (DEPLOY / outside).is_file(), outside


def test_prometheus_finds_its_rules_and_its_key() -> None:
    configuration = Path("/etc/prometheus")
    assert {str(configuration / name) for name in PROMETHEUS["rule_files"]} <= set(mounts())
    (scrape,) = PROMETHEUS["scrape_configs"]
    assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{SERVICES['prometheus']['secrets'][0]}"
    assert set(SERVICES["prometheus"]["secrets"]) == set(COMPOSE["secrets"])


def test_nothing_is_open_to_the_network() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not any("ports" in SERVICES[name] for name in REPLICAS)


def test_a_replica_has_time_to_drain() -> None:
    for name in REPLICAS:
        drain = SERVICES[name]["command"]
        assert drain[0] == "--timeout-graceful-shutdown"
        assert int(drain[1]) < int(SERVICES[name]["stop_grace_period"].removesuffix("s"))


def test_the_proxy_waits_for_as_long_as_a_request_may_take() -> None:
    (seconds,) = re.findall(r"proxy_read_timeout (\d+)s;", (DEPLOY / "nginx.conf").read_text())
    assert not any(
        name.endswith("_SECONDS") for service in SERVICES.values() for name in service.get("environment", {})
    )
    assert int(seconds) > Settings().longest_s


@pytest.mark.skipif(nginx() is None, reason="needs Debian's nginx")
def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    """The unchanged file, except for the replicas' names, which only the containers' network resolves."""
    text = re.sub(r"api-\d:3000", "127.0.0.1:3000", (DEPLOY / "nginx.conf").read_text())
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(text.replace("/tmp/nginx-body", str(tmp_path / "body")))
    command = [nginx() or "", "-t", "-p", str(tmp_path), "-c", str(configuration), "-g", f"pid {tmp_path / 'pid'};"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
