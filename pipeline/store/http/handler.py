"""A connection of ClickHouse's HTTP interface: bodies in and out, headers, errors with their codes."""

from __future__ import annotations

import json
import uuid
from http.server import BaseHTTPRequestHandler

from pipeline.store.http.wire import BadRequestError, Request, error_code, http_status, pack, read_request

CHUNK = 64 * 1024
MEBIBYTE = 1 << 20


class BodyTooLargeError(Exception):
    """A request's body is larger than what is taken."""


class Handler(BaseHTTPRequestHandler):
    """What any server of this interface does; who serves says in `answer` what a query gives."""

    protocol_version = "HTTP/1.1"
    # Headers and chunks are separate writes; with Nagle's algorithm each answer would wait 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    display_name = "stillwatch"
    version = ""
    largest_body = 1 << 40

    def answer(self, request: Request) -> None:
        """Run a query and send what it gives."""
        raise NotImplementedError

    def admitted(self) -> bool:
        """Whether the request is let in at all; says so to the client when not."""
        return True

    def other(self, path: str, body: bytes) -> bool:
        """Answer a request for a path of the server's own; whether there is one."""
        return False

    def do_GET(self) -> None:
        """A query in the address."""
        self._handle(b"")

    def do_POST(self) -> None:
        """A query in the address or the body, or the one in the address and data in the body."""
        try:
            body = self._body()
        except (BodyTooLargeError, ValueError) as error:
            self.close_connection = True
            text = f"Code: 223. DB::Exception: {error}. (QUERY_IS_TOO_LARGE)"
            self.fail(text, self.headers_of({}))
            return
        self._handle(body)

    def _handle(self, body: bytes) -> None:
        if not self.admitted():
            return
        path = self.path.partition("?")[0]
        if self.other(path, body):
            return
        if path == "/ping" or (self.path == "/" and not body):
            self.send(200, b"Ok.\n", {})
        elif path != "/":
            self.send(404, b"There is no handle " + path.encode(errors="replace"), {})
        else:
            try:
                request = read_request(self.path, self.headers, body, self.largest_body)  # type: ignore[arg-type]
            except BadRequestError as error:
                self.fail(str(error), self.headers_of({}))
                return
            except (UnicodeError, ValueError):
                self.fail("Code: 62. DB::Exception: The request is not UTF-8. (SYNTAX_ERROR)", self.headers_of({}))
                return
            self.answer(request)

    def headers_of(self, parameters: dict[str, str], time_zone: str = "UTC") -> dict[str, str]:
        """The headers that every answer has."""
        asked = parameters.get("query_id", "")
        return {
            "X-ClickHouse-Query-Id": asked if _plain(asked) else str(uuid.uuid4()),
            "X-ClickHouse-Timezone": time_zone if _plain(time_zone) else "UTC",
            "X-ClickHouse-Server-Display-Name": self.display_name,
        }

    def give(self, request: Request, body: bytes, headers: dict[str, str], summary: dict[str, int]) -> None:
        """Send an answer, compressed as the client asks."""
        told = {name: str(number) for name, number in summary.items()}
        headers["X-ClickHouse-Summary"] = json.dumps(told | {"elapsed_ns": "1"})
        packed, encoding = pack(body, request.parameters, self.headers)  # type: ignore[arg-type]
        if encoding:
            headers["Content-Encoding"] = encoding
        self.send(200, packed, headers)

    def fail(self, text: str, headers: dict[str, str]) -> None:
        """Send an error as ClickHouse does."""
        code = error_code(text)
        headers["X-ClickHouse-Exception-Code"] = str(code)
        self.send(http_status(code), f"{text} (version {self.version} (official build))\n".encode(), headers)

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Send status, headers and body."""
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), CHUNK):
            piece = body[start : start + CHUNK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes:
        if (self.headers.get("Transfer-Encoding") or "").lower() != "chunked":
            return self._read(int(self.headers.get("Content-Length") or 0), 0)
        pieces: list[bytes] = []
        got = 0
        while size := int(self.rfile.readline(64).split(b";")[0], 16):
            pieces.append(self._read(size, got))
            got += size
            self.rfile.readline(8)
        self.rfile.readline(8)
        return b"".join(pieces)

    def _read(self, size: int, got: int) -> bytes:
        if size < 0 or size + got > self.largest_body:
            raise BodyTooLargeError(f"The body is larger than {self.largest_body // MEBIBYTE} MiB")
        return self.rfile.read(size)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Keep quiet: queries may name accounts."""


def _plain(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isascii() and text.isprintable()
