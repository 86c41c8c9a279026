"""A Faust transport in which one fetched batch of a partition is one event of the stream.

Faust moves single messages, at 60 to 100 us each. Here a message's value is a `FetchedBatch` with all records of one
partition that a fetch gave, so that cost is paid per batch; agents, groups, rebalancing and lifecycle stay Faust's.
Offsets are kept by `PartitionLedger` in place of Faust's lists of single offsets. See docs/decisions/0001.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import aiokafka
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import get_logger
from mode.threads import QueueServiceThread

from pipeline.stream.gaps import OffsetGap
from pipeline.stream.ledger import Delivery, PartitionLedger

logger = get_logger(__name__)

FETCH_TIMEOUT_S = 1.0
#: Longest time that the broker may hold a fetch that finds nothing.
FETCH_MAX_WAIT_MS = 500
#: What the broker said of a partition's end counts for this long.
END_KNOWN_S = 3.0
#: Time that the group gets to hear of a worker's end.
LEAVE_PATIENCE_S = 5.0
#: Time that batches under way get to become durable when the worker stops or loses partitions; less than a rebalance.
DRAIN_PATIENCE_S = 45.0
COMMIT_TRIES_AT_END = 3


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


class Consumer(driver.Consumer):
    """Faust's consumer with batches as messages and ledgers as bookkeeping.

    A message is acked by `ack`, which the worker calls once all effects of its batch are durable.
    """

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drain_patience_s = DRAIN_PATIENCE_S
        self.ledgers: dict[TP, PartitionLedger] = {}
        self.ends: dict[TP, int] = {}
        """The offset after each partition's last record, as far as the last fetch could tell."""
        self.missing_offsets = 0
        self._gap_ends: dict[tuple[TP, int], int] = {}
        self.gaps: list[OffsetGap] = []
        """Gaps that were found and are not taken from here yet to be kept."""
        self._progress: dict[TP, tuple[int | None, float]] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def commit_failures(self) -> int:
        """Commits that the broker did not take."""
        return self._thread.commit_failures

    def silent_s(self) -> float:
        """Time since the broker last answered a fetch."""
        return self._thread.silent_s()

    # Faust takes a partition out of the fetch when its queue fills, and then waits up to a second on the others alone.
    # The bounded queue by itself holds fetching back.
    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: see above."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing: see above."""

    async def perform_seek(self) -> None:
        """Go back to the committed offsets; whatever was fetched or delivered before counts for nothing."""
        for tp, (epoch, position, committed) in (await self._thread.restart_chains()).items():
            self._ledger(tp).restart(epoch, position, committed)
            if committed is not None and position > committed:
                self._found_gap(OffsetGap(tp, committed, position - 1))

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetcher runs this: fetch, and hand each batch to the streams, as long as they take them."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                for message in await self._next_messages():
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
        except ConsumerStoppedError:
            if not self.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.app.should_stop:
                raise

    async def _next_messages(self) -> list[ConsumerMessage]:
        batches, _ = await self._wait_next_records(FETCH_TIMEOUT_S)
        if not batches or self.should_stop or not self.flow_active:
            # Dropping is safe: flow stops only for a rebalance, which seeks to the committed offsets before it resumes.
            await self.sleep(0)
            return []
        for batch in cast(list[FetchedBatch], list(batches.values())):
            if batch.missing:
                await self._look_for_gap(batch)
        return [message for batch in batches.values() if (message := self._take(batch)) is not None]

    async def _look_for_gap(self, batch: FetchedBatch) -> None:
        # Marks of transactions take offsets as well: nothing is lost unless the log itself begins later.
        try:
            beginning = await self._thread.beginning(batch.tp)
        except KafkaError:
            beginning = batch.records[0].offset
        last = min(beginning, batch.records[0].offset) - 1
        if last >= batch.start and self._ledger(batch.tp).accepts(batch.epoch, batch.start):
            self._found_gap(OffsetGap(batch.tp, batch.start, last))

    def _found_gap(self, gap: OffsetGap) -> None:
        # Until something is committed every rebalance finds it again.
        known = self._gap_ends.get((gap.tp, gap.first), gap.first - 1)
        if gap.last <= known:
            return
        self._gap_ends[gap.tp, gap.first] = gap.last
        self.missing_offsets += gap.last - known
        self.gaps.append(gap)
        logger.error("%s", gap)

    def at_end(self, tp: TP) -> bool:
        """Whether all records of the partition have been delivered, as far as the broker said lately."""
        ledger = self._ledger(tp)
        return self._thread.at_end(tp, ledger.epoch, ledger.position)

    def _take(self, batch: Any) -> ConsumerMessage | None:
        assert isinstance(batch, FetchedBatch)
        ledger = self._ledger(batch.tp)
        if batch.restarted:
            logger.warning("%s begins again at offset %d: the topic was made anew", batch.tp, batch.start)
            ledger.restart(batch.epoch, batch.start, None)
        if not ledger.accepts(batch.epoch, batch.start):
            return None  # fetched before a seek
        batch.delivery = ledger.deliver(batch.end)
        if batch.highwater is not None:
            self.ends[batch.tp] = batch.highwater
        last = batch.records[-1]
        return ConsumerMessage(
            batch.tp.topic,
            batch.tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            last.headers,
            None,
            cast(Any, batch),
            None,
            0,
            0,
            batch.tp,
            generation_id=self.app.consumer_generation_id,
        )

    def ack(self, message: Message) -> bool:
        """All effects of the message's batch are durable: its offsets may be committed when those before are."""
        if message.acked:
            return False
        message.acked = True
        self._unacked_messages.discard(message)
        batch = cast(FetchedBatch, message.value)
        counted = batch.delivery is not None and self._ledger(batch.tp).ack(batch.delivery)
        if self._waiting_for_ack is not None and not self._waiting_for_ack.done():
            self._waiting_for_ack.set_result(None)
        return counted

    def abandon(self, message: Message) -> None:
        """Its effects will not become durable in this process: do not wait for it, and never commit past it."""
        self._unacked_messages.discard(message)

    def is_current(self, batch: FetchedBatch) -> bool:
        """Whether the batch still belongs to this worker, or a rebalance has taken it away since its fetch."""
        return batch.delivery is not None and batch.delivery.epoch == self._ledger(batch.tp).epoch

    async def wait_empty(self) -> None:
        """Wait until all batches under way are acked, `drain_patience_s` at most, and commit."""
        deadline = time.monotonic() + self.drain_patience_s
        cast(Any, self.app).on_drain()
        while not self.should_stop and self._unacked_messages and time.monotonic() < deadline:
            await self._wait_for_ack(timeout=1)
            self._clean_unacked_messages()
        if self._unacked_messages:
            logger.error(
                "%d batches were not done within %g s; their offsets stay uncommitted and they will be read again",
                len(self._unacked_messages),
                self.drain_patience_s,
            )
        # A commit that finds another under way does nothing, and that one may have begun before the last ack.
        for _ in range(COMMIT_TRIES_AT_END):
            await self.commit_and_end_transactions()
            if all(ledger.committable() is None for ledger in self.ledgers.values()):
                break

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain and commit what is under way, then forget the partitions."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self.ledgers.pop(tp, None)
            self.ends.pop(tp, None)
            self._progress.pop(tp, None)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self.ledgers) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._ledger(tp).committable()

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return True  # the ledger has decided

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        done = bool(await self._thread.commit(offsets))
        if done:
            for tp, offset in offsets.items():
                self._ledger(tp).confirm(offset)
        return done

    def stalled_s(self) -> float:
        """Longest time for which a partition has had work under way and its committed offset did not move."""
        now = time.monotonic()
        longest = 0.0
        for tp, ledger in self.ledgers.items():
            committed, since = self._progress.get(tp, (None, now))
            if committed != ledger.committed or not ledger.behind or tp not in self._progress:
                self._progress[tp] = (ledger.committed, now)
            else:
                longest = max(longest, now - since)
        return longest

    def _ledger(self, tp: TP) -> PartitionLedger:
        ledger = self.ledgers.get(tp)
        if ledger is None:
            ledger = self.ledgers[tp] = PartitionLedger()
        return ledger


class Transport(driver.Transport):
    """Give this to a Faust app as its transport."""

    Consumer: ClassVar[type[Consumer]] = Consumer
