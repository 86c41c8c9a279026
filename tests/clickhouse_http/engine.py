"""chDB behind the HTTP fixture: a connection for each request or session, settings as a server takes them."""

from __future__ import annotations

import re
import tempfile
import threading
from dataclasses import dataclass

import chdb

from pipeline.store.http.wire import Request

_FORMAT = re.compile(rb"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_RESULT = re.compile(
    rb"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXPLAIN|EXISTS|CHECK)\b", re.I | re.S
)
_QUIET = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)


class EngineError(Exception):
    """What ClickHouse answers, with its code in the text."""


@dataclass
class Answer:
    body: bytes
    output_format: str | None
    rows: int
    bytes: int


class Engine:
    """The embedded engine and the sessions in it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._guard = threading.Lock()
        # The engine lives as long as a connection does.
        self._first = chdb.connect(path)
        self._sessions: dict[str, tuple[chdb.Connection, threading.Lock]] = {}
        self.version = self._first.query("SELECT version()", "TabSeparated").bytes().decode().strip()

    def close(self) -> None:
        for connection, _ in self._sessions.values():
            connection.close()
        self._first.close()

    def run(self, request: Request, read_only: bool) -> Answer:
        if _several(request.sql):
            raise EngineError(
                "Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)"
            )
        session = request.parameters.get("session_id")
        if not session:
            connection = self._connect()
            try:
                return self._run(connection, request, read_only)
            finally:
                with self._guard:
                    connection.close()
        with self._guard:
            if session not in self._sessions:
                self._sessions[session] = (chdb.connect(self._path), threading.Lock())
            connection, lock = self._sessions[session]
        if not lock.acquire(blocking=False):
            raise EngineError(f"Code: 373. DB::Exception: Session {session} is locked by a concurrent client.")
        try:
            return self._run(connection, request, read_only)
        except EngineError:
            # chDB gives a failed query's leftovers to the next one; a server does not.
            with self._guard:
                connection.close()
                self._sessions[session] = (chdb.connect(self._path), lock)
            raise
        finally:
            lock.release()

    def _connect(self) -> chdb.Connection:
        with self._guard:
            return chdb.connect(self._path)

    def _run(self, connection: chdb.Connection, request: Request, read_only: bool) -> Answer:
        try:
            database = request.parameters.get("database")
            if database:
                connection.query(f"USE `{database}`", "TabSeparated")
            settings = dict(request.settings)
            if read_only:
                settings.setdefault("readonly", "2")
            last = settings.pop("readonly", None)
            for name, value in settings.items():
                connection.query(f"SET {name} = {_quoted(value)}", "TabSeparated")
            if last is not None:
                connection.query(f"SET readonly = {_quoted(last)}", "TabSeparated")
            if request.data is not None:
                return self._insert(connection, request)
            return self._query(connection, request)
        except RuntimeError as error:
            raise EngineError(str(error)) from None

    def _query(self, connection: chdb.Connection, request: Request) -> Answer:
        named = _FORMAT.search(request.sql)
        output_format = named.group(1).decode() if named else request.parameters.get("default_format", "TabSeparated")
        result = connection.query(request.sql, output_format, params=request.bound)
        has_result = bool(named) or bool(_RESULT.match(request.sql))
        body = result.bytes() or b""
        return Answer(body, output_format if has_result else None, result.rows_read(), result.bytes_read())

    def _insert(self, connection: chdb.Connection, request: Request) -> Answer:
        with tempfile.NamedTemporaryFile(suffix=".insert") as file:
            file.write(request.data or b"")
            file.flush()
            sql = f"{request.sql.decode()} FROM INFILE {_quoted(file.name)} FORMAT {request.data_format}"
            result = connection.query(sql, "TabSeparated")
        return Answer(b"", None, result.rows_read(), result.bytes_read())


def _several(sql: bytes) -> bool:
    return bool(_QUIET.sub(b" ", sql).partition(b";")[2].strip(b"; \t\r\n"))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
