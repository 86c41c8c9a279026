"""A suppression recorded while a worker runs: heeded from then on, kept off the topic, shown in its table, and replayed alike."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer

from pipeline.event import ApiCall, encode
from pipeline.settings import StreamSettings
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.consume import read_topic
from tests.end_to_end.test_stream_equals_replay import WITHIN_S, Installation
from tests.unit.test_engine import traffic


def written(path: Path, calls: list[ApiCall]) -> str:
    path.write_bytes(b"".join(encode(call) + b"\n" for call in calls))
    return str(path)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_suppression_is_heeded_by_a_running_worker_and_by_the_replay_of_what_it_did(
    tmp_path: Path,
    fresh_topics: Callable[..., StreamSettings],
    clickhouse_server: ClickHouseServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in clickhouse_server.environ.items():
        monkeypatch.setenv(name, value)
    topics = fresh_topics(partitions=1)
    installation = Installation(tmp_path, topics)
    installation.store = clickhouse_server.address("suppressed_stream")
    with (tmp_path / "stillwatch.toml").open("a") as settings:
        settings.write("feedback_s = 0.2\n")
    installation.run("migrate")
    # In the last third account-0 draws ever more.
    calls = traffic(11, 6000, accounts=30, days=12)
    with installation.worker() as metrics:

        def scored(count: int) -> bool:
            found = metrics()
            return sum(found.get(f"stillwatch_events_{kind}_total", 0) for kind in ("accepted", "duplicate")) >= count

        installation.run("ingest", written(tmp_path / "first.jsonl", calls[:4000]))
        until(lambda: scored(4000))
        installation.run("suppress", "account-*", "--from", "2024-12-01", "--until", "2025-01-01", "--note", "a test")
        until(lambda: metrics().get("stillwatch_suppressions") == 1)
        installation.run("ingest", written(tmp_path / "second.jsonl", calls[4000:]))
        until(lambda: scored(6000))
        assert metrics()["stillwatch_incidents_suppressed_total"] == 1
    shown = ("incidents", "--json")
    (opened,) = json.loads(installation.run(*shown))
    (kept,) = json.loads(installation.run(*shown, "--status", "suppressed"))
    assert (opened["entity_id"], kept["entity_id"]) == ("account-0", "account-0")
    assert kept["detected_at"] < kept["closed_at"] == opened["detected_at"]
    assert kept["suppressed_by"] == "account-* (a test)"
    records = read_topic(bootstrap_servers(topics.broker), topics.incidents_topic)
    told = [json.loads(record.value) for record in records if record.value]
    assert {one["incident_id"] for one in told} == {opened["incident_id"]}
    assert [one["version"] for one in told] == list(range(1, len(told) + 1))
    installation.run("replay", "run", "--run-id", "again", "--source", "clickhouse")
    installation.run("replay", "run", "--run-id", "without", "--source", "clickhouse", "--no-suppressions")
    for table in ("incidents", "suppressed_incidents"):
        assert installation.rows(table, "again") == installation.rows(table, "live") != []
    (plain,) = json.loads(installation.run(*shown, "--run-id", "without"))
    assert plain["detected_at"] == kept["detected_at"]
    assert installation.rows("suppressed_incidents", "without") == []
