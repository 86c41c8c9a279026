"""The same events by stream and by replay give equal rows; and the real logs go both ways."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import StreamSettings
from pipeline.store.client import connect
from pipeline.stream.address import free_port
from replay.scenarios import generate
from replay.scenarios.write import write_events

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STILLWATCH_SHARED_DATA") or ROOT.parent / "shared" / "data")
PROGRAM = (sys.executable, "-m", "replay")
WITHIN_S = 120.0

Runner = Callable[..., dict[str, Any]]


class Installation:
    """A broker, topics of its own, a store, and the program's commands run on them as a user would."""

    def __init__(self, folder: Path, topics: StreamSettings) -> None:
        self.folder = folder
        self.store = f"chdb:{folder / 'store'}"
        names = ("broker", "group", "api_calls_topic", "rejected_topic", "signals_topic", "incidents_topic")
        pairs = "".join(f'{name} = "{getattr(topics, name)}"\n' for name in names)
        (folder / "stillwatch.toml").write_text(f"[stream]\n{pairs}partitions = {topics.partitions}\n")

    def run(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [*PROGRAM, *arguments, "--store", self.store],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def worker(self) -> Iterator[Callable[[], dict[str, float]]]:
        """A worker process; the value reads its metrics. Stopped by SIGTERM, which must exit with 0."""
        port = free_port()
        log = (self.folder / "worker.log").open("ab")
        process = subprocess.Popen(
            [*PROGRAM, "worker", "--web-port", str(port), "--store", self.store],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

        def metrics() -> dict[str, float]:
            assert process.poll() is None, (self.folder / "worker.log").read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    lines = answer.read().decode().splitlines()
            except OSError:
                return {}
            return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

        try:
            yield metrics
            process.send_signal(signal.SIGTERM)
            assert process.wait(WITHIN_S) == 0, (self.folder / "worker.log").read_text()
        finally:
            process.kill()
            process.wait()
            log.close()

    def stream(self, *ingest: str, campaigns: bool = False) -> dict[str, Any]:
        """Ingest, let the worker finish, and give what ingest said. With `campaigns`, every partition must get events."""

        def campaigns_follow(now: dict[str, float]) -> bool:
            passed = [value for name, value in now.items() if name.startswith("stillwatch_watermark_ms{")]
            hours = min(passed, default=-1) // 3_600_000
            return not campaigns or now["stillwatch_campaign_watermark_ms"] == hours * 3_600_000

        with self.worker() as metrics:
            said: dict[str, Any] = json.loads(self.run("ingest", *ingest, "--json"))
            deadline = time.monotonic() + WITHIN_S
            while True:
                now = metrics()
                scored = now.get("stillwatch_events_accepted_total", 0) + now.get(
                    "stillwatch_events_duplicate_total", 0
                )
                kept = now.get("stillwatch_rejects_stored_total", 0)
                if scored >= said["accepted"] and kept >= said["rejected"] and campaigns_follow(now):
                    return said
                assert time.monotonic() < deadline, f"{now} of {said}"
                time.sleep(0.2)

    def rows(self, table: str, run_id: str) -> list[tuple[Any, ...]]:
        sql = f"SELECT * EXCEPT run_id FROM {table} FINAL WHERE run_id = {{run_id:String}} ORDER BY ALL"
        with connect(self.store) as store:
            return store.query_rows(sql, {"run_id": run_id})


@pytest.fixture
def installation(tmp_path: Path, fresh_topics: Callable[..., StreamSettings]) -> Installation:
    return Installation(tmp_path, fresh_topics())


def test_stream_file_store_and_kafka_give_equal_rows(installation: Installation) -> None:
    made = generate("late-2024", accounts=150, days=4, seed=8)
    events = installation.folder / "events.jsonl.gz"
    write_events(made.calls(), str(events))
    # Some events twice and some that cannot be used, as in life.
    with gzip.open(events) as stream:
        again = stream.read().splitlines(keepends=True)[-40:]
    with gzip.open(events, "ab") as stream:
        stream.write(b"".join(again) + b'{"event_id": "broken"\n')
    said = installation.stream(str(events), campaigns=True)
    assert said["accepted"] == made.events + 40
    assert said["rejected_by_reason"] == {"malformed_json": 1}
    installation.run("replay", "run", "--run-id", "file", "--input", str(events))
    installation.run("replay", "run", "--run-id", "table", "--source", "clickhouse")
    installation.run("replay", "run", "--run-id", "kafka", "--source", "kafka")
    for table in ("call_scores", "account_windows", "incidents", "campaigns", "campaign_members"):
        live = installation.rows(table, "live")
        assert live, table
        for run_id in ("file", "table", "kafka"):
            assert installation.rows(table, run_id) == live, f"{table} of {run_id}"
    with connect(installation.store) as store:
        counts = store.query_rows(
            "SELECT (SELECT count() FROM api_calls FINAL), (SELECT sum(calls) FROM calls_per_minute), "
            "(SELECT sum(calls) FROM account_daily_usage), (SELECT count() FROM rejected_events)"
        )
    # The broken line is kept each time it was met: by ingest, and by the replay of the file.
    assert counts == [(made.events, made.events, made.events, 2)]
    verified(installation, made.events)


def verified(installation: Installation, events: int) -> None:
    """`replay verify` on what the stream wrote: equal from its first event and from kept states; not once a row is changed."""
    whole = json.loads(installation.run("replay", "verify", "--json", "--processes", "1"))
    assert whole["difference"] is None
    assert whole["events"] == whole["rows"]["call_scores"] == events
    assert min(whole["rows"].values()) > 0
    with connect(installation.store) as store:
        runs = store.query_rows("SELECT run_id FROM replay_runs FINAL ORDER BY run_id")
        assert runs == [("file",), ("kafka",), ("table",)]
        assert store.query_rows("SELECT count() FROM system.tables WHERE startsWith(name, 'verify_')") == [(0,)]
        store.command(
            "INSERT INTO account_windows SELECT * REPLACE (output_tokens + 1 AS output_tokens) FROM account_windows FINAL "
            "WHERE run_id = 'live' ORDER BY window_start, account_id, window_s LIMIT 1 OFFSET 5000"
        )
    said = installation.run("replay", "verify", "--processes", "1", code=1)
    assert said.startswith("account_windows (")
    assert ": output_tokens is " in said


@pytest.mark.skipif(not DATA.is_dir(), reason="the public data is not here; STILLWATCH_SHARED_DATA names its folder")
def test_real_logs_go_through_the_stream_and_through_a_replay(installation: Installation) -> None:
    folder = installation.folder / "logs"
    with tarfile.open(DATA / "cloudtrail" / "invictus_cloudtrail.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    files = sorted(str(path) for path in folder.rglob("*.json"))
    traces = str(DATA / "llm_traces" / "AzureLLMInferenceTrace_code.csv.gz")
    columns = ["ts=TIMESTAMP", "input_tokens=ContextTokens", "output_tokens=GeneratedTokens"]
    mapped = ["--format", "csv", *(part for one in columns for part in ("--map", one)), "--account", "azure-code"]
    assert installation.stream(*files)["accepted"] == 2900
    assert installation.stream(traces, *mapped)["accepted"] == 8819
    installation.run("replay", "run", "--run-id", "cloudtrail", *(part for one in files for part in ("--input", one)))
    installation.run("replay", "run", "--run-id", "azure", "--input", traces, *mapped)
    shown = installation.run(
        "sql",
        "SELECT run_id, count() AS calls, uniqExact(account_id) AS accounts FROM call_scores GROUP BY run_id ORDER BY run_id",
        "--format",
        "JSONEachRow",
    )
    assert [json.loads(line) for line in shown.splitlines()] == [
        {"run_id": "azure", "calls": 8819, "accounts": 1},
        {"run_id": "cloudtrail", "calls": 2900, "accounts": 20},
        {"run_id": "live", "calls": 11719, "accounts": 21},
    ]
