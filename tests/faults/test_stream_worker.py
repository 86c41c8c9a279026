"""A worker as a process: what it makes of good and bad records, and what is left when it is told to stop, or killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.event import ApiCall
from pipeline.settings import Settings, StreamSettings
from pipeline.stream.address import bootstrap_servers, free_port
from pipeline.stream.consume import read_topic
from pipeline.stream.embedded import EmbeddedBroker
from pipeline.stream.produce import send_calls
from pipeline.stream.topics import ensure_topics, topic_specs

pytestmark = pytest.mark.broker
NOW = 1_733_000_000_000
PATIENCE_S = 90.0
PROGRAM = "import sys; from pipeline.command_line import build_app; from pipeline.command_line.run import run; "
PROGRAM += "sys.exit(run(build_app(), sys.argv[1:]))"
QUERY = "import sys, json; from pipeline.store.client import connect; "
QUERY += "print(json.dumps(connect(sys.argv[1]).query_rows(sys.argv[2]), default=str))"


class Deployment:
    """Topics, a group and a store of its own; starts and stops workers and asks the store when none holds it."""

    def __init__(self, broker: str, folder: Path) -> None:
        name = uuid.uuid4().hex[:12]
        self.folder = folder
        self.store = f"chdb:{folder / 'store'}"
        self.workers: list[subprocess.Popen[bytes]] = []
        stream = StreamSettings(
            broker=broker,
            group=f"group-{name}",
            partitions=4,
            # As short as the broker allows: who comes after a killed worker waits for the end of its session.
            session_timeout_s=6 if os.environ.get("STILLWATCH_TEST_BROKER") else 2,
            api_calls_topic=f"calls-{name}",
            rejected_topic=f"rejected-{name}",
            signals_topic=f"signals-{name}",
            incidents_topic=f"incidents-{name}",
        )
        self.settings = Settings(stream=stream)
        ensure_topics(bootstrap_servers(broker), topic_specs(stream))
        self.port = 0

    def new_port(self) -> int:
        return free_port()

    def start(self, *options: str) -> None:
        self.port = self.new_port()
        stream = self.settings.stream
        named = [f"stream.{key}={getattr(stream, key)}" for key in ("group", "partitions", "session_timeout_s")]
        named += [f"stream.{key}_topic={getattr(stream, key + '_topic')}" for key in ("api_calls", "rejected")]
        named += [f"stream.{key}_topic={getattr(stream, key + '_topic')}" for key in ("signals", "incidents")]
        command = [sys.executable, "-c", PROGRAM, "worker", "--broker", stream.broker, "--store", self.store]
        command += ["--web-port", str(self.port), *(part for one in named for part in ("--set", one)), *options]
        with (self.folder / "worker.log").open("ab") as log:
            self.workers.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder))

    def send(self, numbers: range) -> None:
        calls = (
            ApiCall(event_id=f"e{n}", ts=NOW + 100 * n, account_id=f"acct-{n % 50}", output_tokens=n) for n in numbers
        )
        stream = self.settings.stream
        send_calls(calls, bootstrap_servers(stream.broker), stream, patience_s=20)

    def send_raw(self, values: list[bytes], key: bytes | None = None, timestamps: list[int] | None = None) -> None:
        from kafka import KafkaProducer

        producer = KafkaProducer(
            bootstrap_servers=bootstrap_servers(self.settings.stream.broker), enable_idempotence=False
        )
        for value, timestamp in zip(values, timestamps or [None] * len(values), strict=True):
            producer.send(self.settings.stream.api_calls_topic, value, key=key, timestamp_ms=timestamp)
        producer.flush()
        producer.close()

    def page(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            return "{}"

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.page("/health"))
        return found

    def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, self.log()
            assert self.workers[-1].poll() is None, self.log()
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        worker = self.workers.pop()
        worker.send_signal(number)
        return worker.wait(PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def query(self, sql: str) -> list[list[Any]]:
        # Another process: chDB cannot be opened on one folder after another for ever.
        answer = subprocess.run(
            [sys.executable, "-c", QUERY, self.store, sql], capture_output=True, check=True, cwd=self.folder
        )
        rows: list[list[Any]] = json.loads(answer.stdout)
        return rows

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()


@pytest.fixture
def deployment(broker: str, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(broker, tmp_path)
    yield made
    made.close()


def received(deployment: Deployment) -> int:
    return int(deployment.health().get("received", 0))


def committed(deployment: Deployment) -> int:
    """Offsets of api-calls committed, summed over the partitions."""
    topic = re.escape(deployment.settings.stream.api_calls_topic)
    found = re.findall(rf'stillwatch_committed_offset{{topic="{topic}".*?}} (\S+)', deployment.page("/metrics"))
    return sum(int(float(one)) for one in found)


def test_good_and_bad_records_are_all_accounted_for(deployment: Deployment) -> None:
    deployment.start()
    deployment.until(lambda: deployment.health().get("state") == "ok")
    bad = [b"", b"{", b"[1]", b'{"event_id":"x","ts":1733000000000}', b"\xff\xfe", b'{"event_id":"y","ts":"soon"}']
    bad.append(b'{"event_id":"z","ts":99999999999999,"account_id":"a"}')
    deployment.send_raw(bad)
    deployment.send(range(300))
    deployment.send(range(100))
    deployment.until(lambda: received(deployment) == 407)
    # The worker reads its rejects back from their topic before they are rows.
    deployment.until(lambda: 'rows_written_total{table="rejected_events"} 7' in deployment.page("/metrics"))
    health = deployment.health()
    assert (health["accepted"], health["rejected"], health["duplicates"]) == (300, 7, 100)
    assert deployment.end() == 0, deployment.log()
    assert deployment.query("SELECT count(), uniqExact(event_id) FROM api_calls") == [[300, 300]]
    assert deployment.query("SELECT count(), countIf(run_id = 'live') FROM call_scores") == [[300, 300]]
    topic = deployment.settings.stream.api_calls_topic
    kept = deployment.query(
        f"SELECT reason, count() FROM rejected_events WHERE topic = '{topic}' GROUP BY 1 ORDER BY 1"
    )
    assert sum(count for _, count in kept) == 7
    assert {"malformed_json", "missing_field", "time_in_future"} <= {reason for reason, _ in kept}


def test_sigterm_finishes_and_commits_everything_begun(deployment: Deployment) -> None:
    deployment.send(range(20_000))
    deployment.start("--set", "stream.max_batch_events=2000", "--set", "store.insert_max_seconds=30")
    # Rows wait for half a minute, so the drain alone can have written what is found.
    deployment.until(lambda: received(deployment) >= 4000)
    assert deployment.end() == 0, deployment.log()
    assert "finished and committed" in deployment.log()
    first = deployment.query("SELECT count() FROM api_calls")[0][0]
    assert first >= 4000
    deployment.start()
    deployment.until(lambda: first + received(deployment) == 20_000 and deployment.health()["lag"] == 0)
    assert deployment.end() == 0, deployment.log()
    assert deployment.query("SELECT count(), uniqExact(event_id) FROM api_calls") == [[20_000, 20_000]]


def test_a_worker_that_may_be_idle_no_longer_stops_by_itself(deployment: Deployment) -> None:
    deployment.start("--until-idle", "1")
    deployment.until(lambda: deployment.health() != {})
    deployment.send(range(300))
    assert deployment.workers.pop().wait(PATIENCE_S) == 0, deployment.log()
    assert deployment.query("SELECT count() FROM call_scores") == [[300]]


def test_a_killed_worker_reads_again_from_the_committed_offset_and_skips_nothing(deployment: Deployment) -> None:
    deployment.send(range(15_000))
    options = ("--set", "stream.max_batch_events=500", "--set", "store.insert_max_rows=1000")
    for wanted in (1000, 500):
        deployment.start(*options)
        deployment.until(lambda wanted=wanted: received(deployment) >= wanted)  # type: ignore[misc]
        assert deployment.end(signal.SIGKILL) == -signal.SIGKILL
    deployment.start(*options)
    deployment.until(lambda: received(deployment) > 0 and deployment.health()["lag"] == 0)
    assert deployment.end() == 0, deployment.log()
    assert deployment.query("SELECT uniqExact(event_id) FROM api_calls") == [[15_000]]
    assert deployment.query("SELECT uniqExact(event_id) FROM call_scores") == [[15_000]]


def test_too_many_rejects_stop_the_worker_instead_of_emptying_the_topic(deployment: Deployment) -> None:
    deployment.start()
    deployment.until(lambda: deployment.health().get("state") == "ok")
    # From committed offsets on a worker trusts the states: none may hold the batch that was too much.
    deployment.send(range(300))
    deployment.until(lambda: committed(deployment) == 300)
    deployment.send_raw([b"not json"] * 3000)
    assert deployment.workers[-1].wait(PATIENCE_S) == 1
    assert "stream.reject_share_limit" in deployment.log().splitlines()[-1]
    stream = deployment.settings.stream
    published = list(read_topic(bootstrap_servers(stream.broker), stream.rejected_topic))
    assert len(published) < 3000
    # With the limit raised it goes on where it stopped, and every record is accounted for.
    deployment.start("--set", "stream.reject_share_limit=1")
    deployment.until(lambda: 'rows_written_total{table="rejected_events"}' in deployment.page("/metrics"))
    deployment.until(lambda: deployment.health()["lag"] == 0 and deployment.health()["received"] > 0)
    assert deployment.end() == 0, deployment.log()
    places = "uniqExact((partition, offset))"
    sql = f"SELECT {places} FROM rejected_events WHERE topic = '{stream.api_calls_topic}'"
    assert deployment.query(sql) == [[3000]]


def test_incidents_are_on_their_topic(deployment: Deployment) -> None:
    deployment.start()
    deployment.until(lambda: deployment.health().get("state") == "ok")
    stream = deployment.settings.stream
    hour = 3_600_000

    def history() -> Iterator[ApiCall]:
        for step in range(24 * 12):
            for account in range(60):
                heavy = account == 0 and step > 24 * 9
                works = 8 <= (step + account) % 24 < 17
                for number in range(100 if heavy else 2 * works):
                    yield ApiCall(
                        event_id=f"{account}-{step}-{number}",
                        ts=NOW + step * hour + number * 30_000,
                        account_id=f"account-{account}",
                        input_tokens=100 if heavy else 900 + step % 7,
                        cached_input_tokens=0 if heavy else 300,
                        output_tokens=2000 if heavy else 200 + (step * 7 + account * 13 + number * 5) % 50,
                        system_prompt_hash="beef" if heavy else "cafe",
                        user_agent="another" if heavy else "usual",
                        asn=2 if heavy else 1,
                    )

    report = send_calls(history(), bootstrap_servers(stream.broker), stream, patience_s=20)
    deployment.until(lambda: received(deployment) == report.accepted and deployment.health()["lag"] == 0)
    assert deployment.end() == 0, deployment.log()
    changes = [
        (record.key, msgspec.json.decode(record.value or b""))
        for record in read_topic(bootstrap_servers(stream.broker), stream.incidents_topic)
    ]
    stored = deployment.query("SELECT incident_id, max(version) FROM incidents WHERE run_id = 'live' GROUP BY 1")
    newest = {one["incident_id"]: one["version"] for _, one in changes}
    assert newest == dict(map(tuple, stored))
    assert all(key == one["incident_id"].encode() for key, one in changes)
    assert "account-0" in {one["entity_id"] for _, one in changes}


def test_a_broker_or_port_that_is_not_to_be_had_is_one_line(deployment: Deployment) -> None:
    command = [sys.executable, "-c", PROGRAM, "worker", "--broker", f"kafka://127.0.0.1:{free_port()}"]
    command += ["--store", deployment.store, "--web-port", "0", "--set", "stream.connect_patience_s=0.5"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=deployment.folder)
    assert ended.returncode == 1
    lines = ended.stderr.decode().splitlines()
    assert len(lines) == 2
    assert "no broker answers" in lines[-1]


@pytest.mark.embedded_only
@pytest.mark.skipif(bool(os.environ.get("STILLWATCH_TEST_BROKER")), reason="of the embedded broker")
def test_the_worker_brings_its_own_broker_and_takes_it_along(deployment: Deployment) -> None:
    deployment.settings = msgspec.structs.replace(
        deployment.settings, stream=msgspec.structs.replace(deployment.settings.stream, broker="embedded")
    )
    deployment.start()
    deployment.until(lambda: deployment.health().get("state") == "ok")
    home = deployment.folder / ".stillwatch"
    entry = json.loads((home / "broker.json").read_text())
    assert deployment.end() == 0, deployment.log()
    with pytest.raises(ProcessLookupError):
        os.kill(entry["pid"], 0)
    assert not (home / "broker.json").exists()


@pytest.mark.embedded_only
def test_a_broker_that_falls_silent_is_told_and_waited_for(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker", register=False) as own:
        deployment = Deployment(own.address, tmp_path)
        try:
            deployment.start()
            deployment.until(lambda: deployment.health().get("state") == "ok")
            os.kill(own.pid, signal.SIGSTOP)
            deployment.until(lambda: "has not answered" in " ".join(deployment.health()["problems"]))
            assert deployment.health()["state"] == "degraded"
            os.kill(own.pid, signal.SIGCONT)
            deployment.send(range(50))
            deployment.until(lambda: received(deployment) == 50 and deployment.health()["state"] == "ok")
            assert deployment.end() == 0, deployment.log()
        finally:
            os.kill(own.pid, signal.SIGCONT)
            deployment.close()
