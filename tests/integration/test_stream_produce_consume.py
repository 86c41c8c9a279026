"""What ingest sends is what a replay reads: nothing lost, each account in order, on the partition Kafka would choose."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import pytest

from pipeline.event import ApiCall, Rejected, RejectReason, decode, encode, partition_of, rejected
from pipeline.event.decode import EventLimits
from pipeline.settings import StreamSettings
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.consume import TopicReadError, read_topic
from pipeline.stream.envelope import unpack
from pipeline.stream.produce import SendError, send_calls
from pipeline.stream.topics import ensure_topics, partition_counts, topic_specs

pytestmark = pytest.mark.broker
MakeTopics = Callable[..., StreamSettings]
NOW = 1_733_000_000_000


def call(number: int) -> ApiCall:
    return ApiCall(event_id=f"e{number}", ts=NOW + number, account_id=f"acct-{number % 37}", output_tokens=number)


def send(results: Iterator[ApiCall | Rejected], settings: StreamSettings) -> int:
    report = send_calls(results, bootstrap_servers(settings.broker), settings, patience_s=20)
    return report.accepted


def test_events_come_back_in_the_order_of_their_accounts(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=4)
    count = 5000
    assert send((call(number) for number in range(count)), settings) == count
    seen: dict[str, list[int]] = defaultdict(list)
    offsets: dict[int, list[int]] = defaultdict(list)
    for record in read_topic(bootstrap_servers(settings.broker), settings.api_calls_topic):
        assert record.value is not None
        event = decode(record.value, received_at=record.timestamp, limits=EventLimits())
        assert isinstance(event, ApiCall)
        assert record.key == event.account_id.encode()
        assert record.partition == partition_of(event.account_id, 4)
        seen[event.account_id].append(event.ts)
        offsets[record.partition].append(record.offset)
    assert sum(map(len, seen.values())) == count
    assert all(times == sorted(times) for times in seen.values())
    assert all(found == list(range(len(found))) for found in offsets.values())


def test_rejects_go_to_their_topic_whole(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=2)
    broken = [
        rejected(RejectReason.MALFORMED_JSON, "text", b"{oops", NOW, "a.jsonl:1"),
        rejected(RejectReason.WRONG_TYPE, "bytes", b"\xff\x00\xfe", NOW, "a.jsonl:2"),
        rejected(RejectReason.OVERSIZED, "control characters", b"\x01" * 100_000, NOW, "a.jsonl:3"),
    ]
    report = send_calls(iter([call(1), *broken]), bootstrap_servers(settings.broker), settings, patience_s=20)
    assert (report.accepted, report.rejected.total()) == (1, 3)
    found = [
        unpack(record.value or b"", received_at=0, topic="", partition=0, offset=0)
        for record in read_topic(bootstrap_servers(settings.broker), settings.rejected_topic)
    ]
    assert found == broken
    assert len(found[2].raw) == 65_536


def test_reading_ends_at_the_end_also_of_empty_partitions(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=5)
    servers = bootstrap_servers(settings.broker)
    assert list(read_topic(servers, settings.api_calls_topic)) == []
    send(iter([call(1)]), settings)
    assert len(list(read_topic(servers, settings.api_calls_topic))) == 1


def test_a_window_in_the_past_does_not_leave_out_what_was_produced_in_it(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=1)
    servers = bootstrap_servers(settings.broker)
    began = time.time_ns() // 1_000_000
    send(map(call, range(100)), settings)
    assert len(list(read_topic(servers, settings.api_calls_topic, from_ms=began))) == 100
    assert len(list(read_topic(servers, settings.api_calls_topic, from_ms=0, to_ms=began))) == 100
    assert list(read_topic(servers, settings.api_calls_topic, from_ms=began, to_ms=began)) == []


def test_a_topic_that_is_not_there_is_told_and_not_created(broker: str) -> None:
    servers = bootstrap_servers(broker)
    with pytest.raises(TopicReadError, match="there is no topic nowhere"):
        list(read_topic(servers, "nowhere"))
    assert partition_counts(servers, ["nowhere"]) == {}


def test_input_that_stands_still_is_sent_all_the_same(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=1)
    servers = bootstrap_servers(settings.broker)
    arrived: list[int] = []

    def trickle() -> Iterator[ApiCall | Rejected]:
        yield call(1)
        deadline = time.monotonic() + 30
        while not arrived and time.monotonic() < deadline:
            arrived.extend(record.offset for record in read_topic(servers, settings.api_calls_topic))
        yield call(2)

    assert send(trickle(), settings) == 2
    assert arrived == [0]


def test_what_reading_raises_comes_through_after_what_was_read(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=1)

    def breaks() -> Iterator[ApiCall | Rejected]:
        yield call(1)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        send(breaks(), settings)


def test_a_broker_that_is_away_is_told_in_one_line() -> None:
    with pytest.raises(SendError, match="took no events") as caught:
        send_calls(iter([call(1)]), ["127.0.0.1:1"], StreamSettings(), patience_s=1)
    assert "\n" not in str(caught.value)


def test_topics_are_made_as_stated_and_differences_told(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=3)
    servers = bootstrap_servers(settings.broker)
    names = [spec.name for spec in topic_specs(settings)]
    assert partition_counts(servers, names) == {
        settings.api_calls_topic: 3,
        settings.rejected_topic: 1,
        settings.signals_topic: 3,
        settings.incidents_topic: 1,
    }
    more = StreamSettings(
        api_calls_topic=settings.api_calls_topic,
        rejected_topic=settings.rejected_topic,
        signals_topic=settings.signals_topic,
        incidents_topic=settings.incidents_topic,
        partitions=6,
    )
    lines = ensure_topics(servers, topic_specs(more))
    assert len(lines) == 2
    assert f"{settings.api_calls_topic} has 3 partitions, the settings say 6" in " ".join(lines)
    assert partition_counts(servers, names)[settings.api_calls_topic] == 3


def test_encoded_events_are_what_the_engine_decodes() -> None:
    event = call(5)
    assert decode(encode(event), received_at=NOW + 10_000, limits=EventLimits()) == event
