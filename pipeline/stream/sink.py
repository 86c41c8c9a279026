"""What the worker owes the world for a batch, and the order in which it pays: rows, then topics, then state, then the ack.

Batches are gathered into a pile. A pile is finished when it has enough rows or is old enough; while one is being
finished the next gathers, and when that is full too, `put` blocks: the engine, the fetch and at last Kafka wait.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import pyarrow as pa

from pipeline.store.client import Store
from pipeline.store.errors import QueryError, StoreError, StoreUnreachableError, one_line
from pipeline.store.write import Writer
from pipeline.stream import metrics as m
from pipeline.stream.checkpoint import Checkpoint, forget_replaced

T = TypeVar("T")
log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 15.0


class GaveUpError(Exception):
    """Trying again would not help, or was tried for long enough; the text is one line."""


@dataclass(slots=True)
class Publication:
    """A record for a topic. It is sent when it is put, and again until the broker has acked it."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None
    """Where it must go; by its key where None."""
    acked: asyncio.Future[object] | None = None


#: Hands a record to the producer; the awaitable it gives back resolves when the broker has acked the record.
Publish = Callable[[Publication], Awaitable[Awaitable[object]]]


@dataclass(slots=True)
class Effects:
    """What one batch is to cause before it may be acked."""

    done: Callable[[], None]
    """Acks the batch."""
    rows: Sequence[tuple[str, pa.Table]] = ()
    publications: Sequence[Publication] = ()
    incidents: int = 0
    """How many of the publications are changes of incidents."""
    checkpoint: Checkpoint | None = None
    """A state that holds the events of the batches before, to be written when their rows are."""


@dataclass(slots=True)
class _Pile:
    writer: Writer
    opened_at: float
    effects: list[Effects] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    publications: int = 0

    def full(self, max_rows: int) -> bool:
        return self.writer.full or max(self.publications, *self.rows.values(), 0) >= max_rows


class Sink:
    """Makes effects durable, in order. `put` is called by the agents, `run` is a task of its own.

    `put` may block; `urge` never does. What was put is tried until `retry_max_s` has passed, then `fail` is called with
    one line and the pile stays unacked. `new_writer` makes the writer of a pile; it is given what to call with the reason
    before a writer waits, and how to wait.
    """

    def __init__(
        self,
        store: Store,
        new_writer: Callable[[Callable[[str], None], Callable[[float], None]], Writer],
        publish: Publish,
        metrics: m.Metrics,
        fail: Callable[[str], None],
        *,
        max_rows: int,
        max_s: float,
        retry_max_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._make_writer = new_writer
        self._publish = publish
        self._metrics = metrics
        self._fail = fail
        self._max_rows = max_rows
        self._max_s = max_s
        self._retry_max_s = retry_max_s
        self._clock = clock
        self._urged = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        # One thread: inserts keep their order, and chDB is never entered twice.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._closed = threading.Event()
        self._pile = _Pile(self._new_writer(), clock())
        self.problem = ""
        """What keeps rows from being written just now; empty when nothing does."""
        self.store_retries = 0
        self.failed = False

    async def put(self, effects: Effects) -> None:
        """Take over the effects of a batch; waits while as much as allowed is waiting already."""
        for publication in effects.publications:
            await self._send(publication)
        while self._pile.full(self._max_rows) and not self.failed:
            self._room.clear()
            await self._room.wait()
        if self.failed:
            return
        # No await from here on: `run` must not take the pile between its rows and its ack.
        pile = self._pile
        if not pile.effects:
            pile.opened_at = self._clock()
        for table, rows in effects.rows:
            pile.writer.add(table, rows)
            pile.rows[table] += rows.num_rows
        pile.effects.append(effects)
        pile.publications += len(effects.publications)
        self._metrics.put(m.QUEUED_ROWS, pile.rows.total())
        self._wake.set()

    def urge(self) -> None:
        """Finish what is waiting as soon as possible, however young it is."""
        self._urged = True
        self._wake.set()

    async def run(self) -> None:
        """Finish piles as they become due, until cancelled or failed."""
        while not self.failed:
            await self._until_due()
            pile, self._pile = self._pile, _Pile(self._new_writer(), self._clock())
            self._room.set()
            try:
                await self._finish_batch(pile)
            except GaveUpError as error:
                self.failed = True
                self._room.set()
                self._fail(str(error))

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            if self._pile.effects:
                left = self._pile.opened_at + self._max_s - self._clock()
                if self._urged or left <= 0 or self._pile.full(self._max_rows):
                    self._urged = False
                    return
            else:
                self._urged = False
                left = None
            try:
                await asyncio.wait_for(self._wake.wait(), left)
            except TimeoutError:
                continue

    async def _finish_batch(self, pile: _Pile) -> None:
        # The order is the promise. A crash after any step only makes the batch be read again:
        # 1. its rows are in the store;
        if pile.rows.total():
            await self._write(pile)
        # 2. its incidents and rejects are on their topics, acked by the broker;
        for effects in pile.effects:
            for publication in effects.publications:
                await self._see_acked(publication)
            self._metrics.add(m.INCIDENTS, effects.incidents)
        # 3. the states that hold its events are in the store;
        checkpoints = [effects.checkpoint for effects in pile.effects if effects.checkpoint is not None]
        if checkpoints:
            await self._try(lambda: self._write_states(checkpoints))
            self._metrics.add(m.CHECKPOINTS, len(checkpoints))
            self._metrics.add(m.CHECKPOINT_BYTES, sum(one.size for one in checkpoints))
        # 4. and only now may its offsets be committed.
        for effects in pile.effects:
            effects.done()

    def _write_states(self, checkpoints: Sequence[Checkpoint]) -> None:
        writer = self._new_writer()
        for one in checkpoints:
            if (leaving := one.account_rows()) is not None:
                writer.add("account_states", leaving)
            writer.add("model_snapshots", one.rows())
        writer.flush()
        try:
            forget_replaced(self._store, checkpoints)
        except StoreError as error:
            # They take room and no more; the next whole state deletes them as well.
            log.warning("older states are not deleted yet: %s", error)

    async def read(self, action: Callable[[], T]) -> T:
        """Run `action`, which reads from the store, between two inserts; tries again while the store is away.

        Raises `GaveUpError` when it is away for too long, and what else `action` raises.
        """
        patience = self._patience("the store could not be read")
        while True:
            try:
                found = await self._in_store_thread(action)
            except (StoreUnreachableError, QueryError) as error:
                if isinstance(error, QueryError) and not error.transient:
                    raise
                await patience.wait(error)
            else:
                self.problem = ""
                return found

    async def _in_store_thread(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)

    async def _try(self, action: Callable[[], object]) -> None:
        try:
            # Writers try again by themselves while the store is away.
            await self._in_store_thread(action)
        except Exception as error:
            self.store_retries += 1
            text = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
            raise GaveUpError(
                f"rows could not be written: {one_line(text)}; their events are not committed and will be read again "
                "when the worker starts"
            ) from error
        self.problem = ""

    async def _write(self, pile: _Pile) -> None:
        began = self._clock()
        await self._try(pile.writer.flush)
        self._metrics.add(m.STORE_SECONDS, self._clock() - began)
        for table, rows in pile.rows.items():
            self._metrics.add(m.ROWS, rows, table)
        self._metrics.put(m.QUEUED_ROWS, self._pile.rows.total())

    async def _send(self, publication: Publication) -> None:
        try:
            publication.acked = asyncio.ensure_future(await self._publish(publication))
        except Exception as error:
            publication.acked = asyncio.get_running_loop().create_future()
            publication.acked.set_exception(error)

    async def _see_acked(self, publication: Publication) -> None:
        patience = self._patience(f"the topic {publication.topic} took no records")
        while True:
            try:
                assert publication.acked is not None
                await publication.acked
                break
            except Exception as error:
                await patience.wait(error)
                await self._send(publication)
        self.problem = ""

    def _patience(self, what: str) -> _Patience:
        return _Patience(self, what, self._clock, self._retry_max_s)

    def close(self) -> None:
        """Stop trying; what is not finished stays unacked. Returns when the thread has ended its present insert."""
        self._closed.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _new_writer(self) -> Writer:
        return self._make_writer(self._on_waiting, self._pause)

    def _on_waiting(self, line: str) -> None:
        # Called in the store's thread.
        self.problem = line
        self.store_retries += 1

    def _pause(self, seconds: float) -> None:
        # In the store's thread too: the writer's sleep between tries, which `close` ends.
        if self._closed.wait(seconds):
            raise StoreError("the worker stopped before the store came back")


class _Patience:
    """Waits longer each time, tells the sink's problem, and gives up when too much time has passed."""

    def __init__(self, sink: Sink, what: str, clock: Callable[[], float], longest_s: float) -> None:
        self._sink = sink
        self._what = what
        self._clock = clock
        self._longest_s = longest_s
        self._began = clock()
        self._pause = FIRST_RETRY_S

    async def wait(self, error: Exception) -> None:
        """Sleep before the next try; raises `GaveUpError` instead when time is up."""
        waited = self._clock() - self._began
        self._sink.problem = f"{self._what} for {waited:.0f} s: {one_line(repr(error))}"
        if waited > self._longest_s:
            raise GaveUpError(
                f"{self._sink.problem}; the events are not committed and will be read again when the worker starts"
            ) from error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST_RETRY_S)
