"""Several workers from one command: they share the partitions, end together, and tell when one fails."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_fixture import ClickHouseServer

from pipeline.store.client import connect
from pipeline.store.migrate import migrate
from tests.faults.test_stream_worker import PATIENCE_S, PROGRAM, Deployment

pytestmark = pytest.mark.broker
EVENTS = 4_000


class Several(Deployment):
    """Two workers on a ClickHouse server."""

    def __init__(self, broker: str, folder: Path, server: ClickHouseServer) -> None:
        super().__init__(broker, folder)
        self.store = server.address(f"d{uuid.uuid4().hex[:8]}")
        self.environ = {**os.environ, **server.environ}

    def start(self, *options: str) -> None:
        super().start("--workers", "2", *options)

    def new_port(self) -> int:
        # The second worker takes the next one. Below those that the kernel gives out, or another test may have it by then.
        while True:
            port = random.randrange(20_000, 30_000)
            try:
                for number in (port, port + 1):
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", number))
                return port
            except OSError:
                continue

    def health_of(self, worker: int) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port + worker}/health", timeout=5) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def children(self) -> list[int]:
        """Processes that the command started and that have a web page, by their lines."""
        return [int(line.split("worker ")[1].split()[0]) for line in self.log().splitlines() if " ready: " in line]


@pytest.fixture
def several(
    broker: str, tmp_path: Path, clickhouse_server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Several]:
    for name, value in clickhouse_server.environ.items():
        monkeypatch.setenv(name, value)
    made = Several(broker, tmp_path, clickhouse_server)
    with connect(made.store) as store:
        migrate(store)
    yield made
    made.close()


def until(condition: Callable[[], bool], several: Several) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, several.log()
        time.sleep(0.05)


def test_two_workers_share_the_work_and_stop_together(several: Several) -> None:
    several.start()
    until(lambda: len(several.children()) == 2, several)
    several.send(range(EVENTS))
    until(lambda: sum(several.health_of(n)["accepted"] for n in (0, 1)) >= EVENTS, several)
    shares = [several.health_of(n)["partitions"] for n in (0, 1)]
    assert sorted(shares[0] + shares[1]) == [0, 1, 2, 3]
    assert all(shares)
    assert several.end() == 0, several.log()
    assert several.log().count("everything begun is finished and committed") == 2
    with connect(several.store) as store:
        assert store.query_rows("SELECT count(), uniqExact(event_id) FROM call_scores") == [(EVENTS, EVENTS)]


def test_the_end_of_one_is_told_and_ends_the_other(several: Several) -> None:
    several.start()
    until(lambda: len(several.children()) == 2, several)
    victim, other = several.children()
    os.kill(victim, signal.SIGKILL)
    assert several.workers.pop().wait(PATIENCE_S) == 1
    assert f"(pid {victim}) ended with signal SIGKILL; the others were stopped" in several.log()
    with pytest.raises(ProcessLookupError):
        os.kill(other, 0)


def test_an_embedded_store_is_refused_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "worker", "--workers", "2", "--store", f"chdb:{tmp_path / 's'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "which one process holds: name a ClickHouse server" in line
