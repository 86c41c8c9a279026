"""Events of one partition on their way to its engine: as calls or as columns, cheap to send to another process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.event import ApiCall
from pipeline.event.arrow import batch_of
from pipeline.event.columns import EventBatch

Int64 = NDArray[np.int64]

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[ApiCall])


class Chunk(Protocol):
    """Events of a partition in the order of their offsets, at least one."""

    @property
    def partition(self) -> int:
        """Whose they are."""

    @property
    def newest_ms(self) -> int:
        """Event time of the latest of them, epoch milliseconds."""

    def __len__(self) -> int: ...

    def batch(self) -> EventBatch:
        """As the engine reads them."""


class Calls:
    """Events as they were decoded; between processes they are MessagePack."""

    def __init__(self, partition: int, offsets: Sequence[int], calls: Sequence[ApiCall]) -> None:
        self.partition = partition
        self.offsets = offsets
        self.calls = calls

    def __len__(self) -> int:
        return len(self.calls)

    def __getstate__(self) -> tuple[int, bytes, bytes]:
        return self.partition, np.asarray(self.offsets, np.int64).tobytes(), _encoder.encode(self.calls)

    def __setstate__(self, state: tuple[int, bytes, bytes]) -> None:
        self.partition = state[0]
        self.offsets = np.frombuffer(state[1], np.int64).tolist()
        self.calls = _decoder.decode(state[2])

    @property
    def newest_ms(self) -> int:
        """Event time of the last of them."""
        return self.calls[-1].ts

    def batch(self) -> EventBatch:
        """As the engine reads them."""
        return EventBatch.from_calls(self.calls, self.offsets, self.partition)


@dataclass(frozen=True)
class Columns:
    """Events as the store gives them: the columns of `pipeline.event.arrow.BATCH_FIELDS`; between processes an Arrow stream."""

    partition: int
    events: pa.Table
    offsets: Int64

    def __len__(self) -> int:
        return len(self.offsets)

    def __getstate__(self) -> tuple[int, Any, bytes]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.events.schema) as stream:
            stream.write_table(self.events)
        return self.partition, sink.getvalue().to_pybytes(), self.offsets.tobytes()

    def __setstate__(self, state: tuple[int, bytes, bytes]) -> None:
        partition, events, offsets = state
        with pa.ipc.open_stream(events) as stream:
            table = stream.read_all()
        self.__dict__.update(partition=partition, events=table, offsets=np.frombuffer(offsets, np.int64))

    @cached_property
    def newest_ms(self) -> int:
        """Event time of the last of them."""
        return int(self.events["ts"][-1].as_py())

    def batch(self) -> EventBatch:
        """As the engine reads them."""
        return batch_of(self.events, self.offsets, self.partition)


def joined(batches: Sequence[EventBatch]) -> EventBatch:
    """The batches of one partition, one after the other."""
    if len(batches) == 1:
        return batches[0]
    arrays = ("ts", "offset", "identity", "simhash", "network", "numbers", "hashes")
    return EventBatch(
        partition=batches[0].partition,
        account_id=[name for one in batches for name in one.account_id],
        event_id=[name for one in batches for name in one.event_id],
        **{name: np.concatenate([getattr(one, name) for one in batches]) for name in arrays},
    )
