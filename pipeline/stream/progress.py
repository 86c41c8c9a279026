"""How far a group has come in a topic, as the broker tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.stream.security import PLAINTEXT, Security

REQUEST_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Progress:
    """A partition: its log has the offsets from `beginning` to `end` (exclusive); `committed` is the group's, None at first."""

    partition: int
    beginning: int
    end: int
    committed: int | None

    @property
    def lag(self) -> int:
        """Records that the group has still to read."""
        return max(0, self.end - max(self.beginning, self.committed or 0))

    @property
    def missing(self) -> int:
        """Offsets that retention has dropped and the group still wants."""
        return 0 if self.committed is None else max(0, self.beginning - self.committed)


def group_progress(
    servers: Sequence[str], group: str, topic: str, partitions: int, security: Security = PLAINTEXT
) -> list[Progress]:
    """One of each partition, in order. The embedded broker's ends are those of its last batches' starts, so not to be relied on.

    Raises `kafka.errors.KafkaError`.
    """
    from kafka import TopicPartition
    from kafka.admin import KafkaAdminClient, OffsetSpec

    places = [TopicPartition(topic, number) for number in range(partitions)]
    admin = KafkaAdminClient(
        bootstrap_servers=list(servers), request_timeout_ms=REQUEST_TIMEOUT_MS, **security.options()
    )
    try:
        beginnings = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
        ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        committed = admin.list_group_offsets({group: places})[group]
    finally:
        admin.close()
    found = []
    for place in places:
        entry = committed.get(place)
        offset = None if entry is None or entry.offset < 0 else int(entry.offset)
        found.append(Progress(place.partition, beginnings[place].offset, ends[place].offset, offset))
    return found
