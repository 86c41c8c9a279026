"""Where a replay's events come from: log files, the store, or Kafka, all in the order that the stream would have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.event import ApiCall, EventLimits, Rejected, decode, partition_of
from pipeline.settings import Settings
from pipeline.sources import SourceOptions, read_calls
from pipeline.store.client import Store
from pipeline.store.read import read_api_calls
from replay.window import Window

#: Events handed over at once.
_PIECE = 5_000

Delivered = tuple[int, int, ApiCall]


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


Pieces = Iterator[list[Delivered]]


def from_files(
    paths: Sequence[str],
    *,
    format_name: str,
    options: SourceOptions,
    partitions: int,
    window: Window,
    intake: Intake,
    progress: Callable[[int], None] | None = None,
) -> Pieces:
    """Events of log files, sharded and numbered per partition as Kafka would have them after `stillwatch ingest`."""
    results = read_calls(paths, format=format_name, options=options, progress=progress)
    return numbered(results, partitions, window, intake)


def numbered(results: Iterable[ApiCall | Rejected], partitions: int, window: Window, intake: Intake) -> Pieces:
    """Events in the order given, sharded and numbered per partition as Kafka would have them."""
    places: dict[str, int] = {}
    offsets = [0] * partitions
    piece: list[Delivered] = []
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
            if result.ts in window:
                piece.append((place, offset, result))
            else:
                intake.outside += 1
        if len(piece) >= _PIECE or len(intake.rejects) >= _PIECE:
            yield piece
            piece = []
    yield piece


def from_store(store: Store, *, partitions: int, window: Window, intake: Intake) -> Pieces:
    """Events of `api_calls`, partition after partition in the order of offsets."""
    for piece in read_api_calls(store, window.from_ms, window.to_ms):
        intake.read += len(piece)
        # What came into the table another way than through Kafka has no partition; it gets the one Kafka would give.
        yield [one if one[0] >= 0 else (partition_of(one[2].account_id, partitions), one[1], one[2]) for one in piece]


def from_kafka(servers: Sequence[str], settings: Settings, *, window: Window, intake: Intake) -> Pieces:
    """Events of the topic `api-calls`, as far as retention has kept them."""
    from pipeline.stream.consume import read_topic
    from pipeline.stream.security import security_of

    topic = settings.stream.api_calls_topic
    piece: list[Delivered] = []
    security = security_of(settings.stream)
    for record in read_topic(servers, topic, from_ms=window.from_ms, to_ms=window.to_ms, security=security):
        intake.read += 1
        result = _decoded(record.value, record.timestamp, settings.event)
        if isinstance(result, Rejected):
            # The live worker keeps what it rejects; a replay of the same records only counts it.
            intake.rejected[str(result.reason)] += 1
        elif result.ts in window:
            piece.append((record.partition, record.offset, result))
        else:
            intake.outside += 1
        if len(piece) >= _PIECE:
            yield piece
            piece = []
    yield piece


def _decoded(value: bytes | None, received_at: int, limits: EventLimits) -> ApiCall | Rejected:
    return decode(value or b"", received_at=received_at, limits=limits)
