"""One target following the topic of incidents: from the group's offset on, nothing skipped, committed once told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import aiokafka
import msgspec
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline.alerts.delivery import Sender, deliver
from pipeline.alerts.notice import Notice, Told
from pipeline.alerts.pace import Message, Pace
from pipeline.event.harmless import harmless
from pipeline.incidents.incident import Incident
from pipeline.settings import AlertTarget
from pipeline.stream.security import PLAINTEXT, Security

POLL_S = 1.0
RECORDS_PER_POLL = 500
#: After a fault of the broker the target follows anew.
AGAIN_S = 5.0
#: A broker may take a consumer that is busy for this long beyond `retry_max_s` for dead.
SPARE_S = 600.0


class Follower:
    """Tells one target. Run it once; it goes on until it is cancelled, or has been idle for as long as it was told."""

    def __init__(
        self,
        target: AlertTarget,
        sender: Sender,
        *,
        servers: Sequence[str],
        security: Security = PLAINTEXT,
        topic: str,
        group: str,
        session_timeout_s: float,
        from_beginning: bool,
        say: Callable[[str], None],
    ) -> None:
        """`from_beginning`: what a group that has committed nothing is told of; else only of what comes from now on."""
        self.target = target
        self.delivered = 0
        self.failed = 0
        self._sender = sender
        self._servers = list(servers)
        self._security = security
        self._topic = topic
        self._group = f"{group}.{target.name}"
        self._session_timeout_s = session_timeout_s
        self._from_beginning = from_beginning
        self._out = say
        self._decoder = msgspec.json.Decoder(Incident)
        self._told = Told(target)
        self._pace = Pace(target, time.time())
        self._silent_below: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}

    async def run(self, until_idle_s: float | None = None) -> None:
        """Follow; faults of the broker are said and waited out."""
        try:
            while True:
                try:
                    return await self._follow(until_idle_s)
                except KafkaError as error:
                    self._say(f"the broker fails: {error!r}; again in {AGAIN_S:g} s")
                    await asyncio.sleep(AGAIN_S)
        finally:
            await self._sender.close()

    async def _follow(self, until_idle_s: float | None) -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            group_id=self._group,
            enable_auto_commit=False,
            **self._security.options(),
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._session_timeout_s * 1000),
            heartbeat_interval_ms=int(self._session_timeout_s * 250),
            max_poll_interval_ms=int((self.target.retry_max_s + SPARE_S) * 1000),
        )
        consumer.subscribe([self._topic], listener=_Begin(self, consumer))
        await consumer.start()
        try:
            heard_at = time.monotonic()
            while until_idle_s is None or time.monotonic() - heard_at < until_idle_s:
                fetched = await consumer.getmany(timeout_ms=int(self._patience() * 1000), max_records=RECORDS_PER_POLL)
                for partition, records in fetched.items():
                    for record in records:
                        self._hear(partition, record.offset, record.value)
                busy = bool(fetched) or self._pace.oldest is not None
                while (message := self._pace.due(time.time())) is not None:
                    await self._tell(message)
                    await self._commit(consumer)
                if busy:
                    heard_at = time.monotonic()
                    await self._commit(consumer)
        finally:
            await consumer.stop()

    async def begin(self, consumer: aiokafka.AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Hear what the group has been told already anew, in silence: who takes over knows what was said."""
        self._told, self._pace = Told(self.target), Pace(self.target, time.time())
        self._silent_below, self._next = {}, {}
        for partition in partitions:
            committed = await consumer.committed(partition)
            if committed is None:
                ends = {} if self._from_beginning else await consumer.end_offsets([partition])
                committed = ends.get(partition, 0)
            self._silent_below[partition] = committed
            await consumer.seek_to_beginning(partition)

    def _hear(self, partition: TopicPartition, offset: int, value: bytes | None) -> None:
        self._next[partition] = offset + 1
        if value is None:
            return  # a tombstone: compaction takes an incident away
        try:
            incident = self._decoder.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._say(f"{self._topic}[{partition.partition}]@{offset} is no incident: {harmless(str(error))}")
            return
        notice = self._told.hear(incident, offset)
        if notice is not None and offset >= self._silent_below.get(partition, 0):
            self._pace.add(notice)

    async def _tell(self, message: Message) -> None:
        outcome = await deliver(
            message,
            self._sender,
            self.target.retry_max_s,
            failed=lambda reason: self._say(f"{reason}; trying for {self.target.retry_max_s:g} s"),
        )
        if len(message.notices) > 1:
            what = f"{len(message.notices)} changes from incident {message.notices[0].incident.incident_id} on"
        else:
            what = f"{message.notices[0].event}, incident {message.notices[0].incident.incident_id}"
        if outcome.arrived:
            self.delivered += 1
            self._say(f"told: {what}")
        else:
            self.failed += 1
            self._say(f"NOT told: {what}: {outcome.reason}")

    def _say(self, line: str) -> None:
        self._out(f"{self.target.name}: {line}")

    async def _commit(self, consumer: aiokafka.AIOKafkaConsumer) -> None:
        waiting = self._pace.oldest
        offsets = {
            partition: offset if waiting is None else min(offset, waiting)
            for partition, offset in self._next.items()
            if offset > self._silent_below.get(partition, 0)
        }
        if offsets:
            await consumer.commit(offsets)

    def _patience(self) -> float:
        now = time.time()
        again = self._pace.again_at(now)
        return POLL_S if again is None else min(max(again - now, 0.05), POLL_S)


class _Begin(aiokafka.ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, follower: Follower, consumer: aiokafka.AIOKafkaConsumer) -> None:
        self._follower = follower
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing is in flight between polls: a message is told and committed before the next."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin anew with what the group has been told."""
        await self._follower.begin(self._consumer, sorted(assigned))


def sample(severity: str) -> Notice:
    """A notice that says it is a test."""
    now = int(time.time() * 1000)
    incident = Incident(
        incident_id=f"test-{now}",
        version=1,
        kind="volume",
        entity_type="account",
        entity_id="example-account",
        opened_at=now,
        detected_at=now,
        last_seen_at=now,
        closed_at=None,
        severity=severity,
        peak_score=0.999,
        reasons=(),
        status="open",
        output_tokens=0,
        summary="This is a test of stillwatch alerts; no account has done anything.",
    )
    return Notice(incident.incident_id, "test", incident)
