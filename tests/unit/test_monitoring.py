"""What Prometheus and Grafana are given: their files ask for metrics and labels that there are, and fit each other.

That the queries are PromQL, the parser of Prometheus itself says in `.ci/run`; that the SQL runs is in
`tests/integration/test_grafana_queries.py`.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from pipeline.stream.metrics import METRICS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
#: What Prometheus itself knows of every target, and adds to every metric.
ITS_METRIC, ITS_LABELS = "up", {"job", "instance"}
NAME = re.compile(r"\b(stillwatch_\w+|up)\b(?!\s*\()(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str, set[str]]]:
    """Where a query of Prometheus is, the query, and the labels that texts beside it name."""
    for rule in rules():
        texts = " ".join(rule["annotations"].values())
        yield rule["alert"], rule["expr"], set(re.findall(r"\$labels\.(\w+)", texts))
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                if "expr" in target:
                    yield panel["title"], target["expr"], set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))


def mistakes(query: str, named: set[str]) -> list[str]:
    """Metrics that there are not, and labels that none of the query's metrics has."""
    known = {metric.name: {*metric.labels, *ITS_LABELS} for metric in METRICS} | {ITS_METRIC: ITS_LABELS}
    query = re.sub(r'(?<==)"[^"]*"', '""', query)
    found: list[str] = []
    labels: set[str] = set()
    for name, selected in NAME.findall(query):
        if name not in known:
            found.append(f"no metric {name}")
            continue
        labels |= known[name]
        chosen = set(re.findall(r"(\w+)\s*[=!]", selected))
        found += [f"{name} has no label {label}" for label in chosen - known[name]]
    if not NAME.search(query):
        found.append("asks for no metric")
    grouped = [{label.strip() for label in group.split(",")} for group in GROUPED.findall(query)]
    found += [f"no label {label}" for label in set().union(*grouped) - labels]
    # What is summed up has only the labels that it was grouped by.
    left = set().union(*grouped) if re.search(r"\b(sum|max|min|avg|count)\b", query) else labels
    return found + [f"the answer has no label {label}" for label in named - left]


def test_rules_and_dashboards_ask_for_what_workers_tell() -> None:
    asked = list(queries())
    assert {where: wrong for where, query, named in asked if (wrong := mistakes(query, named))} == {}
    assert len(asked) > len(METRICS)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("rate(stillwatch_event_received_total[5m])", set()),
        ('stillwatch_lag_records{table="x"}', set()),
        ("sum by (table) (stillwatch_lag_records)", set()),
        ("sum(stillwatch_lag_records)", {"partition"}),
        ("time()", set()),
    ],
)
def test_what_workers_do_not_tell_is_seen(query: str, named: set[str]) -> None:
    assert mistakes(query, named)


def test_rules_cover_what_can_go_wrong_and_say_what_to_do() -> None:
    text = " ".join(rule["expr"] for rule in rules())
    for metric in (
        "up",
        "stillwatch_lag_records",
        "stillwatch_checkpoint_age_seconds",
        "stillwatch_commit_stalled_seconds",
        "stillwatch_reject_share",
        "stillwatch_offsets_missing_total",
        "stillwatch_store_errors_total",
        "stillwatch_events_received_total",
        "stillwatch_broker_silent_seconds",
    ):
        assert re.search(rf"\b{metric}\b", text), metric
    manual = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"`{rule['alert']}`" in manual
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_dashboards_use_the_data_sources_that_are_provisioned() -> None:
    document = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "datasources" / "stillwatch.yml").read_text())
    sources = {(source["type"], source["uid"]) for source in document["datasources"]}
    assert len(DASHBOARDS) == 2
    for path in DASHBOARDS:
        seen = panels(path)
        assert len({panel["id"] for panel in seen}) == len(seen)
        for panel in seen:
            assert panel["targets"]
            for one in (panel, *panel["targets"]):
                assert (one["datasource"]["type"], one["datasource"]["uid"]) in sources
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24


def test_panels_do_not_lie_on_each_other() -> None:
    for path in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels(path):
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{path.name}: {panel['title']}"
            taken |= cells


def test_what_is_mounted_is_there_and_where_the_files_say() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    targets: dict[str, str] = {}
    for name in ("prometheus", "grafana"):
        for volume in compose[name]["volumes"]:
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
                targets[target] = source
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    assert set(scrape["rule_files"]) <= set(targets)
    job = scrape["scrape_configs"][0]
    assert job["job_name"] == "stillwatch"
    assert job["dns_sd_configs"][0]["names"] == ["worker"]
    assert str(job["dns_sd_configs"][0]["port"]) in compose["worker"]["expose"]
    provider = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "stillwatch.yml").read_text())
    assert provider["providers"][0]["options"]["path"] in targets


def test_secrets_are_made_once_and_clickhouse_gets_the_hash(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "secrets" / "make", tmp_path / "make")
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for _ in range(2):
        subprocess.run([tmp_path / "make"], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.name != "make"}
        assert {Path(secret["file"]).name for secret in compose["secrets"].values()} == set(made)
        user = ElementTree.fromstring(made["clickhouse_grafana.xml"]).find("users/grafana")
        assert user is not None
        password = made["grafana_clickhouse_password"]
        assert len(password) >= 32
        assert user.findtext("password_sha256_hex") == hashlib.sha256(password.encode()).hexdigest()
        assert user.findtext("grants/query") == "GRANT SELECT ON stillwatch.*"
        if _ == 0:
            first = made
    assert made == first
