"""A Faust transport in which one fetched batch of a partition is one event of the stream.

Faust moves single messages, at 60 to 100 us each. Here a message's value is a `FetchedBatch` with all records of one
partition that a fetch gave, so that cost is paid per batch; agents, groups, rebalancing and lifecycle stay Faust's.
Offsets are kept by `PartitionLedger` in place of Faust's lists of single offsets. See docs/decisions/0001.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from mode import get_logger

from pipeline.stream.fetch import ConsumerThread, FetchedBatch
from pipeline.stream.gaps import OffsetGap
from pipeline.stream.ledger import PartitionLedger

logger = get_logger(__name__)

FETCH_TIMEOUT_S = 1.0
#: Time that batches under way get to become durable when the worker stops or loses partitions; less than a rebalance.
DRAIN_PATIENCE_S = 45.0
COMMIT_TRIES_AT_END = 3


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
