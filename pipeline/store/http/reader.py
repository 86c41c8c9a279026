"""Runs queries that only read, on connections of their own to the store that this process holds."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.store.http.limits import HttpLimits, settings_of
from pipeline.store.http.native import asks_revision, of_newer_revision, without_revision
from pipeline.store.http.permitted import RefusedError, look_at, one_statement, with_format
from pipeline.store.http.wire import Request

_WORD = re.compile(r"\w{1,64}")
_SAFE_PARAMETER = re.compile(r"[A-Za-z_]\w{0,127}")
_SETTINGS_TABLE = frozenset({"system.settings"})
DEFAULT_FORMAT = "TabSeparated"
_TOO_MANY = (
    "Code: 202. DB::Exception: Too many simultaneous queries: try again in a moment. (TOO_MANY_SIMULTANEOUS_QUERIES)"
)
#: How often a query that is to be stopped is told so, and how long that may take.
_STOP_EVERY_S, _STOP_PATIENCE_S = 0.1, 10.0


class QueryFailedError(Exception):
    """What ClickHouse, or this interface in its manner, answers; the code is in the text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of an answer, its format, and the counts that `X-ClickHouse-Summary` tells of it."""

    body: bytes
    output_format: str
    summary: dict[str, int]


class Reader:
    """Runs at most so many queries at a time; more wait for their turn, and too many are refused.

    chDB gives a failed query's leftovers to the connection's next one, so each query has a connection of its own, which costs
    less than a millisecond.
    """

    def __init__(self, folder: str, database: str, limits: HttpLimits) -> None:
        """Open the store in `folder`, which this process must hold."""
        self._folder = folder
        self._database = database
        self._limits = limits
        self._turns = threading.BoundedSemaphore(limits.at_once)
        self._guard = threading.Lock()
        self._present = 0
        self._running: set[str] = set()
        self._closed = False
        self._first = self._open()
        self.version = self._text(self._first, "SELECT version()").strip()
        self._table_functions = self._text(self._first, "SELECT name FROM system.table_functions").split()

    def close(self) -> None:
        """Stop what runs and close the store; nothing is run afterwards."""
        self._closed = True
        deadline = time.monotonic() + _STOP_PATIENCE_S
        while time.monotonic() < deadline:
            with self._guard:
                running = list(self._running)
            if not running:
                break
            for name in running:
                self.stop(name)
            time.sleep(_STOP_EVERY_S)
        self._first.close()

    def stop(self, name: str) -> None:
        """Stop the query that was given this name, if it runs."""
        with self._guard:
            connection = self._open()
        try:
            connection.query(f"KILL QUERY WHERE Settings['log_comment'] = '{name}' ASYNC", DEFAULT_FORMAT)
        except RuntimeError:
            pass
        finally:
            with self._guard:
                connection.close()

    def run(self, request: Request, name: str = "") -> Answer:
        """The answer to a query. Raises `QueryFailedError`, or `RefusedError`."""
        statement = one_statement(request.sql)
        name = name or f"http-{uuid.uuid4().hex}"
        with self._turn(name), self._connection() as connection:
            self._set(connection, request, name)
            tree = self._tree(connection, statement, request.bound)
            tables = look_at(tree, self._table_functions)
            # Clients ask there what they may set; with readonly it says nothing at all.
            if tables != _SETTINGS_TABLE:
                connection.query("SET readonly = 1", DEFAULT_FORMAT)
            text, output = with_format(statement, request.parameters.get("default_format") or DEFAULT_FORMAT)
            greets = asks_revision(text, output, request.parameters.get("client_protocol_version", ""))
            found = self._query(connection, without_revision(text) if greets else text, request.bound)
            body = found.bytes() or b""
            return Answer(of_newer_revision(body) if greets else body, output, _summary(found))

    def _set(self, connection: Any, request: Request, name: str) -> None:
        database = request.parameters.get("database") or self._database
        if not _WORD.fullmatch(database):
            raise QueryFailedError(f"Code: 81. DB::Exception: Database {database!r} does not exist. (UNKNOWN_DATABASE)")
        self._query(connection, f"USE `{database}`", {})
        settings = {**settings_of(request.settings, self._limits), "log_comment": name}
        for setting, value in settings.items():
            self._query(connection, f"SET {setting} = {_quoted(value)}", {})

    def _tree(self, connection: Any, statement: str, bound: Mapping[str, str]) -> list[str]:
        # Separated by tabs, so that a line of the tree is a line whatever it has quoted.
        return (self._query(connection, f"EXPLAIN AST {statement}", bound).bytes() or b"").decode().splitlines()

    def _query(self, connection: Any, sql: str, bound: Mapping[str, str]) -> Any:
        if not all(map(_SAFE_PARAMETER.fullmatch, bound)):
            raise QueryFailedError("Code: 36. DB::Exception: A parameter's name is no identifier. (BAD_ARGUMENTS)")
        try:
            return connection.query(sql, DEFAULT_FORMAT, params=dict(bound))
        except RuntimeError as error:
            raise QueryFailedError(str(error)) from None

    @contextmanager
    def _turn(self, name: str) -> Iterator[None]:
        with self._guard:
            if self._closed or self._present >= self._limits.at_once + self._limits.waiting:
                raise RefusedError(_TOO_MANY)
            self._present += 1
        try:
            if not self._turns.acquire(timeout=self._limits.turn_s):
                raise RefusedError(_TOO_MANY)
            try:
                with self._guard:
                    self._running.add(name)
                if self._closed:
                    raise RefusedError("Code: 394. DB::Exception: The store is being closed. (QUERY_WAS_CANCELLED)")
                yield
            finally:
                with self._guard:
                    self._running.discard(name)
                self._turns.release()
        finally:
            with self._guard:
                self._present -= 1

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._guard:
            connection = self._open()
        try:
            yield connection
        finally:
            with self._guard:
                connection.close()

    def _open(self) -> Any:
        import chdb

        return chdb.connect(self._folder)  # type: ignore[no-untyped-call]

    def _text(self, connection: Any, sql: str) -> str:
        return str((connection.query(sql, DEFAULT_FORMAT).bytes() or b"").decode())


def _summary(found: Any) -> dict[str, int]:
    # chDB calls what it puts out rows and bytes read. JDBC takes an answer without rows of the result for empty.
    return {
        "read_rows": found.storage_rows_read(),
        "read_bytes": found.storage_bytes_read(),
        "result_rows": found.rows_read(),
        "result_bytes": found.bytes_read(),
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
