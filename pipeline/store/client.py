"""The one way to ClickHouse: a server over HTTP or chDB in a folder, through clickhouse-connect, with the same verbs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.store.address import StoreAddress, parse_address, password
from pipeline.store.errors import StoreHeldError, StoreUnreachableError
from pipeline.store.failures import translated
from pipeline.store.held import hold, http_address, let_go

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

T = TypeVar("T")
Parameters = Mapping[str, Any]
Settings = Mapping[str, Any]
Columns = Sequence[Sequence[Any]]

#: Of every connection: times without a zone are UTC, whatever the machine's zone is.
COMMON_SETTINGS: dict[str, Any] = {"session_timezone": "UTC"}
#: Of every insert: a block that was inserted before (same token) is dropped, also before materialized views; the rows
#: of one block may be of any number of months; the answer comes when the rows are there.
INSERT_SETTINGS: dict[str, Any] = {
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "max_partitions_per_insert_block": 0,
    "async_insert": 0,
}
#: Of long reads: sorting goes to disk beyond this many bytes, and blocks stay small.
STREAM_SETTINGS: dict[str, Any] = {
    "max_bytes_before_external_sort": 256 << 20,
    "max_bytes_ratio_before_external_sort": 0,
    "max_block_size": 16_384,
}
CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 300
ENDING_PATIENCE_S = 10.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.25, 5.0

# What it would log is in the error already, and the program says it in one line.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What a read-only connection may take; 0 is without limit."""

    max_rows: int = 100_000
    max_seconds: float = 60.0

    def settings(self) -> dict[str, Any]:
        """The server settings; `readonly` last, since nothing can be set after it."""
        return {
            # Replacing tables keep old versions of a row until parts are merged; FINAL leaves them out of every answer.
            "final": 1,
            "max_result_rows": self.max_rows,
            "result_overflow_mode": "throw",
            "max_execution_time": self.max_seconds,
            "timeout_overflow_mode": "throw",
            "readonly": 1,
        }


class Store:
    """An open store. Safe to use from several threads; close it, or use it in `with`.

    SQL takes bound parameters only (``{name:Type}``). Table names without a database are of the address's database.
    Raises `QueryError` when ClickHouse refuses, `StoreUnreachableError` when it does not answer.
    """

    def __init__(
        self,
        address: StoreAddress,
        secret: str,
        settings: Settings | None = None,
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        """Open the store; use `connect`, which waits for a server that is not up yet."""
        self.address = address
        self._answer_timeout_s = answer_timeout_s
        self._secret = secret
        self._settings = {**COMMON_SETTINGS, **(settings or {})}
        # A connection of chDB takes one query at a time, and is replaced after an error while nobody else uses it.
        self._turn: AbstractContextManager[object] = threading.Lock() if address.embedded else nullcontext()
        self._hold = hold(address.folder) if address.folder is not None else None
        self._closed = False
        try:
            self._client = self._translating(lambda: self._open(self._settings))
            self.use_database()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; lets an embedded store's folder go when it was this process's last."""
        if self._closed:
            return
        self._closed = True
        if hasattr(self, "_client"):
            self._client.close()
        if self._hold is not None:
            let_go(self._hold)

    def use_database(self) -> bool:
        """Take the address's database as the default, if it is there already."""
        found = self.query_rows(
            "SELECT count() FROM system.databases WHERE name = {name:String}", {"name": self.address.database}
        )
        if found[0][0]:
            self._client.database = self.address.database
        return bool(found[0][0])

    def read_only(self, limits: ReadLimits | None = None) -> Store:
        """Another connection to the same store, on which the server refuses every change."""
        return Store(self.address, self._secret, (limits or ReadLimits()).settings())

    def server_version(self) -> str:
        """ClickHouse's version."""
        return str(self._client.server_version)

    def ping(self) -> bool:
        """Whether the store answers."""
        return bool(self._client.ping())

    def command(self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None) -> None:
        """Run a statement without a result."""
        self._run(lambda client: client.command(sql, parameters=_bound(parameters), settings=dict(settings or {})))

    def query_rows(self, sql: str, parameters: Parameters | None = None) -> list[tuple[Any, ...]]:
        """The rows of a small result."""
        return self._run(
            lambda client: [tuple(row) for row in client.query(sql, parameters=_bound(parameters)).result_rows]
        )

    def query_records(self, sql: str, parameters: Parameters | None = None) -> list[dict[str, Any]]:
        """The rows of a small result, by column name."""
        return self._run(lambda client: list(client.query(sql, parameters=_bound(parameters)).named_results()))

    def query_arrow(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """A result that fits into memory, as an Arrow table; text comes as text."""
        return self._run(lambda client: client.query_arrow(sql, parameters=_bound(parameters), use_strings=True))

    def query_raw(self, sql: str, output_format: str | None = None) -> bytes:
        """The bytes of a result in one of ClickHouse's formats; None when `sql` names it."""
        return self._run(lambda client: client.raw_query(sql, fmt=output_format))

    def stream_columns(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Iterator[Columns]:
        """Blocks of a result of any size, each a sequence of columns; memory holds a few blocks.

        Uses a connection of its own, so the store can be written while this is read.
        """
        client = self._translating(lambda: self._open({**self._settings, **STREAM_SETTINGS, **(settings or {})}))
        try:
            client.database = self._client.database
            blocks = self._translating(lambda: client.query_column_block_stream(sql, parameters=_bound(parameters)))
            with blocks:
                pieces = iter(blocks)
                while (block := self._translating(lambda: next(pieces, None))) is not None:
                    yield block
        finally:
            client.close()

    def stream_arrow(
        self, sql: str, parameters: Parameters | None = None, settings: Settings | None = None
    ) -> Iterator[pa.Table]:
        """The same as Arrow tables, one for each block; text comes as text."""
        import pyarrow as pa

        client = self._translating(lambda: self._open({**self._settings, **STREAM_SETTINGS, **(settings or {})}))
        try:
            client.database = self._client.database
            blocks = self._translating(
                lambda: client.query_arrow_stream(sql, parameters=_bound(parameters), use_strings=True)
            )
            with blocks:
                pieces = iter(blocks)
                while (block := self._translating(lambda: next(pieces, None))) is not None:
                    # chDB gives record batches, a server tables.
                    yield pa.Table.from_batches([block]) if isinstance(block, pa.RecordBatch) else block
        finally:
            client.close()

    def insert_arrow(self, table: str, rows: pa.Table, *, deduplication_token: str = "") -> None:
        """Insert a table of columns as one block.

        With a token, a block with the token of an earlier one (`non_replicated_deduplication_window` of the table) is
        dropped, so an insert whose answer was lost can be sent again.
        """
        settings = dict(INSERT_SETTINGS)
        if deduplication_token:
            settings["insert_deduplication_token"] = deduplication_token
        self._run(lambda client: client.insert_arrow(table, rows, database=self.address.database, settings=settings))

    def _open(self, settings: Settings) -> Client:
        import clickhouse_connect

        if self.address.folder is not None:
            return clickhouse_connect.get_client(
                interface="chdb", path=str(self.address.folder), settings=dict(settings), tz_mode="aware"
            )
        return clickhouse_connect.get_client(
            interface="https" if self.address.tls else "http",
            host=self.address.host,
            port=self.address.port,
            username=self.address.user,
            password=self._secret,
            settings=dict(settings),
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=self._answer_timeout_s,
            # Sessions allow one query at a time; nothing here needs their temporary tables.
            autogenerate_session_id=False,
            tz_mode="aware",
        )

    def _run(self, action: Callable[[Client], T]) -> T:
        with self._turn:
            try:
                return self._translating(lambda: action(self._client))
            except Exception:
                self._replace()
                raise

    def _replace(self) -> None:
        # chDB leaves what a failed query had put out in the connection and gives it to the next query.
        if not self.address.embedded or self._closed:
            return
        failed = self._client
        fresh = self._open(self._settings)
        fresh.database = failed.database
        self._client = fresh
        failed.close()

    def _translating(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except Exception as error:
            raise translated(error, self.address) from error


def connect(
    address: str | StoreAddress,
    *,
    password_file: str = "",
    environ: Mapping[str, str] | None = None,
    patience_s: float = 0.0,
    waiting: Callable[[str], None] | None = None,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
    through_holder: bool = False,
) -> Store:
    """Open the store at `address`.

    With `through_holder` an embedded store that another process holds is asked through that process, if it offers that; there
    it can be read, and its owner may write labels, suppressions and rows of replays.

    A server that does not answer is tried again for `patience_s` seconds; `waiting` gets the line that says so once. Later on
    one that takes a statement and does not answer it for `answer_timeout_s` seconds counts as away.
    Raises `StoreAddressError`, `StoreHeldError`, `StoreUnreachableError` or another `StoreError`, one line each.
    """
    parsed = parse_address(address) if isinstance(address, str) else address
    secret = "" if parsed.embedded else password(environ, password_file)
    deadline = time.monotonic() + patience_s
    pause = _FIRST_WAIT_S
    # A holder that offers the store and does not answer is ending, and lets go soon.
    ending = time.monotonic() + ENDING_PATIENCE_S
    while True:
        try:
            return Store(parsed, secret, answer_timeout_s=answer_timeout_s)
        except StoreHeldError:
            door = _through_holder(parsed) if through_holder else None
            if door is not None:
                return door
            if not through_holder or time.monotonic() > ending or http_address(_folder(parsed)) is None:
                raise
        except StoreUnreachableError as error:
            if time.monotonic() + pause > deadline:
                raise
            if waiting is not None:
                waiting(f"{error}; trying again for {patience_s:g} s")
                waiting = None
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_WAIT_S)


def _through_holder(address: StoreAddress) -> Store | None:
    """The store as its holder offers it, or None where it does not."""
    from pipeline.store.http.access import OWNER, read_token

    folder = _folder(address)
    place = http_address(folder)
    if place is None:
        return None
    token = read_token(folder)
    user = OWNER if token else "default"
    reached = StoreAddress(None, *place, user=user, database=address.database, held_folder=folder)
    try:
        return Store(reached, token or os.environ.get("STILLWATCH_HTTP_PASSWORD", ""))
    except StoreUnreachableError:
        return None


def _folder(address: StoreAddress) -> Path:
    assert address.folder is not None
    return address.folder


def _bound(parameters: Parameters | None) -> dict[str, Any]:
    return dict(parameters or {})
