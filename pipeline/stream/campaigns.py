"""Campaigns in the stream: signals out to their shards, and the lanes in which the shards of this worker hear them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.campaigns.shard import CampaignShard, state_number
from pipeline.campaigns.tracked import Changes
from pipeline.campaigns.wire import CAMPAIGNS_AT, Told, WireError, by_shard, pack, unpack
from pipeline.features.signals import Signals
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.store.snapshots import StateSettings
from pipeline.stream import metrics as m
from pipeline.stream.checkpoint import Checkpoints
from pipeline.stream.fetch import FetchedBatch
from pipeline.stream.recovery import open_engine
from pipeline.stream.rows import rows_of_campaigns
from pipeline.stream.sink import Effects, Publication

if TYPE_CHECKING:
    from pipeline.stream.worker import StreamWorker

log = logging.getLogger(__name__)


def publications_of(signals: Signals, topic: str, shards: int) -> list[Publication]:
    """The signals of a batch as records, each for the partition where the users of its values meet."""
    source = f"signals of {signals.partition}".encode()
    return [Publication(topic, source, pack(part), shard) for shard, part in by_shard(signals, shards).items()]


@dataclass(slots=True)
class _Lane:
    shard: CampaignShard
    next_offset: int
    checkpoints: Checkpoints
    heard_at: dict[int, float] = field(default_factory=dict)
    """When each partition of `api-calls` last told something, of the monotonic clock."""


class CampaignLanes:
    """The shards of link values that this worker has, each following one partition of `account-signals`.

    As with engines, a batch is acked when a state that holds it is in the store, and records before the state's offset are
    skipped. What is told again after a crash was heard before, and changes nothing.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        run_id: str,
        worker: StreamWorker,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._run_id = run_id
        self._worker = worker
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        self._lanes: dict[int, _Lane] = {}

    @property
    def watermark(self) -> int:
        """Event time in epoch milliseconds up to which campaigns were looked for here; -1 where they are not, or not yet."""
        lane = self._lanes.get(CAMPAIGNS_AT)
        return lane.shard.found_until if lane is not None else -1

    @property
    def late(self) -> int:
        """Signals that came after their hour was done."""
        return sum(lane.shard.links.gate.late for lane in self._lanes.values())

    async def process(self, batch: FetchedBatch, done: Callable[[], None]) -> Effects:
        """Hear a batch of records; what it causes."""
        number = batch.tp.partition
        lane = self._lanes.get(number)
        if lane is None or batch.restarted or batch.start > lane.next_offset:
            lane = self._lanes[number] = await self._open(batch)
        told: list[Told] = []
        changes = Changes()
        for record in batch.records:
            if record.offset < lane.next_offset or record.value is None:
                continue
            try:
                heard = unpack(record.value)
            except WireError as error:
                log.warning("%s[%d] offset %d is passed over: %s", *batch.tp, record.offset, error)
                continue
            if isinstance(heard, Signals):
                lane.heard_at[heard.partition] = self._clock()
            more, became = lane.shard.hear(heard)
            told += more
            changes.extend(became)
        if batch.end > lane.next_offset:
            lane.next_offset = batch.end
            lane.checkpoints.moved()
        return self._effects(lambda: lane.checkpoints.wait(done), told, changes)

    def due(self, *, hurry: bool) -> Iterator[Effects]:
        """What is to be done without a batch: hours that no longer wait for an idle partition, and checkpoints."""
        for number, lane in list(self._lanes.items()):
            now = self._clock()
            idle = {
                source
                for source in lane.shard.blocked_by()
                if now - lane.heard_at.setdefault(source, now) > self._settings.campaigns.idle_s
            }
            if idle:
                log.warning("campaigns no longer wait for the idle partitions %s", ", ".join(map(str, sorted(idle))))
                told = lane.shard.rest(idle)
                lane.checkpoints.moved()
                yield self._effects(lambda: None, told, Changes())
            if lane.checkpoints.due(hurry=hurry):
                taken = lane.checkpoints.take(state_number(number), lane.next_offset)
                yield Effects(partial(_finished, taken), checkpoint=taken)

    def halt(self, number: int) -> None:
        """Take no more checkpoints of this shard: a batch is abandoned that it may have heard."""
        if number in self._lanes:
            self._lanes[number].checkpoints.halt()

    def keep(self, mine: set[int]) -> None:
        """Forget the shards that another worker has now."""
        for number in self._lanes.keys() - mine:
            del self._lanes[number]

    async def _open(self, batch: FetchedBatch) -> _Lane:
        settings, number = self._settings, batch.tp.partition
        new = partial(
            CampaignShard,
            settings.campaigns,
            settings.engine.allowed_lateness_s,
            settings.stream.partitions,
            number,
        )
        fresh = batch.restarted or self._worker.consumer.ledgers[batch.tp].committed is None
        opened = await self._worker.sink.read(
            lambda: open_engine(new, self._store, self._run_id, state_number(number), batch.start, fresh=fresh)
        )
        for line in opened.remarks:
            log.warning("%s[%d]: %s", *batch.tp, line)
        self._worker.metrics.add(m.RESTORED if opened.restored else m.COLD_STARTS)
        checkpoints = Checkpoints(
            opened.engine,
            self._run_id,
            opened.generation,
            settings.stream.checkpoint_s,
            settings=StateSettings.of(settings).text(),
            kept_days=settings.stream.states_kept_days,
        )
        return _Lane(opened.engine, opened.next_offset, checkpoints)

    def _effects(self, done: Callable[[], None], told: list[Told], changes: Changes) -> Effects:
        names = self._settings.stream
        publications = [
            Publication(names.signals_topic, f"hours of {one.shard}".encode(), pack(one), CAMPAIGNS_AT) for one in told
        ]
        publications += [
            Publication(names.incidents_topic, one.incident_id.encode(), self._encoder.encode(one))
            for one in changes.incidents
        ]
        return Effects(done, rows_of_campaigns(changes, run_id=self._run_id), publications, len(changes.incidents))


def _finished(checkpoint: Any) -> None:
    checkpoint.done(checkpoint.size)
