"""ClickHouse's HTTP interface on loopback, in threads of its own, so that the store can be asked while a worker holds it."""

from __future__ import annotations

import errno
import select
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.store import held
from pipeline.store.errors import StoreError
from pipeline.store.http.access import OWNER, TOKEN_FILE, from_a_page, same, write_token
from pipeline.store.http.handler import Handler
from pipeline.store.http.inserts import insert, refusal
from pipeline.store.http.limits import HttpLimits
from pipeline.store.http.permitted import RefusedError
from pipeline.store.http.reader import QueryFailedError, Reader
from pipeline.store.http.wire import Request, credentials

if TYPE_CHECKING:
    from pipeline.store.client import Store

HOST = "127.0.0.1"
#: A connection that says nothing for so long is closed.
SILENCE_S = 60.0
LARGEST_BODY = 16 << 20
LOOK_FOR_CLIENTS_S = 0.5


class HttpInterface(ThreadingHTTPServer):
    """The server; `serve` makes and ends it."""

    daemon_threads = True
    # Clients that were refused a turn come again at once.
    request_queue_size = 64

    def __init__(self, port: int, store: Store, limits: HttpLimits, password: str, token: str) -> None:
        super().__init__((HOST, port), _Connection)
        assert store.address.folder is not None
        self.store = store
        self.limits = limits
        self.password = password
        self.token = token
        self.reader = Reader(str(store.address.folder), store.address.database, limits)
        self._free = threading.BoundedSemaphore(limits.connections)
        self._guard = threading.Lock()
        self._clients: dict[str, socket.socket] = {}
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Give a connection a thread, or close it when there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone is nobody's concern."""

    @contextmanager
    def watched(self, name: str, client: socket.socket) -> Iterator[None]:
        """Stop the query of this name when its client hangs up."""
        with self._guard:
            self._clients[name] = client
        try:
            yield
        finally:
            with self._guard:
                self._clients.pop(name, None)

    def watch_clients(self) -> None:
        """Until the end: stop the queries of clients that have hung up."""
        while not self._ended.wait(LOOK_FOR_CLIENTS_S):
            with self._guard:
                clients = dict(self._clients)
            for name, client in clients.items():
                if _hung_up(client):
                    self.reader.stop(name)

    def end(self) -> None:
        """Take no more requests, stop the queries that run, and close."""
        self._ended.set()
        self.shutdown()
        self.server_close()
        self.reader.close()


class _Connection(Handler):
    """A client's connection."""

    server: HttpInterface
    timeout = SILENCE_S
    largest_body = LARGEST_BODY

    def admitted(self) -> bool:
        """Nothing that a page in a browser may have sent."""
        self.version = self.server.reader.version
        why = from_a_page(self.headers)  # type: ignore[arg-type]
        if why:
            self.send(403, f"Refused: {why}.\n".encode(), {})
        return not why

    def answer(self, request: Request) -> None:
        """Run a query, or the few inserts that there are."""
        headers = self.headers_of(request.parameters, request.settings.get("session_timezone", "UTC"))
        user, secret = credentials(request.parameters, self.headers)  # type: ignore[arg-type]
        owner = user == OWNER and same(secret, self.server.token)
        if not owner and not (user == "default" and same(secret, self.server.password)):
            text = "Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no such user."
            return self.fail(f"{text} (AUTHENTICATION_FAILED)", headers)
        try:
            if request.data is not None:
                self._insert(request, owner, headers)
            else:
                self._read_store(request, headers)
        except (QueryFailedError, RefusedError) as error:
            self.fail(str(error), headers)
        except StoreError as error:
            self.fail(f"Code: {getattr(error, 'code', 0) or 1002}. DB::Exception: {error}", headers)
        return None

    def _insert(self, request: Request, owner: bool, headers: dict[str, str]) -> None:
        if not owner:
            raise RefusedError(refusal())
        rows = insert(self.server.store, request)
        self.give(request, b"", headers, {"written_rows": rows})

    def _read_store(self, request: Request, headers: dict[str, str]) -> None:
        name = f"http-{uuid.uuid4().hex}"
        with self.server.watched(name, self.connection):
            found = self.server.reader.run(request, name)
        headers["X-ClickHouse-Format"] = found.output_format
        self.give(request, found.body, headers, found.summary)


@contextmanager
def serve(
    store: Store,
    port: int,
    *,
    limits: HttpLimits | None = None,
    password: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[HttpInterface]:
    """Offer an embedded store that this process holds, and tell the address in its folder for other programs to find.

    Where the port is taken, any free one is. `say` gets the line that tells the address. Raises `StoreError`.
    """
    assert store.address.folder is not None
    server = _listen(store, port, limits or HttpLimits(), password, say)
    url = f"http://{HOST}:{server.port}"
    threads = [
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="http-interface", daemon=True
        ),
        threading.Thread(target=server.watch_clients, name="http-interface-clients", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        held.tell(store.address.folder, {"http": url})
        say(f"SQL, read only, as of a ClickHouse server: {url} (curl, Grafana, DBeaver); `stillwatch sql` finds it")
        yield server
    finally:
        with suppress(OSError):
            (Path(store.address.folder) / TOKEN_FILE).unlink(missing_ok=True)
        server.end()


def _listen(store: Store, port: int, limits: HttpLimits, password: str, say: Callable[[str], None]) -> HttpInterface:
    assert store.address.folder is not None
    token = write_token(store.address.folder)
    try:
        return HttpInterface(port, store, limits, password, token)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise StoreError(
                f"the SQL interface cannot listen on {HOST}:{port} ({error.strerror}): give another store.http_port"
            ) from None
    say(f"port {port} (store.http_port) is taken; SQL is on another")
    return HttpInterface(0, store, limits, password, token)


def _hung_up(client: socket.socket) -> bool:
    try:
        # Asked first whether there is anything, since a socket with a timeout waits in `recv` whatever its flags.
        ready = select.poll()
        ready.register(client, select.POLLIN)
        return bool(ready.poll(0)) and client.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):
        return True
