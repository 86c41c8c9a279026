"""Where nothing comes any more, windows close all the same, and nothing waits for the next event."""

import re

import pytest

from pipeline.event import ApiCall
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.produce import send_calls
from tests.faults.test_stream_worker import Deployment, committed, deployment, received

__all__ = ["deployment"]
pytestmark = pytest.mark.broker
#: The last second of a day: time that passes ends windows of all lengths.
LAST_SECOND = 1_733_011_199_000
WINDOWS = "SELECT window_s, count(), sum(calls) FROM account_windows FINAL GROUP BY 1 ORDER BY 1"
ALL_LENGTHS = [[length, 20, 20] for length in (60, 600, 3600, 86_400)]


def send(deployment: Deployment, first: int, ts: int) -> None:
    stream = deployment.settings.stream
    calls = [ApiCall(event_id=f"e{first + n}", ts=ts, account_id=f"acct-{n}") for n in range(20)]
    assert send_calls(calls, bootstrap_servers(stream.broker), stream, patience_s=20).accepted == len(calls)


def closed_in_silence(deployment: Deployment) -> int:
    found = re.search(r"stillwatch_windows_closed_in_silence_total (\d+)", deployment.page("/metrics"))
    return int(found.group(1)) if found else 0


@pytest.mark.kafka_only
def test_windows_close_without_a_next_event_and_what_comes_later_is_late(deployment: Deployment) -> None:
    deployment.start("--set", "stream.idle_s=1", "--set", "engine.allowed_lateness_s=0")
    deployment.until(lambda: deployment.health().get("state") == "ok")
    send(deployment, 0, LAST_SECOND)
    deployment.until(lambda: closed_in_silence(deployment) == 80)
    silent = re.findall(r"stillwatch_partition_silent_seconds\{.*?\} (\S+)", deployment.page("/metrics"))
    assert len(silent) == 4
    assert max(map(float, silent)) >= 1
    send(deployment, 100, LAST_SECOND)
    deployment.until(lambda: received(deployment) == 40)
    deployment.until(lambda: committed(deployment) == 40)
    assert "stillwatch_events_late_total 20" in deployment.page("/metrics")
    assert deployment.end() == 0, deployment.log()
    assert deployment.query(WINDOWS) == ALL_LENGTHS
    assert deployment.query("SELECT late, count() FROM call_scores FINAL GROUP BY 1 ORDER BY 1") == [
        [False, 20],
        [True, 20],
    ]
    assert deployment.query("SELECT sum(calls) FROM account_daily_usage") == [[40]]


def test_windows_of_before_a_restart_close_though_nothing_comes_after_it(deployment: Deployment) -> None:
    deployment.start("--set", "stream.idle_s=0", "--set", "engine.allowed_lateness_s=0")
    send(deployment, 0, LAST_SECOND)
    deployment.until(lambda: received(deployment) == 20)
    assert deployment.end() == 0, deployment.log()
    assert deployment.query(WINDOWS) == []
    deployment.start("--set", "stream.idle_s=1", "--set", "engine.allowed_lateness_s=0")
    deployment.until(lambda: closed_in_silence(deployment) == 80)
    assert deployment.end() == 0, deployment.log()
    assert deployment.query(WINDOWS) == ALL_LENGTHS
    assert "a new engine" not in deployment.log()
