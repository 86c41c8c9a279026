"""Batches through Faust: every record once, in order, and offsets committed only behind acked work."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import aiokafka
import pytest
from aiokafka.structs import TopicPartition

from pipeline.settings import StreamSettings
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.app import StreamApp, create_stream_app

pytestmark = pytest.mark.broker
MakeTopics = Callable[..., StreamSettings]
PATIENCE_S = 60.0


async def produce(settings: StreamSettings, partition: int, values: list[bytes]) -> None:
    producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap_servers(settings.broker))
    await producer.start()
    try:
        for value in values:
            await producer.send(settings.api_calls_topic, value, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


async def committed(settings: StreamSettings) -> list[int | None]:
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers(settings.broker), group_id=settings.group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        tps = [TopicPartition(settings.api_calls_topic, number) for number in range(settings.partitions)]
        return [await consumer.committed(tp) for tp in tps]
    finally:
        await consumer.stop()


class Reader:
    """An app whose agent notes what it is given, and acks it at once or, with `hold`, never."""

    def __init__(self, settings: StreamSettings, *, hold: bool = False) -> None:
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.values: list[bytes] = []
        self.batches = 0
        self.hold = hold
        self.app: StreamApp = create_stream_app(settings, bootstrap_servers(settings.broker), embedded=True, web=False)
        topic = self.app.topic(settings.api_calls_topic, value_type=bytes)

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                self.batches += 1
                for record in event.value.records:
                    self.seen[record.partition].append(record.offset)
                    self.values.append(record.value)
                if not self.hold:
                    self.consumer.ack(event.message)

        self.app.agent(topic, name="reader")(agent)

    @property
    def consumer(self) -> Any:
        return self.app.consumer

    @property
    def count(self) -> int:
        return sum(map(len, self.seen.values()))

    @property
    def partitions(self) -> set[int]:
        return {tp.partition for tp in self.consumer.ledgers}


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.05)


def test_every_record_arrives_once_and_in_order(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=3, max_batch_events=500)
    sizes = [1, 2000, 777]

    async def scenario() -> Reader:
        for partition, size in enumerate(sizes):
            await produce(settings, partition, [b"%d" % number for number in range(size)])
        reader = Reader(settings)
        await reader.app.start()
        await until(lambda: reader.count >= sum(sizes))
        await produce(settings, 0, [b"later"])
        await until(lambda: reader.count >= sum(sizes) + 1)
        await reader.app.stop()
        return reader

    reader = asyncio.run(scenario())
    assert dict(reader.seen) == {0: [0, 1], 1: list(range(2000)), 2: list(range(777))}
    assert reader.batches < 20, "records come in batches"
    assert asyncio.run(committed(settings)) == [2, 2000, 777]


def test_what_is_not_acked_is_not_committed_and_comes_again(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=1)

    async def scenario() -> tuple[Reader, Reader]:
        await produce(settings, 0, [b"a", b"b"])
        first = Reader(settings)
        await first.app.start()
        await until(lambda: first.count == 2)
        await until(lambda: all(not ledger.behind for ledger in first.consumer.ledgers.values()))
        first.hold = True
        await produce(settings, 0, [b"c", b"d"])
        await until(lambda: first.count == 4)
        first.consumer.drain_patience_s = 0.1
        await first.app.stop()
        assert await committed(settings) == [2]
        second = Reader(settings)
        await second.app.start()
        await until(lambda: second.count == 2)
        await second.app.stop()
        return first, second

    first, second = asyncio.run(scenario())
    assert first.seen[0] == [0, 1, 2, 3]
    assert second.seen[0] == [2, 3]
    assert asyncio.run(committed(settings)) == [4]


def test_two_workers_share_the_partitions_and_lose_nothing(fresh_topics: MakeTopics) -> None:
    settings = fresh_topics(partitions=4)

    async def scenario() -> tuple[Reader, Reader]:
        first = Reader(settings)
        await first.app.start()
        await until(lambda: first.partitions == {0, 1, 2, 3})
        for partition in range(4):
            await produce(settings, partition, [b"%d-%d" % (partition, number) for number in range(300)])
        await until(lambda: first.count == 1200)
        second = Reader(settings)
        await second.app.start()
        await until(lambda: len(first.partitions) == 2 and len(second.partitions) == 2)
        for partition in range(4):
            await produce(settings, partition, [b"%d-%d" % (partition, number) for number in range(300, 600)])
        await until(lambda: len(set(first.values) | set(second.values)) == 2400)
        await first.app.stop()
        await until(lambda: second.partitions == {0, 1, 2, 3})
        for partition in range(4):
            await produce(settings, partition, [b"%d-last" % partition])
        await until(lambda: len(set(first.values) | set(second.values)) == 2404)
        await second.app.stop()
        return first, second

    first, second = asyncio.run(scenario())
    for reader in (first, second):
        for offsets in reader.seen.values():
            assert offsets == sorted(set(offsets)), "in order, and none twice to one worker"
    assert asyncio.run(committed(settings)) == [601] * 4
