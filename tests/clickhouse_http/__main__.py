"""A server that speaks ClickHouse's HTTP interface, with chDB behind it, for tests of the HTTP client.

Run as ``python tests/clickhouse_http FOLDER --port 0 --user NAME:PASSWORD``; prints the port on its first line. A POST of
a JSON list to /fixture/faults makes the next matching requests go wrong, one entry each:

    {"kind": "status", "status": 503}            answer an HTTP status, do nothing
    {"kind": "error", "code": 252, "text": "…"}  answer a ClickHouse error, do nothing
    {"kind": "drop"}                             close the connection, do nothing
    {"kind": "apply_then_drop"}                  do it, then close the connection without an answer
    {"kind": "hang", "seconds": 5}               do nothing, and close the connection after that time
    {"kind": "apply_then_hang", "seconds": 5}    do it, and close the connection after that time

A GET of it gives those that have not come true yet.

An entry with "match" waits for a request whose SQL, without backquotes, has that text.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from http.server import ThreadingHTTPServer
from typing import Any

from engine import Answer, Engine, EngineError

from pipeline.store.http.handler import Handler
from pipeline.store.http.wire import Request, credentials


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, engine: Engine, users: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", port), FaultyHandler)
        self.engine = engine
        self.users = users
        self.faults: list[dict[str, Any]] = []
        self.guard = threading.Lock()

    def fault_for(self, sql: bytes) -> dict[str, Any]:
        with self.guard:
            for index, fault in enumerate(self.faults):
                if fault.get("match", "").encode() in sql.replace(b"`", b""):
                    return self.faults.pop(index)
        return {}


class FaultyHandler(Handler):
    server: Server
    display_name = "fixture"

    def other(self, path: str, body: bytes) -> bool:
        self.version = self.server.engine.version
        if path != "/fixture/faults":
            return False
        with self.server.guard:
            if body:
                self.server.faults = json.loads(body)
            left = json.dumps(self.server.faults).encode()
        self.send(200, left, {})
        return True

    def answer(self, request: Request) -> None:
        headers = self.headers_of(request.parameters, request.settings.get("session_timezone", "UTC"))
        user, secret = credentials(request.parameters, self.headers)
        if self.server.users.get(user) != secret:
            text = (
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user"
            )
            return self.fail(f"{text} with such name. (AUTHENTICATION_FAILED)", headers)
        fault = self.server.fault_for(request.sql)
        kind = fault.get("kind")
        if kind == "status":
            return self.send(fault["status"], b"fault\n", headers)
        if kind == "error":
            return self.fail(f"Code: {fault['code']}. DB::Exception: {fault.get('text', 'fault')}. (FAULT)", headers)
        if kind in ("drop", "hang"):
            time.sleep(fault.get("seconds", 0))
            self.close_connection = True
            return None
        try:
            answer = self.server.engine.run(request, read_only=self.command == "GET")
        except EngineError as error:
            return self.fail(str(error), headers)
        if kind in ("apply_then_drop", "apply_then_hang"):
            time.sleep(fault.get("seconds", 0))
            self.close_connection = True
            return None
        return self._give(request, answer, headers)

    def _give(self, request: Request, answer: Answer, headers: dict[str, str]) -> None:
        read = "written" if request.data is not None else "read"
        if answer.output_format:
            headers["X-ClickHouse-Format"] = answer.output_format
        self.give(request, answer.body, headers, {f"{read}_rows": answer.rows, f"{read}_bytes": answer.bytes})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append", default=[])
    options = parser.parse_args()
    users = dict(user.split(":", 1) for user in options.user) or {"default": ""}
    engine = Engine(options.folder)
    server = Server(options.port, engine, users)
    # Shutdown waits for the loop, which runs in this thread, so another one must ask for it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(server.server_address[1], flush=True)
    server.serve_forever(poll_interval=0.05)
    engine.close()


if __name__ == "__main__":
    main()
