"""The store as the console asks it: off the event loop, within limits, and again when it was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pipeline.console.sql import query
from pipeline.store.client import ReadLimits, Store
from pipeline.store.errors import StoreError, StoreHeldError, StoreUnreachableError

T = TypeVar("T")
Record = dict[str, Any]

LIMITS = ReadLimits(max_rows=50_000, max_seconds=15.0)
#: Requests that may ask or wait for their turn at once.
_MOST_WAITING = 64
_AT_ONCE = 4
#: A store that could not be opened is tried again after so long.
_AGAIN_AFTER_S = 2.0


class BusyError(StoreError):
    """More is asked at once than the console lets wait."""


class Access:
    """An open store with a read-only connection for questions, and one for what people record.

    It is opened when it is first needed, and again after it could not be: the folder of an embedded store may be held for a
    while, a server may be away. With `read_only` no connection that can write is kept.
    """

    def __init__(self, open_store: Callable[[], Store], *, read_only: bool = False) -> None:
        self._open_store = open_store
        self._read_only = read_only
        self._store: Store | None = None
        self._reader: Store | None = None
        self._failed: StoreError | None = None
        self._failed_at = 0.0
        self._waiting = 0
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="console")
        self._opening = asyncio.Lock()

    async def records(self, name: str, /, **parameters: Any) -> list[Record]:
        """The rows of one of the console's queries. Raises `StoreError`."""
        return await self.read(lambda store: store.query_records(query(name), parameters))

    async def read(self, question: Callable[[Store], T]) -> T:
        """Ask with the read-only connection. Raises `StoreError`."""
        await self._opened()
        reader = self._reader
        assert reader is not None
        try:
            return await self._run(lambda: question(reader))
        except StoreUnreachableError:
            self._left(reader)
            raise

    async def write(self, change: Callable[[Store], T]) -> T:
        """Record something. Raises `StoreError`; never called in read-only mode."""
        await self._opened()
        store = self._store
        if store is None:
            raise StoreError("this console is read only: start it without --read-only")
        return await self._run(lambda: change(store))

    async def open(self) -> None:
        """Open the store now. Raises `StoreError` unless it is only held or away, which may pass."""
        try:
            await self._opened()
        except (StoreHeldError, StoreUnreachableError):
            return

    def close(self) -> None:
        """Close the store, after what is being asked."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for one in (self._reader, self._store):
            if one is not None:
                one.close()

    async def _opened(self) -> None:
        async with self._opening:
            if self._reader is not None:
                return
            if self._failed is not None and time.monotonic() - self._failed_at < _AGAIN_AFTER_S:
                raise self._failed
            try:
                await self._run(self._open)
            except StoreError as error:
                self._failed, self._failed_at = error, time.monotonic()
                raise
            self._failed = None

    def _left(self, reader: Store) -> None:
        # The worker through which an embedded store was asked has ended: the next question opens the store anew.
        if reader.address.held_folder is not None and self._reader is reader:
            self._reader = self._store = None

    def _open(self) -> None:
        store = self._open_store()
        try:
            self._reader = store.read_only(LIMITS)
        except BaseException:
            store.close()
            raise
        if self._read_only:
            store.close()
        else:
            self._store = store

    async def _run(self, action: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise BusyError("the console is asked too much at once: try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, action)
        finally:
            self._waiting -= 1
