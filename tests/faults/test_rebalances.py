"""Workers that come and go, two and three at a time: the rows are those of one that ran undisturbed."""

import random
import signal
import time
from pathlib import Path

import pytest
from clickhouse_fixture import ClickHouseServer

from tests.faults.on_a_server import OnServer
from tests.faults.test_stream_recovery import assert_every_change_was_published, finish, send, traffic
from tests.faults.test_stream_worker import PATIENCE_S

pytestmark = pytest.mark.broker
OPTIONS = ("--set", "stream.max_batch_events=300", "--set", "stream.checkpoint_s=0.5")


def ready(deployment: OnServer, count: int) -> None:
    """Wait until as many workers as that have joined the group since the beginning."""
    deadline = time.monotonic() + PATIENCE_S
    while deployment.log().count(" ready: ") < count:
        assert time.monotonic() < deadline, deployment.log()
        assert all(worker.poll() is None for worker in deployment.workers), deployment.log()
        time.sleep(0.1)


def test_workers_added_and_killed_leave_the_rows_of_an_undisturbed_one(
    broker: str, tmp_path: Path, clickhouse_server: ClickHouseServer, kills: int
) -> None:
    rounds = max(1, kills // 5)
    calls = list(traffic(max(12_000, 5_000 * rounds)))
    folders = [tmp_path / name for name in ("undisturbed", "disturbed")]
    for folder in folders:
        folder.mkdir()
    undisturbed, disturbed = (OnServer(broker, folder, clickhouse_server) for folder in folders)
    choose = random.Random(7)
    try:
        send(undisturbed, calls)
        expected = finish(undisturbed, len(calls))
        assert expected["incidents"]
        started = 0
        portions = iter(
            [calls[len(calls) * i // (3 * rounds) : len(calls) * (i + 1) // (3 * rounds)] for i in range(3 * rounds)]
        )
        for _ in range(rounds):
            # From one or two workers to three, each joining while there is work.
            while len(disturbed.workers) < 3:
                disturbed.start(*OPTIONS)
                started += 1
                if len(disturbed.workers) == 2:
                    send(disturbed, next(portions))
                ready(disturbed, started)
            send(disturbed, next(portions))
            time.sleep(choose.random())
            disturbed.end_one(choose.randrange(3), signal.SIGKILL)
            send(disturbed, next(portions))
            time.sleep(choose.random())
            if choose.random() < 0.5:
                disturbed.end_one(choose.randrange(2), choose.choice([signal.SIGKILL, signal.SIGTERM]))
        while disturbed.workers:
            disturbed.end_one(0, signal.SIGKILL)
        for portion in portions:
            send(disturbed, portion)
        found = finish(disturbed, len(calls))
        for name, rows in expected.items():
            assert found[name] == rows, name
        assert "a new engine" not in disturbed.log()
        assert_every_change_was_published(disturbed)
    finally:
        undisturbed.close()
        disturbed.close()
