"""Rows on their way to the store: gathered per table, inserted in few large blocks, tried again while it is away."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.store.client import Store
from pipeline.store.errors import QueryError, StoreUnreachableError

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_MAX_BYTES = 256 << 20
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0


class WriterFullError(BufferError):
    """As much waits as may wait: flush before adding more."""


@dataclass(slots=True)
class _Buffer:
    """Rows of one table that are not in the store yet."""

    since: float
    pieces: list[pa.Table] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of one table as they go, or went, to the store: never changed, so that sending again is the same insert."""

    table: str
    rows: pa.Table
    token: str


class Writer:
    """Gathers rows and inserts them. `add` never waits and never touches the store; `flush` does both.

    - `add` takes rows of a table; raises `WriterFullError`, taking nothing, when `max_bytes` wait already. That is the
      backpressure: stop fetching and flush.
    - `due` says whether to flush: enough rows of a table, or rows that have waited long enough.
    - `flush` returns once everything added before is in the store. While the store is away it tries again, with growing
      pauses, for `retry_max_seconds`, then raises `StoreUnreachableError`; what was not inserted is kept, in order, for
      the next flush. A refusal that trying again cannot mend (`QueryError`) is raised at once.

    What `flush` sends again has the same deduplication token, so an insert that was applied although its answer was
    lost is not doubled. One thread may add while another flushes.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_rows: int = 100_000,
        max_seconds: float = 1.0,
        max_bytes: int = DEFAULT_MAX_BYTES,
        retry_max_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        """`waiting` gets the line that says why and how long, before each pause."""
        self._store = store
        self._max_rows = max_rows
        self._max_seconds = max_seconds
        self._max_bytes = max_bytes
        self._retry_max_seconds = retry_max_seconds
        self._clock = clock
        self._sleep = sleep
        self._waiting = waiting
        self._guard = threading.Lock()
        self._flushing = threading.Lock()
        self._buffers: dict[str, _Buffer] = {}
        self._blocks: list[_Block] = []
        self._bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were added and are not in the store yet."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether `add` would refuse."""
        return self._bytes >= self._max_bytes

    def add(self, table: str, rows: pa.Table, key: str = "") -> None:
        """Take `rows` for `table`.

        `key` names the content the same way whenever it comes again (topic, partition, first and last offset); blocks
        get their deduplication token from the keys in them. Without one, the token is made of the content.
        """
        if not rows.num_rows:
            return
        with self._guard:
            if self.full:
                raise WriterFullError(f"{self._bytes} bytes wait for the store, the limit is {self._max_bytes}")
            buffer = self._buffers.setdefault(table, _Buffer(self._clock()))
            buffer.pieces.append(rows)
            buffer.keys.append(key or _content_key(rows))
            buffer.rows += rows.num_rows
            self._bytes += rows.nbytes

    def due(self) -> bool:
        """Whether it is time to flush."""
        with self._guard:
            if self._blocks or self.full:
                return True
            now = self._clock()
            return any(
                buffer.rows >= self._max_rows or now - buffer.since >= self._max_seconds
                for buffer in self._buffers.values()
            )

    def flush(self) -> int:
        """Insert everything that was added before this call; the number of rows inserted."""
        inserted = 0
        with self._flushing:
            self._seal()
            while self._blocks:
                block = self._blocks[0]
                self._insert(block)
                with self._guard:
                    del self._blocks[0]
                    self._bytes -= block.rows.nbytes
                inserted += block.rows.num_rows
        return inserted

    def _seal(self) -> None:
        import pyarrow as pa

        with self._guard:
            for table, buffer in self._buffers.items():
                token = hashlib.sha256("\n".join([table, *buffer.keys]).encode()).hexdigest()
                self._blocks.append(_Block(table, pa.concat_tables(buffer.pieces), token))
            self._buffers = {}

    def _insert(self, block: _Block) -> None:
        started = self._clock()
        pause = _FIRST_WAIT_S
        while True:
            try:
                self._store.insert_arrow(block.table, block.rows, deduplication_token=block.token)
                return
            except (StoreUnreachableError, QueryError) as error:
                if isinstance(error, QueryError) and not error.transient:
                    raise
                left = self._retry_max_seconds - (self._clock() - started)
                if left <= 0:
                    raise StoreUnreachableError(
                        f"{block.rows.num_rows} rows for {block.table} could not be written "
                        f"for {self._retry_max_seconds:g} s: {error}"
                    ) from error
                if self._waiting is not None:
                    self._waiting(f"{error}; {self._bytes} bytes wait, trying again in {pause:g} s")
                self._sleep(min(pause, left))
                pause = min(pause * 2, _LONGEST_WAIT_S)


def _content_key(rows: pa.Table) -> str:
    import pyarrow as pa

    digest = hashlib.sha256()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()
