"""The agents of a worker: events to verdicts, rejects to their table."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

import msgspec
from faust.types import TP, EventT

from pipeline.engine import Engine
from pipeline.settings import Settings
from pipeline.store.account_states import AccountStates
from pipeline.store.client import Store
from pipeline.store.errors import StoreError
from pipeline.store.snapshots import StateSettings
from pipeline.store.write import Writer
from pipeline.stream import metrics as m
from pipeline.stream.app import StreamApp
from pipeline.stream.campaigns import CampaignLanes, publications_of
from pipeline.stream.checkpoint import Checkpoint, Checkpoints
from pipeline.stream.envelope import pack, unpack
from pipeline.stream.feedback import FeedbackReader
from pipeline.stream.fetch import FetchedBatch
from pipeline.stream.gaps import gaps_table
from pipeline.stream.guard import RejectGuard
from pipeline.stream.lane import Lane, Processed
from pipeline.stream.recovery import OpenedEngine, open_engine
from pipeline.stream.rows import rows_of_batch, rows_of_rejects
from pipeline.stream.silence import Silence
from pipeline.stream.sink import Effects, GaveUpError, Publication, Sink
from pipeline.stream.transport import Consumer

log = logging.getLogger(__name__)

#: How often partitions are looked at for whether a checkpoint is due.
CHECKPOINT_LOOK_S = 0.5
#: And for whether they have fallen silent.
SILENCE_LOOK_S = 1.0
#: Longest time from the signal to the end of the process; the drain has its own, shorter one.
STOP_PATIENCE_S = 75.0


class StreamWorker:
    """Joins transport, engines and sink within a Faust app.

    Life: `register`, then Faust runs the agents. `fail` ends the process from outside the streams: stopping an app from
    within an agent can hang.
    """

    def __init__(self, app: StreamApp, settings: Settings, store: Store, run_id: str) -> None:
        self.app = app
        self.settings = settings
        self.metrics = m.Metrics()
        self.lanes: dict[int, Lane] = {}
        self.failure = ""
        """One line on why the worker stops by itself; empty as long as it does not."""
        self.stop_patience_s = STOP_PATIENCE_S
        self.last_batch_at = math.inf
        """When the latest batch was finished, of the monotonic clock; infinity before the first."""
        self._store = store
        self._run_id = run_id
        self.guard = RejectGuard(settings.stream.reject_share_limit, settings.stream.reject_share_window)
        self._encoder = msgspec.json.Encoder()
        # A batch and its effects, or a state and its place among them: never one within the other.
        self._order = asyncio.Lock()
        self._draining = False
        self._look = asyncio.Event()
        self.silence: dict[int, Silence] = {}
        self.campaigns = CampaignLanes(settings, store, run_id, self)
        self.feedback = FeedbackReader(settings.engine.incident, store, run_id)
        self._put = self._finished = 0
        self.sink = Sink(
            store,
            self._new_writer,
            self._publish,
            self.metrics,
            self._give_up,
            max_rows=settings.store.insert_max_rows,
            max_s=settings.store.insert_max_seconds,
            retry_max_s=settings.store.retry_max_seconds,
        )

    @property
    def consumer(self) -> Consumer:
        """The batching consumer of the app."""
        return cast(Consumer, self.app.consumer)

    def register(self) -> None:
        """Add the agents, the task that makes effects durable, and the listener for rebalances to the app."""
        app, names = self.app, self.settings.stream

        async def score(stream: Any) -> None:
            async for event in events(stream):
                await self._handle(event, self._score)

        async def keep_rejects(stream: Any) -> None:
            async for event in events(stream):
                await self._handle(event, self._keep_rejects)

        async def find_campaigns(stream: Any) -> None:
            async for event in events(stream):
                await self._handle(event, self.campaigns.process)

        def events(stream: Any) -> AsyncIterator[EventT[Any]]:
            # Faust acks when an agent asks for the next event; here the sink does, when the effects are durable.
            return cast(AsyncIterator[EventT[Any]], stream.noack().events())

        app.agent(app.topic(names.api_calls_topic, value_type=bytes), name="score")(score)
        app.agent(app.topic(names.rejected_topic, value_type=bytes), name="keep_rejects")(keep_rejects)
        app.agent(app.topic(names.signals_topic, value_type=bytes), name="find_campaigns")(find_campaigns)
        app.task(self.sink.run)
        app.task(self._take_checkpoints)
        app.task(self._let_time_pass)
        app.task(self._hand_feedback)
        app.on_drain = self._drain

        async def on_assigned(app: Any, /, assigned: set[TP], **_: Any) -> None:
            self._on_assigned(assigned)

        app.on_partitions_assigned.connect(cast(Any, on_assigned), weak=False)

    def fail(self, line: str) -> None:
        """Stop the worker, as SIGTERM does, for the reason given in one line; the first reason counts."""
        if not self.failure:
            self.failure = line
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def unfinished(self) -> int:
        """Partitions with work that was begun and is not committed."""
        return sum(ledger.unfinished for ledger in self.consumer.ledgers.values())

    @property
    def busy(self) -> bool:
        """Whether rows or records of what was processed are still on their way."""
        return self._put > self._finished

    async def _handle(self, event: EventT[Any], work: Any) -> None:
        message, batch = event.message, cast(FetchedBatch, event.value)
        if self.failure or not self.consumer.is_current(batch):
            self.consumer.abandon(message)
            return
        assert batch.delivery is not None
        batch.delivery.begun = True
        async with self._order:
            # Before a batch that may carry the group's offset past them.
            await self._keep_gaps()
            try:
                effects = await work(batch, lambda: self.consumer.ack(message))
            except Exception as error:
                log.exception("a batch could not be processed")
                self.fail(
                    f"{batch.tp.topic}[{batch.tp.partition}] from offset {batch.start}: {type(error).__name__}: {error}"
                )
                effects = None
            if effects is None:
                self._halt_checkpoints(batch.tp)
                self.consumer.abandon(message)
            else:
                # The message stays until its ack, which may wait for the next checkpoint; the records need not.
                batch.records = []
                await self._hand_over(effects)
        self.last_batch_at = time.monotonic()
        if self._draining:
            self._look.set()

    async def _keep_gaps(self) -> None:
        if self.consumer.gaps:
            found, self.consumer.gaps = self.consumer.gaps, []
            table = gaps_table(found, run_id=self._run_id, group=self.settings.stream.group)
            await self._hand_over(Effects(lambda: None, [("offset_gaps", table)]))

    def _halt_checkpoints(self, tp: TP) -> None:
        # The engine may have taken in what is abandoned now. In no state, it will be read again.
        if tp.topic == self.settings.stream.api_calls_topic and tp.partition in self.lanes:
            self.lanes[tp.partition].checkpoints.halt()
        elif tp.topic == self.settings.stream.signals_topic:
            self.campaigns.halt(tp.partition)

    async def _hand_over(self, effects: Effects) -> None:
        done = effects.done

        def finished() -> None:
            self._finished += 1
            done()

        effects.done = finished
        self._put += 1
        await self.sink.put(effects)

    def _drain(self) -> None:
        # All that is under way must become durable, the states with it.
        self._draining = True
        self._look.set()
        self.sink.urge()

    async def _take_checkpoints(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), CHECKPOINT_LOOK_S)
            self._look.clear()
            for partition, lane in list(self.lanes.items()):
                async with self._order:
                    if self.lanes.get(partition) is lane and lane.checkpoints.due(hurry=self._draining):
                        taken = lane.checkpoints.take(partition, lane.next_offset)
                        await self._hand_over(Effects(partial(self._kept, lane, taken), checkpoint=taken))
            async with self._order:
                for effects in self.campaigns.due(hurry=self._draining):
                    await self._hand_over(effects)
            if self._draining:
                self.sink.urge()

    def _kept(self, lane: Lane, taken: Checkpoint) -> None:
        before = lane.checkpoints.evicted
        taken.done(taken.size)
        self.metrics.add(m.ACCOUNTS_EVICTED, lane.checkpoints.evicted - before)

    async def _let_time_pass(self) -> None:
        # In partitions that have nothing to read: their windows close all the same.
        topic = self.settings.stream.api_calls_topic
        while True:
            await asyncio.sleep(SILENCE_LOOK_S)
            for tp in [tp for tp in self.consumer.ledgers if tp.topic == topic]:
                async with self._order:
                    if self._draining or self.failure:
                        continue
                    await self._keep_gaps()
                    try:
                        await self._look_for_silence(tp)
                    except Exception as error:
                        log.exception("time could not pass")
                        self._halt_checkpoints(tp)
                        self.fail(f"{tp.topic}[{tp.partition}] in silence: {type(error).__name__}: {error}")

    async def _look_for_silence(self, tp: TP) -> None:
        ledger, lane = self.consumer.ledgers.get(tp), self.lanes.get(tp.partition)
        if ledger is None:
            return
        read = not ledger.unacked if lane is None else lane.next_offset >= ledger.position
        silence = self.silence.setdefault(tp.partition, Silence(self.settings.stream.idle_s))
        next_offset, event_ms = (-1, 0) if lane is None else (lane.next_offset, lane.engine.time)
        to_ms = silence.look(next_offset, event_ms, at_end=read and self.consumer.at_end(tp))
        if to_ms is None or (lane is None and ledger.committed is None):
            return
        if lane is None:
            # Nothing has come since this worker has the partition, but windows of before may be open.
            self.lanes[tp.partition] = await self._new_lane(tp, ledger.position, fresh=False)
        elif (result := lane.advance(to_ms)) is not None and result.verdicts is not None:
            self.metrics.add(m.SILENT_WINDOWS, len(result.verdicts.account_windows.account_id))
            await self._hand_over(self._effects(result, tp, lambda: None))

    async def _hand_feedback(self) -> None:
        while True:
            await asyncio.sleep(self.settings.stream.feedback_s)
            try:
                found = await self.sink.read(self.feedback.read)
            except (StoreError, GaveUpError) as error:
                log.warning("suppressions and verdicts stay as they were: %s", error)
                continue
            async with self._order:
                for lane in self.lanes.values():
                    lane.heed(found)

    async def _score(self, batch: FetchedBatch, done: Any) -> Effects | None:
        partition = batch.tp.partition
        lane = self.lanes.get(partition)
        if lane is None or not lane.follows(batch):
            # Without a committed offset nothing that a state holds has been promised: the log is read from its start, into
            # the same rows. The log may also be a new one, to which no state belongs.
            fresh = batch.restarted or self.consumer.ledgers[batch.tp].committed is None
            lane = self.lanes[partition] = await self._new_lane(batch.tp, batch.start, fresh=fresh)
        began = time.perf_counter()
        taken = lane.take(batch)
        # More may leave while some are read.
        while absent := lane.absent(taken):
            for accounts, parts in await self.sink.read(partial(lane.left.read, absent)):
                lane.engine.restore(accounts, parts)
            self.metrics.add(m.ACCOUNTS_RESTORED, len(absent))
        result = lane.process(taken)
        self.guard.add(result.received, len(result.rejects))
        if self.guard.tripped:
            self.fail(self._too_many_rejects(result))
            return None
        self._count(result, time.perf_counter() - began)
        return self._effects(result, batch.tp, lambda: lane.checkpoints.wait(done))

    def _effects(self, result: Processed, tp: TP, done: Callable[[], None]) -> Effects:
        rows = rows_of_batch(result, topic=tp.topic, partition=tp.partition, run_id=self._run_id)
        names = self.settings.stream
        incidents = result.verdicts.incidents if result.verdicts else []
        suppressed = result.verdicts.suppressed if result.verdicts else []
        self.metrics.add(m.SUPPRESSED, sum(one.version == 1 for one in suppressed))
        publications = [Publication(names.rejected_topic, None, pack(reject)) for reject in result.rejects]
        publications += [
            Publication(names.incidents_topic, one.incident_id.encode(), self._encoder.encode(one)) for one in incidents
        ]
        if result.verdicts is not None:
            publications += publications_of(result.verdicts.signals, names.signals_topic, names.partitions)
        return Effects(done, rows, publications, len(incidents))

    async def _keep_rejects(self, batch: FetchedBatch, done: Any) -> Effects:
        topic, partition = batch.tp
        rejects = [
            unpack(
                record.value or b"",
                received_at=record.timestamp,
                topic=topic,
                partition=partition,
                offset=record.offset,
            )
            for record in batch.records
        ]
        self.metrics.add(m.STORED_REJECTS, len(rejects))
        return Effects(done, rows_of_rejects(rejects))

    def _too_many_rejects(self, result: Processed) -> str:
        last = f"; the last: {result.rejects[-1].reason}, {result.rejects[-1].detail}" if result.rejects else ""
        names = self.settings.stream
        return (
            f"{self.guard.share:.0%} of the recent records of {names.api_calls_topic} were rejected, more than "
            f"stream.reject_share_limit, {names.reject_share_limit:.0%}{last}; mend the sender, or raise the limit"
        )

    async def _new_lane(self, tp: TP, start: int, *, fresh: bool) -> Lane:
        settings = self.settings
        left = AccountStates(self._store, self._run_id, tp.partition)

        def opened_with_accounts() -> OpenedEngine[Engine]:
            new = partial(Engine, settings.engine, tp.partition)
            opened = open_engine(new, self._store, self._run_id, tp.partition, start, fresh=fresh)
            if opened.restored:
                opened.engine.elsewhere(left.accounts())
            else:
                left.forget()
            return opened

        opened = await self.sink.read(opened_with_accounts)
        for line in opened.remarks:
            log.warning("%s[%d]: %s", *tp, line)
        self.metrics.add(m.RESTORED if opened.restored else m.COLD_STARTS)
        checkpoints = Checkpoints(
            opened.engine,
            self._run_id,
            opened.generation,
            settings.stream.checkpoint_s,
            settings=StateSettings.of(settings).text(),
            kept_days=settings.stream.states_kept_days,
            evicting=opened.engine,
        )
        lane = Lane(opened.engine, settings.event, tp.topic, opened.next_offset, checkpoints, left)
        lane.heed(await self.sink.read(self.feedback.read))
        return lane

    def _count(self, result: Processed, seconds: float) -> None:
        metrics = self.metrics
        metrics.add(m.RECEIVED, result.received - result.repeated)
        metrics.add(m.REPEATED, result.repeated)
        metrics.add(m.ACCEPTED, len(result.offsets))
        metrics.add(m.DUPLICATES, result.duplicates)
        if result.verdicts is not None:
            metrics.add(m.LATE, int(result.verdicts.call_scores.late.sum()))
        metrics.add(m.BATCHES)
        metrics.add(m.ENGINE_SECONDS, seconds)
        for reject in result.rejects:
            metrics.add(m.REJECTED, 1, str(reject.reason))

    def _on_assigned(self, assigned: set[TP]) -> None:
        topic = self.settings.stream.api_calls_topic
        mine = {tp.partition for tp in assigned if tp.topic == topic}
        # All their effects are durable or will be read again: the rebalance waited for the sink before it came here.
        for partition in self.lanes.keys() - mine:
            del self.lanes[partition]
        self.silence.clear()
        self.campaigns.keep({tp.partition for tp in assigned if tp.topic == self.settings.stream.signals_topic})
        self._draining = False
        log.info("partitions of %s: %s", topic, ", ".join(map(str, sorted(mine))) or "none")

    async def _publish(self, publication: Publication) -> Awaitable[object]:
        producer = self.app.producer
        return await producer.send(
            publication.topic, publication.key, publication.value, publication.partition, None, None
        )

    def _new_writer(self, waiting: Callable[[str], None], pause: Callable[[float], None]) -> Writer:
        store = self.settings.store
        return Writer(
            self._store,
            max_rows=store.insert_max_rows,
            max_seconds=store.insert_max_seconds,
            retry_max_seconds=store.retry_max_seconds,
            waiting=waiting,
            sleep=pause,
        )

    def _give_up(self, line: str) -> None:
        # Nothing that waits can become durable any more, so there is nothing to drain.
        self.consumer.drain_patience_s = 0.0
        self.fail(line)
