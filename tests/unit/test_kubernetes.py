"""What the manifests promise: that pods run as they should, and that the program knows what they are told."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.command_line import ALERTS_COMMANDS, COMMANDS
from pipeline.settings import StreamSettings, load
from pipeline.settings.load import NOT_SETTINGS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


KUSTOMIZATION = manifest("kustomization.yaml")
PODS = ("worker.yaml", "alerts.yaml", "migrate.yaml")


def pod(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod of a manifest, and its container."""
    spec: dict[str, Any] = manifest(name)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    return spec, container


def test_the_kustomization_has_every_manifest_but_what_needs_keda() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml", "autoscale.yaml"}
    assert set(KUSTOMIZATION["resources"]) == files
    for name in files | {"autoscale.yaml"}:
        assert {"apiVersion", "kind", "metadata"} <= set(manifest(name))


@pytest.mark.parametrize("name", PODS)
def test_pods_have_no_rights_and_write_to_their_own_folders_only(name: str) -> None:
    spec, container = pod(name)
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert set(volumes) == set(mounts)
    writable = {mount["mountPath"] for name, mount in mounts.items() if "emptyDir" in volumes[name]}
    assert writable == {"/var/lib/stillwatch", "/tmp"}
    environ = {one["name"]: one["value"] for one in container["env"]}
    assert environ["NUMBA_CACHE_DIR"].startswith("/var/lib/stillwatch/")
    assert "limits" in container["resources"]


@pytest.mark.parametrize("name", PODS)
def test_what_the_pods_are_told_is_what_the_program_knows(name: str) -> None:
    spec, container = pod(name)
    command, *rest = container["args"]
    if command == "alerts":
        assert rest[0] in ALERTS_COMMANDS
    else:
        assert command in COMMANDS
    page = (ROOT / "docs" / "commands.md").read_text()
    for option in (part for part in rest if part.startswith("--")):
        assert f"`{option}`" in page.split(f"## `stillwatch {command}`")[1].split("\n## ")[0]
    for one in container["env"]:
        assert one["name"] in NOT_SETTINGS | {"NUMBA_CACHE_DIR"}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert container["image"] == compose["services"]["worker"]["image"]
    assert container["image"].endswith(f":{KUSTOMIZATION['images'][0]['newTag']}")
    (generated,) = KUSTOMIZATION["configMapGenerator"]
    settings = next(volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume)
    assert settings == generated["name"]
    config = next(one["value"] for one in container["env"] if one["name"] == "STILLWATCH_CONFIG")
    assert Path(config).name in generated["files"]


def test_the_settings_are_valid_and_their_secrets_are_mounted() -> None:
    settings = load(FOLDER / "stillwatch.toml", {}, {})
    assert settings.stream.web_host == "0.0.0.0"
    _, container = pod("worker.yaml")
    assert any(settings.store.password_file.startswith(mount["mountPath"] + "/") for mount in container["volumeMounts"])
    text = (FOLDER / "stillwatch.toml").read_text()
    assert not re.search(r"password\s*=", text)


def test_workers_have_probes_and_time_to_drain() -> None:
    spec, container = pod("worker.yaml")
    assert spec["terminationGracePeriodSeconds"] > 75
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports["http"] == StreamSettings().web_port
    assert container["readinessProbe"]["httpGet"]["path"] == "/health"
    # /health says 503 while the broker is away, which no restart mends.
    assert container["livenessProbe"]["httpGet"]["path"] == "/metrics"
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 120
    labels = manifest("worker.yaml")["spec"]
    assert labels["selector"]["matchLabels"] == labels["template"]["metadata"]["labels"]


def test_there_are_never_more_workers_than_partitions() -> None:
    scaled = manifest("autoscale.yaml")["spec"]
    settings = load(FOLDER / "stillwatch.toml", {}, {})
    assert scaled["maxReplicaCount"] == settings.stream.partitions
    assert scaled["scaleTargetRef"]["name"] == manifest("worker.yaml")["metadata"]["name"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["topic"] == settings.stream.api_calls_topic
    assert trigger["metadata"]["consumerGroup"] == settings.stream.group
    assert f"kafka://{trigger['metadata']['bootstrapServers']}" == settings.stream.broker
