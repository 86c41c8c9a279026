"""Events that come twice, out of their time, or spoilt: each is accounted for, and none harms the others."""

import random

import pytest

from pipeline.event import ApiCall, encode
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.produce import send_calls
from tests.faults.test_stream_worker import NOW, Deployment, committed, deployment, received

__all__ = ["deployment"]
pytestmark = pytest.mark.broker
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
IN_2035 = 2_051_222_400_000
IN_1970 = 86_400_000


def send(deployment: Deployment, calls: list[ApiCall]) -> None:
    stream = deployment.settings.stream
    assert send_calls(calls, bootstrap_servers(stream.broker), stream, patience_s=20).accepted == len(calls)


def hours(first: int, count: int, ts: int) -> list[ApiCall]:
    return [ApiCall(event_id=f"e{first + n}", ts=ts + n, account_id=f"acct-{n % 20}") for n in range(count)]


@pytest.mark.kafka_only
def test_an_event_sent_again_an_hour_later_and_after_a_restart_counts_once(deployment: Deployment) -> None:
    deployment.start()
    send(deployment, hours(0, 200, NOW))
    deployment.until(lambda: received(deployment) == 200)
    # Sent again by a client that gives the time of sending, among new ones.
    send(deployment, hours(0, 100, NOW + HOUR_MS) + hours(200, 100, NOW + HOUR_MS))
    deployment.until(lambda: received(deployment) == 400)
    assert deployment.health()["duplicates"] == 100
    assert deployment.end() == 0, deployment.log()
    deployment.start()
    send(deployment, hours(100, 200, NOW + 2 * HOUR_MS) + hours(300, 50, NOW + 2 * HOUR_MS))
    deployment.until(lambda: received(deployment) == 250)
    assert deployment.health()["duplicates"] == 200
    assert deployment.end() == 0, deployment.log()
    for table in ("api_calls", "call_scores"):
        assert deployment.query(f"SELECT count(), uniqExact(event_id) FROM {table}") == [[350, 350]]
    assert deployment.query("SELECT sum(calls) FROM account_daily_usage") == [[350]]
    assert deployment.query("SELECT sum(calls) FROM calls_per_minute") == [[350]]


@pytest.mark.kafka_only
def test_clocks_that_are_wrong_are_told_and_move_no_time(deployment: Deployment) -> None:
    deployment.start("--set", "stream.reject_share_limit=1", "--set", "stream.idle_s=0")
    accounts = [f"acct-{n}" for n in range(20)]
    steady = [
        ApiCall(event_id=f"s{n}-{account}", ts=NOW + n * 60_000, account_id=account)
        for n in range(60)
        for account in accounts
    ]
    send(deployment, steady[:600])
    odd = [
        ApiCall(event_id=f"o{number}-{account}", ts=ts, account_id=account)
        for number, ts in enumerate([IN_2035, IN_1970, NOW - DAY_MS])
        for account in accounts
    ]
    # A producer whose clock is wrong stamps its records with it as well; that is no proof of when they came.
    by_account = {account: [encode(call) for call in odd if call.account_id == account] for account in accounts}
    for account, values in by_account.items():
        deployment.send_raw(values, key=account.encode(), timestamps=[IN_2035, IN_1970, NOW - DAY_MS])
    deployment.until(lambda: received(deployment) == 660)
    send(deployment, steady[600:])
    deployment.until(lambda: received(deployment) == 1260 and committed(deployment) == 1260)
    health = deployment.health()
    assert (health["accepted"], health["rejected"]) == (1220, 40)
    assert "stillwatch_events_late_total 20" in deployment.page("/metrics")
    watermarks = [
        line for line in deployment.page("/metrics").splitlines() if line.startswith("stillwatch_watermark_ms{")
    ]
    assert watermarks
    assert all(NOW <= int(line.split()[-1]) <= NOW + HOUR_MS for line in watermarks)
    deployment.until(lambda: 'rows_written_total{table="rejected_events"} 40' in deployment.page("/metrics"))
    assert deployment.end() == 0, deployment.log()
    kept = deployment.query("SELECT reason, count() FROM rejected_events FINAL GROUP BY 1 ORDER BY 1")
    assert kept == [["time_in_future", 20], ["time_too_old", 20]]
    # All that came in time is in its minute, and what came a day late is kept, flagged, and in the sums by event time.
    minutes = "SELECT count(), sum(calls) FROM account_windows FINAL WHERE window_s = 60 AND window_start <= "
    assert deployment.query(f"{minutes} fromUnixTimestamp64Milli({NOW + 49 * 60_000})") == [[50 * 20, 50 * 20]]
    assert deployment.query("SELECT countIf(late), count() FROM call_scores FINAL") == [[20, 1220]]
    assert deployment.query("SELECT sum(calls) FROM account_daily_usage WHERE day = '2024-11-29'") == [[20]]


def mutations(count: int) -> list[bytes]:
    """Valid events, each spoilt in one of many ways or in none, from a seed."""
    choose = random.Random(2024)
    odd = [
        b"null",
        b"-1",
        b"1e400",
        b'"\\ud800"',
        b"[]",
        b"{}",
        b'"' + b"x" * 3000 + b'"',
        b"9" * 400,
        b"true",
        b'""',
        b"NaN",
    ]
    spoilt = []
    for number in range(count):
        identity = choose.randrange(count)
        call = ApiCall(
            event_id=f"m{identity}",
            ts=NOW + number * 10,
            account_id=f"acct-{identity % 50}",
            output_tokens=choose.randrange(1000),
            prompt_hash=f"{choose.getrandbits(64):016x}",
            attributes={"k": "v"},
        )
        data = bytearray(encode(call))
        kind = choose.randrange(8)
        if kind == 0:
            data[choose.randrange(len(data))] = choose.randrange(256)
        elif kind == 1:
            del data[choose.randrange(len(data)) :]
        elif kind == 2:
            at = choose.randrange(len(data))
            data[at:at] = choose.randbytes(choose.randrange(1, 9))
        elif kind == 3:
            data = bytearray(b"[" * choose.randrange(1, 3000) + data)
        elif kind in (4, 5):
            field = choose.choice(
                [b"event_id", b"ts", b"account_id", b"output_tokens", b"prompt_hash", b"attributes", b"new"]
            )
            data[1:1] = b'"' + field + b'":' + choose.choice(odd) + b","
        elif kind == 6:
            begin = choose.randrange(len(data))
            del data[begin : begin + choose.randrange(1, 20)]
        spoilt.append(bytes(data))
    return spoilt


def test_poisoned_messages_are_each_accepted_or_rejected_with_a_reason(deployment: Deployment) -> None:
    messages = mutations(10_000)
    deployment.start("--set", "stream.reject_share_limit=1")
    deployment.send_raw(messages)
    deployment.until(lambda: received(deployment) == len(messages))
    health = deployment.health()
    assert health["accepted"] + health["rejected"] + health["duplicates"] == len(messages)
    assert min(health["accepted"], health["rejected"], health["duplicates"]) > 100
    written = f'rows_written_total{{table="rejected_events"}} {health["rejected"]}'
    deployment.until(lambda: written in deployment.page("/metrics"))
    assert deployment.end() == 0, deployment.log()
    assert deployment.query("SELECT count() FROM api_calls FINAL") == [[health["accepted"]]]
    assert deployment.query("SELECT count() FROM call_scores FINAL") == [[health["accepted"]]]
    assert deployment.query("SELECT count(), countIf(reason = '') FROM rejected_events FINAL") == [
        [health["rejected"], 0]
    ]
    places = "SELECT partition, offset FROM"
    taken = f"SELECT count() FROM ({places} api_calls UNION DISTINCT {places} rejected_events)"
    assert deployment.query(taken) == [[health["accepted"] + health["rejected"]]]
