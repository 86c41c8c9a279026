"""Broker or store away, or answering nonsense: workers stay, wait, catch up, and the tables are those of an undisturbed run."""

import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer

from tests.faults.on_a_server import OnServer
from tests.faults.test_stream_recovery import TABLES, assert_every_change_was_published, finish, send, traffic
from tests.faults.test_stream_worker import Deployment, committed, received

sys.path.insert(0, str(Path(__file__).parents[1] / "apache_kafka"))
from server import ApacheKafka

pytestmark = [pytest.mark.broker, pytest.mark.kafka_only]
OPTIONS = ("--set", "stream.max_batch_events=300", "--set", "stream.checkpoint_s=0.5")
STORE_OPTIONS = ("--set", "store.insert_max_rows=1000", "--set", "store.answer_timeout_s=2")
EVENTS = 15_000
WRITTEN = ("api_calls", "call_scores", "account_windows", "model_snapshots")


def memory_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path / "clickhouse")
    server.start()
    yield server
    server.stop()


def test_a_store_that_fails_in_every_way_and_goes_away(
    broker: str, tmp_path: Path, own_server: ClickHouseServer, outage_s: float
) -> None:
    calls = list(traffic(EVENTS))
    folders = [tmp_path / name for name in ("undisturbed", "disturbed")]
    for folder in folders:
        folder.mkdir()
    undisturbed, disturbed = (OnServer(broker, folder, own_server) for folder in folders)
    try:
        send(undisturbed, calls)
        expected = finish(undisturbed, len(calls))
        assert expected["incidents"]
        # A worker that gets its partitions meets the first of these, when it reads their states.
        own_server.faults(*[{"kind": "status", "status": 503, "match": "FROM model_snapshots"}] * 3)
        disturbed.start(*OPTIONS, *STORE_OPTIONS)
        third = len(calls) // 3
        send(disturbed, calls[:third])
        disturbed.until(lambda: received(disturbed) > 0)
        database = disturbed.store.rpartition("/")[2]
        into = [f"INSERT INTO {database}.{table} " for table in WRITTEN]
        own_server.faults(
            *({"kind": "status", "status": 503, "match": one} for one in into),
            *({"kind": "error", "code": 252, "match": one} for one in into),
            *({"kind": "apply_then_drop", "match": one} for one in into),
            {"kind": "hang", "seconds": 4, "match": into[1]},
            {"kind": "apply_then_hang", "seconds": 4, "match": into[2]},
        )
        send(disturbed, calls[third : third + 1000])
        disturbed.until(lambda: committed(disturbed) == third + 1000)
        assert own_server.faults_left() == []
        before, memory = received(disturbed), memory_bytes(disturbed.workers[0].pid)
        own_server.stop()
        send(disturbed, calls[third + 1000 :])
        disturbed.until(lambda: "does not answer" in " ".join(disturbed.health().get("problems", [])))
        time.sleep(outage_s)
        # What two lots of rows and the batch in hand can take, and no more: Kafka has the rest.
        assert received(disturbed) - before <= 2 * 1000 + 2 * 300
        assert disturbed.health()["lag"] > 0
        assert memory_bytes(disturbed.workers[0].pid) - memory < 100 << 20
        own_server.start()
        disturbed.until(lambda: committed(disturbed) == len(calls))
        assert disturbed.health()["problems"] == []
        assert disturbed.end() == 0, disturbed.log()
        for name, sql in TABLES.items():
            assert disturbed.query(sql) == expected[name], name
        assert "a new engine" not in disturbed.log()
    finally:
        undisturbed.close()
        disturbed.close()


def test_a_broker_that_is_stopped_and_killed_and_comes_back(tmp_path: Path, outage_s: float) -> None:
    calls = list(traffic(EVENTS))
    folders = [tmp_path / name for name in ("undisturbed", "disturbed")]
    for folder in folders:
        folder.mkdir()
    with ApacheKafka() as kafka:
        undisturbed, disturbed = (Deployment(kafka.address, folder) for folder in folders)
        try:
            send(undisturbed, calls)
            expected = finish(undisturbed, len(calls))
            disturbed.start(*OPTIONS)
            part = len(calls) // 3
            for life, sign in enumerate((signal.SIGTERM, signal.SIGKILL)):
                send(disturbed, calls[life * part : (life + 1) * part])
                disturbed.until(lambda life=life: received(disturbed) > life * part)  # type: ignore[misc]
                kafka.stop(sign)
                disturbed.until(
                    lambda: any("the broker has not answered" in one for one in disturbed.health()["problems"])
                )
                time.sleep(outage_s if sign == signal.SIGTERM else 1)
                kafka.start()
            send(disturbed, calls[2 * part :])
            disturbed.until(lambda: committed(disturbed) == len(calls))
            disturbed.until(lambda: disturbed.health()["problems"] == [])
            assert disturbed.end() == 0, disturbed.log()
            for name, sql in TABLES.items():
                assert disturbed.query(sql) == expected[name], name
            assert "a new engine" not in disturbed.log()
            assert_every_change_was_published(disturbed)
        finally:
            undisturbed.close()
            disturbed.close()
