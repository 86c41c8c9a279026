"""`stillwatch worker` as it is, from broker to chDB: events/s, and bytes per event in the store."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from bench.speed.place import PATIENCE_S, STILLWATCH, TOPIC
from bench.speed.same_work.work import new_group
from pipeline.store.client import connect
from pipeline.stream.address import free_port

POLL_S = 0.1
RECEIVED = re.compile(r"^stillwatch_events_received_total (\d+)", re.M)
CALLS = re.compile(r'^stillwatch_rows_written_total\{table="api_calls"\} (\d+)', re.M)
SCORES = re.compile(r'^stillwatch_rows_written_total\{table="call_scores"\} (\d+)', re.M)
CHECKPOINTS = re.compile(r"^stillwatch_checkpoints_total (\d+)", re.M)
ACCOUNTS = re.compile(r"^stillwatch_accounts (\d+)", re.M)
#: Seconds between two checkpoints of a partition; by default 30, which would be more than the whole measurement.
CHECKPOINT_S = 2
BYTES = """
SELECT table, sum(rows) AS rows, sum(data_compressed_bytes) AS compressed
FROM system.parts WHERE active AND database = 'stillwatch' GROUP BY table ORDER BY table
"""


def run(server: str, events: int, topic: str = TOPIC) -> dict[str, Any]:
    """Start a worker on a topic that holds `events` and wait until all rows are in the store."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as folder:
        store = f"chdb:{Path(folder) / 'store'}"
        port = free_port()
        log = Path(folder) / "worker.log"
        command = [STILLWATCH, "worker", "--broker", f"kafka://{server}", "--store", store, "--web-port", str(port)]
        command += ["--set", f"stream.group={new_group('worker')}", "--set", "stream.session_timeout_s=6"]
        command += ["--set", f"stream.checkpoint_s={CHECKPOINT_S}", "--set", f"stream.api_calls_topic={topic}"]
        with log.open("wb") as errors:
            process = subprocess.Popen(command, cwd=folder, stderr=errors)
        try:
            result = _watch(process, f"http://127.0.0.1:{port}/metrics", events)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        if "error" in result:
            result["error"] += ": " + log.read_text().strip()[-200:]
            return result
        result["tables"] = _bytes(store)
        stored = result["tables"]
        events_and_scores = sum(stored[name]["compressed"] for name in ("api_calls", "call_scores"))
        windows = stored["account_windows"]["compressed"]
        result["bytes_per_event"] = events_and_scores / stored["api_calls"]["rows"]
        result["bytes_with_windows"] = (events_and_scores + windows) / stored["api_calls"]["rows"]
        return result


def _watch(process: subprocess.Popen[bytes], page: str, events: int) -> dict[str, Any]:
    began = cpu = 0.0
    program = psutil.Process(process.pid)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        now, used, text = time.perf_counter(), _cpu_seconds(program), _get(page)
        # The last look that saw no event begins the time, so it is at most one look too long.
        if text and not _number(RECEIVED, text):
            began, cpu = now, used
        if min(_number(CALLS, text), _number(SCORES, text)) >= events:
            seconds = time.perf_counter() - began
            used = _cpu_seconds(program) - cpu
            return {
                "events": events,
                "seconds": seconds,
                "cpu_seconds": used,
                "rss_bytes": program.memory_info().rss,
                "checkpoints": _number(CHECKPOINTS, text),
                "accounts": _number(ACCOUNTS, text),
            }
        time.sleep(POLL_S)
    return {"error": "the worker ended early" if process.poll() is not None else f"not done within {PATIENCE_S} s"}


def _number(metric: re.Pattern[str], text: str) -> int:
    found = metric.search(text)
    return int(found[1]) if found else 0


def _get(page: str) -> str:
    try:
        with urllib.request.urlopen(page, timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _bytes(address: str) -> dict[str, dict[str, int]]:
    with connect(address) as store:
        rows = store.query_rows(BYTES)
    return {str(table): {"rows": int(count), "compressed": int(size)} for table, count, size in rows}
