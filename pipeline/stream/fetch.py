"""What a worker fetches of Kafka: batches of one partition, each with its place in the partition's chain.

All of it happens in the consumer's own thread, where a seek, a fetch and the note of either are one step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiokafka
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import get_logger
from mode.threads import QueueServiceThread

from pipeline.stream.ledger import Delivery

logger = get_logger(__name__)

#: Longest time that the broker may hold a fetch that finds nothing.
FETCH_MAX_WAIT_MS = 500
#: What the broker said of a partition's end counts for this long.
END_KNOWN_S = 3.0
#: Time that the group gets to hear of a worker's end.
LEAVE_PATIENCE_S = 5.0


@dataclass(slots=True, eq=False)
class FetchedBatch:
    """Records of one partition, in order; covers the offsets from `start` to `end` (exclusive)."""

    tp: TP
    epoch: int
    start: int
    end: int
    records: list[Any]
    """Of aiokafka: each has `offset`, `timestamp` (epoch ms), `key` and `value` (bytes or None)."""
    highwater: int | None
    restarted: bool
    """The log begins again before what was read already: the topic was made anew."""
    delivery: Delivery | None = None

    @property
    def missing(self) -> int:
        """Offsets before the first record that hold none: dropped by retention, or marks of transactions."""
        return max(0, self.records[0].offset - self.start) if self.records else 0


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to Kafka: fetches batches with their place in the chain, seeks, and commits."""

    def __post_init__(self) -> None:
        """Begin with no partition known."""
        super().__post_init__()
        # Both are touched only by this thread. A partition's chain: its epoch, and where the next batch must start.
        self._chain: dict[TP, tuple[int, int]] = {}
        self._epoch = 0
        self._answered_at = 0.0
        self.commit_failures = 0

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust fixes this at 1,500 ms and has no setting for it: a rebalance waits for the fetch that is under way.
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group; a broker that is away must not keep the process."""
        await QueueServiceThread.on_thread_stop(self)
        if self._consumer is not None:
            stopping = asyncio.ensure_future(self._consumer.stop())
            await asyncio.wait({stopping}, timeout=LEAVE_PATIENCE_S)
            if not stopping.done() or stopping.cancelled() or stopping.exception() is not None:
                logger.warning("the group could not be left properly: the broker is away")

    def silent_s(self) -> float:
        """Time since the broker last answered a fetch or gave partitions; 0 while it gave none to this worker."""
        subscription = None if self._consumer is None else self._consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        if assignment is not None:
            # aiokafka notes it by the wall clock.
            stamps = [state.timestamp for tp in assignment.tps if (state := assignment.state_value(tp)).timestamp]
            self._answered_at = max([self._answered_at, *(stamp / 1000 for stamp in stamps)])
        elif not self.app.rebalancing:
            return 0.0
        return max(0.0, time.time() - self._answered_at) if self._answered_at else 0.0

    def at_end(self, tp: TP, epoch: int, position: int) -> bool:
        """Whether the broker said lately that the partition ends at `position`, the end of what was fetched."""
        subscription = None if self._consumer is None else self._consumer._subscription.subscription
        assignment = None if subscription is None else subscription.assignment
        place = TopicPartition(tp.topic, tp.partition)
        if assignment is None or place not in assignment.tps or self._chain.get(tp) != (epoch, position):
            return False
        state = assignment.state_value(place)
        if not state.has_valid_position or state.highwater is None or not state.timestamp:
            return False
        # What does not move a chain, marks of transactions, moves the position all the same.
        known = time.time() - state.timestamp / 1000 < END_KNOWN_S
        return bool(known and state.highwater <= max(position, state.position))

    async def restart_chains(self) -> Mapping[TP, tuple[int, int, int | None]]:
        """Seek every assigned partition to the group's offset, or to its log's start where that comes later or there is none.

        Returns each one's (epoch, position, committed offset or None).
        """
        result: Mapping[TP, tuple[int, int, int | None]] = await self.call_thread(self._restart_chains)
        return result

    async def beginning(self, tp: TP) -> int:
        """The first offset that the partition's log still has. Raises `KafkaError`."""
        place = TopicPartition(tp.topic, tp.partition)
        offsets = await self.call_thread(self._beginnings, [place])
        return int(offsets[place])

    async def _beginnings(self, places: list[Any]) -> dict[Any, int]:
        return dict(await self._ensure_consumer().beginning_offsets(places)) if places else {}

    async def _restart_chains(self) -> dict[TP, tuple[int, int, int | None]]:
        consumer = self._ensure_consumer()
        committed: dict[Any, int | None] = {tp: await consumer.committed(tp) for tp in consumer.assignment()}
        beginnings = await self._beginnings(list(committed))
        self._answered_at = time.time()
        # No await from here on: what is fetched before these lines carries the old epoch, what comes after the new one.
        self._epoch += 1
        found = {}
        for tp, offset in committed.items():
            position = max(beginnings[tp], offset or 0)
            try:
                consumer.seek(tp, position)
            except IllegalStateError:
                continue  # revoked while we asked for its offset; the next assignment seeks again
            key = TP(tp.topic, tp.partition)
            self._chain[key] = (self._epoch, position)
            found[key] = (self._epoch, position, offset)
        return found

    async def _fetch_records(  # type: ignore[override]
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, FetchedBatch]:
        fetched = await super()._fetch_records(consumer, active_partitions, timeout=timeout, max_records=max_records)
        # No await from here on either: the positions below are those that this very fetch left.
        batches = {}
        for tp, records in fetched.items():
            key = TP(tp.topic, tp.partition)
            if records and key in self._chain:
                batches[key] = self._link(consumer, key, tp, records)
        return batches

    def _link(self, consumer: aiokafka.AIOKafkaConsumer, key: TP, tp: Any, records: list[Any]) -> FetchedBatch:
        epoch, start = self._chain[key]
        restarted = records[0].offset < start
        if restarted:
            self._epoch += 1
            epoch, start = self._epoch, records[0].offset
        end = records[-1].offset + 1
        self._chain[key] = (epoch, end)
        return FetchedBatch(key, epoch, start, end, records, consumer.highwater(tp), restarted)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where it did not work. Offsets stay committable then, and the next round tries again."""
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        wanted = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        try:
            await consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError) as error:
            logger.info("offsets not committed, the group is rebalancing: %s", error)
        except KafkaError as error:
            self.commit_failures += 1
            logger.warning("offsets not committed, will try again: %r", error)
        else:
            return len(wanted) == len(offsets)
        return False

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's check by log lines; `stillwatch_commit_stalled_seconds` and `/health` tell it here."""
