"""What the deployment files promise. That they are well formed, Docker Compose's own parser says in `.ci/run`."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.command_line import COMMANDS
from pipeline.settings import load
from pipeline.settings.load import NOT_SETTINGS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def test_the_services_are_there_and_named_by_version(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"kafka", "clickhouse", "migrate", "worker", "prometheus", "grafana"}
    assert {name for name, service in services.items() if service.get("profiles")} == {"prometheus", "grafana"}
    for name, service in services.items():
        assert re.search(r":v?\d[\w.]*$", service["image"]), f"{name}: {service['image']} is not a version"


def test_servers_and_workers_have_health_checks_and_time_to_stop(compose: dict[str, Any]) -> None:
    for name in ("kafka", "clickhouse", "worker", "prometheus", "grafana"):
        service = compose["services"][name]
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert service["stop_grace_period"] in ("60s", "75s")
        assert service["restart"] == "unless-stopped"


def test_the_worker_can_be_scaled(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert "container_name" not in worker
    assert "ports" not in worker


def test_data_outlives_the_containers(compose: dict[str, Any]) -> None:
    for name in ("kafka", "clickhouse", "prometheus", "grafana"):
        mounted = {volume.split(":")[0] for volume in compose["services"][name]["volumes"]}
        assert name in mounted
        assert name in compose["volumes"]


def test_the_schema_is_there_before_the_workers_start(compose: dict[str, Any]) -> None:
    waits_for = compose["services"]["worker"]["depends_on"]
    assert waits_for["migrate"]["condition"] == "service_completed_successfully"
    assert waits_for["kafka"]["condition"] == "service_healthy"


def test_secrets_come_from_files(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"PASSWORD\w*:\s*(?!/run/secrets/)\S+", text.replace("PASSWORD_FILE", "PASSWORD"))
    for secret in compose["secrets"].values():
        assert secret["file"] in (ROOT / ".gitignore").read_text()


def test_what_the_containers_are_told_is_what_the_program_knows(compose: dict[str, Any]) -> None:
    for name in ("migrate", "worker"):
        service = compose["services"][name]
        assert service["command"][0] in COMMANDS
        environ = service["environment"]
        settings = load(None, {}, environ)
        assert settings.stream.broker == "kafka://kafka:9092"
        assert settings.store.address == "clickhouse://stillwatch@clickhouse:8123/stillwatch"
        for variable in environ:
            assert "__" in variable or variable in NOT_SETTINGS or variable in ("STILLWATCH_BROKER", "STILLWATCH_STORE")


def test_the_image_runs_the_installed_program_as_a_user_without_rights() -> None:
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
    instructions = [line.split(maxsplit=1) for line in lines]
    assert {instruction for instruction, _ in instructions} <= known
    assert ["ENTRYPOINT", '["stillwatch"]'] in instructions
    assert [rest for instruction, rest in instructions if instruction == "USER"] == ["stillwatch"]
    copied = {part for instruction, rest in instructions if instruction == "COPY" for part in shlex.split(rest)[:-1]}
    for name in copied - {"--from=build", "/wheels"}:
        assert (ROOT / name).exists()
        assert f"!{name}" in (ROOT / ".dockerignore").read_text()


def test_the_wheel_has_the_files_that_the_program_reads() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    data = project["tool"]["setuptools"]["package-data"]
    for package in ("schemas", "pipeline", "replay"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc"):
                inside = path.relative_to(ROOT / package)
                assert any(inside.match(pattern) for pattern in data[package]), f"{path} is in no wheel"
