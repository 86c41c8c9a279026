"""Reading a topic from a time to its end, outside any group: what replays from Kafka are made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import NamedTuple

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from kafka.errors import KafkaError as AdminError

from pipeline.stream.security import PLAINTEXT, Security
from pipeline.stream.topics import partition_counts

FETCH_BYTES = 4 << 20
RECORDS_PER_POLL = 20_000
#: A poll that waits this long and brings nothing is idle.
IDLE_POLL_MS = 500
#: Idle polls after which a broker that cannot be asked for a partition's end is taken to have given everything.
IDLE_POLLS = 2
#: How far before an event's time its record may have been produced: clocks differ.
SKEW_MS = 600_000


class TopicRecord(NamedTuple):
    """A record as it lies in the topic; `timestamp` in epoch milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class TopicReadError(ConnectionError):
    """The topic cannot be read; the text is one line."""


def read_topic(
    bootstrap: Sequence[str],
    topic: str,
    *,
    from_ms: int | None = None,
    to_ms: int | None = None,
    skew_ms: int = SKEW_MS,
    security: Security = PLAINTEXT,
) -> Iterator[TopicRecord]:
    """The records of a topic that may hold events between `from_ms` and `to_ms` (exclusive), epoch milliseconds.

    Partitions come interleaved, each in the order of its offsets. An event is not produced before it happens, so reading
    starts at the first record produced at `from_ms` less `skew_ms`. It may be produced long after, so reading goes to the
    end that the topic has when reading begins; with `to_ms` not after `from_ms` there is nothing. The caller looks at the
    events' own times. Blocks; not to be used within a running event loop. Raises `TopicReadError`.
    """
    if from_ms is not None and to_ms is not None and to_ms <= from_ms:
        return
    partitions = _partitions(bootstrap, topic, security)
    loop = asyncio.new_event_loop()
    reader = _read(bootstrap, partitions, None if from_ms is None else from_ms - skew_ms, security)
    try:
        while True:
            try:
                records = loop.run_until_complete(anext(reader))
            except StopAsyncIteration:
                return
            except KafkaError as error:
                raise TopicReadError(f"{topic} at {','.join(bootstrap)} cannot be read: {error!r}") from error
            yield from records
    finally:
        loop.run_until_complete(reader.aclose())
        loop.close()


def _partitions(bootstrap: Sequence[str], topic: str, security: Security) -> list[TopicPartition]:
    # By way of all topics: a consumer that asks for one that is not there may create it.
    try:
        count = partition_counts(bootstrap, [topic], security).get(topic)
    except AdminError as error:
        raise TopicReadError(f"{topic} at {','.join(bootstrap)} cannot be read: {error!r}") from error
    if not count:
        raise TopicReadError(f"there is no topic {topic} at {','.join(bootstrap)}: name it in stream.api_calls_topic")
    return [TopicPartition(topic, number) for number in range(count)]


async def _read(
    bootstrap: Sequence[str], partitions: list[TopicPartition], produced_from: int | None, security: Security
) -> AsyncGenerator[list[TopicRecord], None]:
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=list(bootstrap),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        **security.options(),
    )
    await consumer.start()
    try:
        consumer.assign(partitions)
        trusted = await _answers_make_sense(consumer, partitions)
        starts = await _starts(consumer, partitions, produced_from if trusted else None)
        ends = await consumer.end_offsets(partitions)
        for partition, start in starts.items():
            consumer.seek(partition, start)
        open_partitions = {tp for tp in partitions if not trusted or starts[tp] < ends[tp]}
        consumer.pause(*(tp for tp in partitions if tp not in open_partitions))
        idle = 0
        while open_partitions and idle < IDLE_POLLS:
            fetched = await consumer.getmany(timeout_ms=IDLE_POLL_MS, max_records=RECORDS_PER_POLL)
            idle = 0 if fetched or trusted else idle + 1
            for partition, records in fetched.items():
                yield [
                    TopicRecord(partition.partition, one.offset, one.timestamp, one.key, one.value)
                    for one in records
                    if not trusted or one.offset < ends[partition]
                ]
            for partition in list(open_partitions) if trusted else []:
                # The position, not the last record: the end may be a transaction's marker.
                if await consumer.position(partition) >= ends[partition]:
                    open_partitions.discard(partition)
                    consumer.pause(partition)
    finally:
        await consumer.stop()


async def _answers_make_sense(consumer: aiokafka.AIOKafkaConsumer, partitions: list[TopicPartition]) -> bool:
    """Whether the broker knows offsets: asked for records later than any, Kafka names none, the embedded broker one."""
    beyond_all = (1 << 62) - 1
    answers = await consumer.offsets_for_times(dict.fromkeys(partitions, beyond_all))
    return all(answer is None or answer.timestamp >= beyond_all for answer in answers.values())


async def _starts(
    consumer: aiokafka.AIOKafkaConsumer, partitions: list[TopicPartition], produced_from: int | None
) -> dict[TopicPartition, int]:
    if produced_from is None:
        beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        return beginnings
    answers = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, produced_from)))
    ends = await consumer.end_offsets(partitions)
    return {tp: ends[tp] if answer is None else answer.offset for tp, answer in answers.items()}
