"""What a gateway reports arrives, and what cannot arrive is counted and holds nobody up."""

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.edge import Counts, Reporter
from pipeline.event import ApiCall, EventLimits, decode, partition_of
from pipeline.settings import StreamSettings
from pipeline.sources.fingerprint import prompt_hash
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.consume import read_topic

PAGE = Path(__file__).parents[2] / "docs" / "edge.md"
REQUEST = {"model": "m", "messages": [{"role": "user", "content": "a prompt that stays where it is"}]}


@pytest.mark.broker
def test_calls_arrive_on_the_partition_of_their_account(fresh_topics: Callable[..., StreamSettings]) -> None:
    settings = fresh_topics(partitions=3)
    reporter = Reporter(settings)
    for number in range(60):
        assert reporter.report(REQUEST, None, account_id=f"acct-{number % 7}", output_tokens=number)
    assert not reporter.report(REQUEST)
    assert reporter.close(30) == Counts(sent=60, unusable=1)
    assert not reporter.report(REQUEST, None, account_id="late")
    assert reporter.counts == Counts(sent=60, unusable=1, dropped=1)
    seen = []
    for record in read_topic(bootstrap_servers(settings.broker), settings.api_calls_topic):
        assert record.value is not None
        assert b"stays where it is" not in record.value
        call = decode(record.value, received_at=record.timestamp, limits=EventLimits())
        assert isinstance(call, ApiCall)
        assert call.prompt_hash == prompt_hash("a prompt that stays where it is")
        assert record.partition == partition_of(call.account_id, 3)
        seen.append(call.output_tokens)
    assert sorted(seen) == list(range(60))


@pytest.mark.broker
def test_the_page_does_what_it_says(
    fresh_topics: Callable[..., StreamSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = fresh_topics(partitions=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLWATCH_BROKER", f"kafka://{bootstrap_servers(settings.broker)[0]}")
    monkeypatch.setenv("STILLWATCH_STREAM__API_CALLS_TOPIC", settings.api_calls_topic)
    block, *_ = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {"request": REQUEST, "response": None}
    exec(block, names)
    assert names["reporter"].counts == Counts(sent=1)  # type: ignore[attr-defined]


def test_a_broker_that_is_away_costs_events_and_nothing_else() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = StreamSettings(broker=f"kafka://127.0.0.1:{nobody.getsockname()[1]}")
        reporter = Reporter(settings, queue=5, patience_s=1)
        queued = [reporter.report(REQUEST, None, account_id="a") for _ in range(8)]
        assert queued == [True] * 5 + [False] * 3
        assert reporter.close(20) == Counts(dropped=3, failed=5)


def test_what_no_gateway_should_send_raises_nothing() -> None:
    reporter = Reporter(StreamSettings(broker="kafka://127.0.0.1:9"))
    assert not reporter.report(None, None, account_id="a")  # type: ignore[arg-type]
    assert not reporter.report({}, None, account_id="")
    assert not reporter.report({}, None, account_id="a", ts="soon")
    assert reporter.close() == Counts(unusable=3)
