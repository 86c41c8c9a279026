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
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from engine import Answer, Engine, EngineError
from wire import Request, credentials, error_code, http_status, pack, read_request

CHUNK = 64 * 1024


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, engine: Engine, users: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and chunks are separate writes; with Nagle's algorithm each answer would wait 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._handle(b"", read_only=True)

    def do_POST(self) -> None:
        self._handle(self._body(), read_only=False)

    def _handle(self, body: bytes, read_only: bool) -> None:
        path = self.path.partition("?")[0]
        if path == "/fixture/faults":
            with self.server.guard:
                if body:
                    self.server.faults = json.loads(body)
                left = json.dumps(self.server.faults).encode()
            self._send(200, left, {})
        elif path == "/ping" or (path == "/" and self.path == "/" and not body):
            self._send(200, b"Ok.\n", {})
        elif path != "/":
            self._send(404, b"There is no handle " + path.encode(), {})
        else:
            self._query(read_request(self.path, self.headers, body), read_only)

    def _query(self, request: Request, read_only: bool) -> None:
        headers = {
            "X-ClickHouse-Query-Id": request.parameters.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Timezone": request.settings.get("session_timezone", "UTC"),
            "X-ClickHouse-Server-Display-Name": "fixture",
        }
        user, secret = credentials(request.parameters, self.headers)
        if self.server.users.get(user) != secret:
            text = (
                f"Code: 516. DB::Exception: {user}: Authentication failed: password is incorrect, or there is no user"
            )
            return self._fail(f"{text} with such name. (AUTHENTICATION_FAILED)", headers)
        fault = self.server.fault_for(request.sql)
        kind = fault.get("kind")
        if kind == "status":
            return self._send(fault["status"], b"fault\n", headers)
        if kind == "error":
            return self._fail(f"Code: {fault['code']}. DB::Exception: {fault.get('text', 'fault')}. (FAULT)", headers)
        if kind in ("drop", "hang"):
            time.sleep(fault.get("seconds", 0))
            self.close_connection = True
            return None
        try:
            answer = self.server.engine.run(request, read_only)
        except EngineError as error:
            return self._fail(str(error), headers)
        if kind in ("apply_then_drop", "apply_then_hang"):
            time.sleep(fault.get("seconds", 0))
            self.close_connection = True
            return None
        return self._answer(request, answer, headers)

    def _answer(self, request: Request, answer: Answer, headers: dict[str, str]) -> None:
        read = "written" if request.data is not None else "read"
        headers["X-ClickHouse-Summary"] = json.dumps(
            {f"{read}_rows": str(answer.rows), f"{read}_bytes": str(answer.bytes), "elapsed_ns": "1"}
        )
        if answer.output_format:
            headers["X-ClickHouse-Format"] = answer.output_format
        body, encoding = pack(answer.body, request.parameters, self.headers)
        if encoding:
            headers["Content-Encoding"] = encoding
        self._send(200, body, headers)

    def _fail(self, text: str, headers: dict[str, str]) -> None:
        code = error_code(text)
        headers["X-ClickHouse-Exception-Code"] = str(code)
        version = self.server.engine.version
        self._send(http_status(code), f"{text} (version {version} (official build))\n".encode(), headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            piece = body[start : start + CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


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
