"""Workers that are killed, stopped and started go on from their states: the rows are those of one that ran undisturbed."""

import hashlib
import random
import re
import signal
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from pipeline.event import ApiCall
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.consume import read_topic
from pipeline.stream.produce import send_calls
from tests.faults.test_stream_worker import Deployment, committed, received

pytestmark = pytest.mark.broker
START = 1_733_000_000_000
TABLES = {
    "call_scores": "SELECT * FROM call_scores FINAL ORDER BY ALL",
    "account_windows": "SELECT * FROM account_windows FINAL ORDER BY ALL",
    "incidents": "SELECT * FROM incidents FINAL ORDER BY ALL",
    "campaigns": "SELECT * FROM campaigns FINAL ORDER BY ALL",
    "campaign_members": "SELECT * FROM campaign_members FINAL ORDER BY ALL",
    "api_calls": "SELECT * EXCEPT (received_at, topic, partition, offset) FROM api_calls FINAL ORDER BY ALL",
}


def traffic(events: int) -> Iterator[ApiCall]:
    """Twelve days of 40 accounts: from the ninth one draws much, from the fifth eight are a pool; a repeat now and then."""
    choose = random.Random(5)
    step = 12 * 86_400_000 // events
    recent: deque[ApiCall] = deque(maxlen=20)
    for number in range(events):
        if number % 50 == 49:
            yield recent[0]
            continue
        heavy = number > events * 3 // 4 and number % 3 == 0
        account = 0 if heavy else choose.randrange(40)
        pooled = number > events // 3 and account >= 32
        call = ApiCall(
            event_id=f"e{number}",
            ts=START + step * number,
            account_id=f"account-{account}",
            output_tokens=choose.randrange(3000, 4000) if heavy else choose.randrange(20, 400),
            input_tokens=choose.randrange(10, 900),
            model=f"model-{choose.randrange(3)}",
            client_ip=f"10.0.{32 if pooled else account}.{choose.randrange(3)}",
            system_prompt_hash="ab" * 8 if pooled else f"{account:016x}",
            payment_id=f"card-{account // 2 if pooled else account}",
            prompt_hash=hashlib.sha1(str(choose.randrange(500)).encode()).hexdigest(),
        )
        recent.append(call)
        yield call


def send(deployment: Deployment, calls: Sequence[ApiCall]) -> None:
    stream = deployment.settings.stream
    assert send_calls(calls, bootstrap_servers(stream.broker), stream, patience_s=20).accepted == len(calls)


def campaigns_follow(deployment: Deployment) -> bool:
    """Whether campaigns were looked for in all hours that every partition has passed."""
    page = deployment.page("/metrics")
    passed = [int(one) for one in re.findall(r"stillwatch_watermark_ms{.*?} (\d+)", page)]
    found = re.findall(r"^stillwatch_campaign_watermark_ms (\S+)", page, re.MULTILINE)
    return bool(passed) and found == [str(min(passed) // 3_600_000 * 3_600_000)]


def finish(deployment: Deployment, events: int) -> dict[str, list[list[object]]]:
    """Start a worker, let it come to the end, and read the tables."""
    deployment.start()
    deployment.until(
        lambda: (
            deployment.health().get("state") == "ok"
            and deployment.health()["lag"] == 0
            and committed(deployment) == events
            and campaigns_follow(deployment)
        )
    )
    assert deployment.end() == 0, deployment.log()
    return {name: deployment.query(sql) for name, sql in TABLES.items()}


def assert_every_change_was_published(deployment: Deployment) -> None:
    """Of each incident in the table every version up to that one is on the topic, under its id."""
    stream = deployment.settings.stream
    published: dict[str, set[int]] = defaultdict(set)
    for record in read_topic(bootstrap_servers(stream.broker), stream.incidents_topic):
        change = msgspec.json.decode(record.value or b"")
        assert record.key == change["incident_id"].encode()
        published[change["incident_id"]].add(change["version"])
    newest = deployment.query("SELECT incident_id, version FROM incidents FINAL")
    assert newest
    for incident_id, version in newest:
        assert published[incident_id] >= set(range(1, version + 1)), incident_id


def test_killed_workers_leave_the_rows_of_an_undisturbed_one(broker: str, tmp_path: Path, kills: int) -> None:
    calls = list(traffic(5_000 * kills if kills < 10 else 1_500 * kills))
    folders = [tmp_path / name for name in ("undisturbed", "disturbed")]
    for folder in folders:
        folder.mkdir()
    undisturbed, disturbed = (Deployment(broker, folder) for folder in folders)
    try:
        send(undisturbed, calls)
        expected = finish(undisturbed, len(calls))
        assert len(expected["call_scores"]) == len(calls) - len(calls) // 50
        assert expected["incidents"]
        assert len(expected["campaign_members"]) == 8
        choose = random.Random(1)
        for life in range(kills):
            # Each life has events of its own, so that it is killed at work.
            send(disturbed, calls[len(calls) * life // kills : len(calls) * (life + 1) // kills])
            disturbed.start("--set", "stream.max_batch_events=300", "--set", "stream.checkpoint_s=0.2")
            disturbed.until(lambda: received(disturbed) > 0)
            time.sleep(choose.random())
            disturbed.end(choose.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        found = finish(disturbed, len(calls))
        assert "a new engine" not in disturbed.log()
        assert_every_change_was_published(disturbed)
        for name, rows in expected.items():
            assert found[name] == rows, name
    finally:
        undisturbed.close()
        disturbed.close()
