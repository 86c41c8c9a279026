"""Records that retention took before they were read are told everywhere, and what is left is read."""

import json
import subprocess
import sys

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from pipeline.stream.address import bootstrap_servers
from pipeline.stream.progress import group_progress
from tests.faults.test_stream_worker import PROGRAM, Deployment, committed, deployment, received

__all__ = ["deployment"]
pytestmark = [pytest.mark.broker, pytest.mark.kafka_only]
FIRST, LATER = 400, 400


def doctor(deployment: Deployment) -> dict[str, dict[str, str]]:
    stream = deployment.settings.stream
    named = {key: getattr(stream, key) for key in ("group", "partitions", "api_calls_topic", "rejected_topic")}
    named |= {key: getattr(stream, key) for key in ("signals_topic", "incidents_topic")} | {"web_port": deployment.port}
    options = [part for key, value in named.items() for part in ("--set", f"stream.{key}={value}")]
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        "doctor",
        "--json",
        "--broker",
        stream.broker,
        "--store",
        deployment.store,
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=deployment.folder, check=False)
    checks = json.loads(done.stdout)
    wrong = [check for check in checks["checks"] if check["state"] == "wrong"]
    assert (done.returncode == 1) == bool(wrong), done.stdout
    return {check["check"]: check for check in checks["checks"]}


def drop_records(deployment: Deployment) -> dict[int, tuple[int, int]]:
    """Let retention take all but three unread records of a partition, of partition 0 all; the offsets gone by partition."""
    stream = deployment.settings.stream
    servers = bootstrap_servers(stream.broker)
    gone = {}
    for one in group_progress(servers, stream.group, stream.api_calls_topic, stream.partitions):
        assert one.committed is not None
        assert one.lag > 3
        gone[one.partition] = (one.committed, one.end - 1 if one.partition == 0 else one.end - 4)
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.delete_records(
        {TopicPartition(stream.api_calls_topic, partition): last + 1 for partition, (_, last) in gone.items()}
    )
    admin.close()
    return gone


def test_offsets_that_retention_took_are_told_and_counted(deployment: Deployment) -> None:
    deployment.start()
    deployment.send(range(FIRST))
    deployment.until(lambda: received(deployment) == FIRST)
    found = doctor(deployment)
    assert found["worker"]["state"] == "ok"
    assert deployment.end() == 0, deployment.log()
    group = f"group {deployment.settings.stream.group}"
    found = doctor(deployment)
    assert (found[group]["state"], found["gaps"]["state"], found["checkpoints"]["state"]) == ("ok", "ok", "ok")
    assert "lag 0 records" in found[group]["detail"]
    deployment.send(range(FIRST, FIRST + LATER))
    gone = drop_records(deployment)
    lost = sum(last - first + 1 for first, last in gone.values())
    found = doctor(deployment)
    assert f"{lost} records of 4 partitions are gone before they were read" in json.dumps(found)
    left = LATER - lost
    deployment.start()
    deployment.until(lambda: received(deployment) == left)
    page = deployment.page("/metrics")
    assert f"stillwatch_offsets_missing_total {lost}" in page
    health = deployment.health()
    assert health["missing"] == lost
    assert f"{lost} records were dropped by retention" in " ".join(health["problems"])
    for partition, (first, last) in gone.items():
        topic = deployment.settings.stream.api_calls_topic
        assert f"{topic}[{partition}]: offsets {first} to {last} are gone" in deployment.log()
    deployment.until(lambda: 'rows_written_total{table="offset_gaps"} 4' in deployment.page("/metrics"))
    assert doctor(deployment)["worker"]["state"] == "wrong"
    deployment.until(lambda: committed(deployment) >= FIRST + left)
    assert deployment.end() == 0, deployment.log()
    rows = deployment.query("SELECT partition, first_offset, last_offset FROM offset_gaps FINAL ORDER BY 1")
    assert rows == [[partition, *span] for partition, span in sorted(gone.items())]
    assert deployment.query("SELECT uniqExact(event_id) FROM api_calls") == [[FIRST + left]]
    found = doctor(deployment)
    assert found["gaps"]["state"] == "wrong"
    assert f"4 (table offset_gaps), {lost} records at most" in found["gaps"]["detail"]
