"""Where a replay's events come from: log files, the store, or Kafka, all in the order that the stream would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pipeline.event import ApiCall, Rejected, decode, partition_of
from pipeline.settings import Settings
from pipeline.sources import SourceOptions, read_calls
from pipeline.store.client import Store
from pipeline.store.read import EventRange, event_counts, read_event_columns
from replay.chunk import Calls, Chunk, Columns
from replay.window import Window

#: Events handed over at once.
_PIECE = 20_000
#: Memory that ClickHouse takes at most before it sorts on disk, over all partitions.
_SORT_BYTES = 512 << 20


@dataclass(slots=True)
class Intake:
    """What a source read: the events are what it yields, the rest is counted and kept here until taken away."""

    read: int = 0
    outside: int = 0
    """Events whose time lies outside the window."""
    rejected: Counter[str] = field(default_factory=Counter)
    rejects: list[Rejected] = field(default_factory=list)

    def reject(self, one: Rejected) -> None:
        """Count and keep what could not be used."""
        self.rejected[str(one.reason)] += 1
        self.rejects.append(one)


Chunks: TypeAlias = "Iterator[Chunk]"
#: The offset of each partition's last event that the run has taken in already.
After: TypeAlias = Mapping[int, int]


class _Sorting:
    """Gathers calls for their partitions."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._places: dict[int, tuple[list[int], list[ApiCall]]] = {}
        self._waiting = 0

    def add(self, partition: int, offset: int, call: ApiCall) -> None:
        """Take a call."""
        offsets, calls = self._places.setdefault(partition, ([], []))
        offsets.append(offset)
        calls.append(call)
        self._waiting += 1

    @property
    def full(self) -> bool:
        """Whether it is time to hand over."""
        return self._waiting >= _PIECE or len(self._intake.rejects) >= _PIECE

    def chunks(self) -> Chunks:
        """What was gathered."""
        places, self._places, self._waiting = self._places, {}, 0
        for partition, (offsets, calls) in places.items():
            yield Calls(partition, offsets, calls)


def from_files(
    paths: Sequence[str],
    *,
    format_name: str,
    options: SourceOptions,
    partitions: int,
    window: Window,
    intake: Intake,
    accounts: frozenset[str] | None = None,
    after: After | None = None,
    progress: Callable[[int], None] | None = None,
) -> Chunks:
    """Events of log files, sharded and numbered per partition as Kafka would have them after `stillwatch ingest`."""
    results = read_calls(paths, format=format_name, options=options, progress=progress)
    return numbered(results, partitions, window, intake, accounts, after)


def numbered(
    results: Iterable[ApiCall | Rejected],
    partitions: int,
    window: Window,
    intake: Intake,
    accounts: frozenset[str] | None = None,
    after: After | None = None,
) -> Chunks:
    """Events in the order given, sharded and numbered per partition as Kafka would have them."""
    places: dict[str, int] = {}
    offsets = [0] * partitions
    done = [(after or {}).get(partition, -1) for partition in range(partitions)]
    sorting = _Sorting(intake)
    for result in results:
        intake.read += 1
        if isinstance(result, Rejected):
            intake.reject(result)
        else:
            place = places.get(result.account_id)
            if place is None:
                place = places[result.account_id] = partition_of(result.account_id, partitions)
            offset = offsets[place]
            offsets[place] = offset + 1
            if result.ts not in window or (accounts is not None and result.account_id not in accounts):
                intake.outside += 1
            elif offset > done[place]:
                sorting.add(place, offset, result)
        if sorting.full:
            yield from sorting.chunks()
    yield from sorting.chunks()


def from_store(
    store: Store,
    *,
    partitions: int,
    window: Window,
    intake: Intake,
    accounts: Sequence[str] | None = None,
    after: After | None = None,
) -> Chunks:
    """Events of `api_calls` as columns; each partition's in the order of offsets, and all partitions about equally far in time.

    So campaigns, which wait for all of them, have little to hold back.
    """
    events = EventRange(partitions, window.from_ms, window.to_ms, accounts)
    counts = event_counts(store, events)
    sort_bytes = max(_SORT_BYTES // max(1, len(counts)), 4 << 20)
    cursors = {
        number: read_event_columns(store, events, number, (after or {}).get(number), sort_bytes) for number in counts
    }
    reached = dict.fromkeys(cursors, -(1 << 62))
    while cursors:
        number = min(cursors, key=lambda one: (reached[one], one))
        block = next(cursors[number], None)
        if block is None:
            del cursors[number]
            continue
        chunk = Columns(number, *block)
        reached[number] = chunk.newest_ms
        intake.read += len(chunk)
        yield chunk


def expected_events(store: Store, partitions: int, window: Window, accounts: Sequence[str] | None) -> int:
    """How many rows `from_store` will read."""
    return sum(event_counts(store, EventRange(partitions, window.from_ms, window.to_ms, accounts)).values())


def from_kafka(
    servers: Sequence[str],
    settings: Settings,
    *,
    window: Window,
    intake: Intake,
    accounts: frozenset[str] | None = None,
    after: After | None = None,
) -> Chunks:
    """Events of the topic `api-calls`, as far as retention has kept them."""
    from pipeline.stream.consume import read_topic
    from pipeline.stream.security import security_of

    topic = settings.stream.api_calls_topic
    security = security_of(settings.stream)
    done = after or {}
    sorting = _Sorting(intake)
    for record in read_topic(servers, topic, from_ms=window.from_ms, to_ms=window.to_ms, security=security):
        intake.read += 1
        result = decode(record.value or b"", received_at=record.timestamp, limits=settings.event)
        if isinstance(result, Rejected):
            # The live worker keeps what it rejects; a replay of the same records only counts it.
            intake.rejected[str(result.reason)] += 1
        elif result.ts not in window or (accounts is not None and result.account_id not in accounts):
            intake.outside += 1
        elif record.offset > done.get(record.partition, -1):
            sorting.add(record.partition, record.offset, result)
        if sorting.full:
            yield from sorting.chunks()
    yield from sorting.chunks()
