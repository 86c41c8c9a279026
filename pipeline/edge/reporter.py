"""Sends the events of a gateway to `api-calls`, and never holds the gateway up."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiokafka
from aiokafka.errors import KafkaError

from pipeline.edge.exchange import Body, call_of_exchange
from pipeline.event import ApiCall, Rejected, encode
from pipeline.settings import StreamSettings
from pipeline.stream.address import bootstrap_servers
from pipeline.stream.produce import started_producer
from pipeline.stream.security import Security, security_of

#: Events that may wait for the broker; more are dropped.
QUEUE = 10_000
#: Seconds between looks at the queue, and between attempts to reach a broker that is away.
LOOK_S, RETRY_S = 0.05, 2.0

_log = logging.getLogger("stillwatch.edge")


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the calls that were reported: each is one of these, or waits."""

    sent: int = 0
    """Acked by the broker."""
    dropped: int = 0
    """Not queued: the queue was full, or the reporter closed."""
    failed: int = 0
    """Queued, but the broker did not take them in time."""
    unusable: int = 0
    """No event: without an account, for example."""


class Reporter:
    """Makes events of calls and sends them from a thread of its own, which starts with the first call.

    Reporting never waits for the broker and never raises; what is lost is counted. The thread starts late so that gateways
    that fork their workers after loading have one in each.
    """

    def __init__(
        self,
        settings: StreamSettings,
        *,
        security: Security | None = None,
        queue: int = QUEUE,
        patience_s: float = 10.0,
    ) -> None:
        """`settings` name the broker, its TLS and SASL, and the topic; `patience_s` is how long an event is tried.

        Raises `BrokerAddressError`, `BrokerNotRunningError` and `SecurityError`, before the first call is reported.
        """
        self._servers = bootstrap_servers(settings.broker)
        self._security = security_of(settings) if security is None else security
        self._topic = settings.api_calls_topic
        self._patience_s = patience_s
        self._most = queue
        self._queue: deque[ApiCall] = deque()
        self._under_way = 0
        self._counts = Counts()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def counts(self) -> Counts:
        """What became of the calls so far."""
        return self._counts

    def report(self, request: Body, response: Body | None = None, **given: object) -> bool:
        """Report one call (see `call_of_exchange`); whether it was queued. Takes the time of two hashes of the prompt."""
        return self.report_made(lambda: call_of_exchange(request, response, given))

    def report_made(self, make: Callable[[], ApiCall | Rejected]) -> bool:
        """Report the call that `make` gives, whatever it raises being counted; whether it was queued."""
        try:
            return self.report_call(make())
        except Exception as error:
            # A gateway must not fail because of its watcher. The text of the error may quote the request.
            return self._unusable(type(error).__name__)

    def report_call(self, call: ApiCall | Rejected) -> bool:
        """Report a call that is an event already; whether it was queued."""
        if isinstance(call, Rejected):
            return self._unusable(call.reason)
        with self._lock:
            if self._closed.is_set() or len(self._queue) + self._under_way >= self._most:
                self._counts = replace(self._counts, dropped=self._counts.dropped + 1)
                return False
            self._queue.append(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stillwatch-edge", daemon=True)
                self._thread.start()
        return True

    def close(self, timeout_s: float = 10.0) -> Counts:
        """Take no more calls, send what waits for at most `timeout_s`, and tell what became of all."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._counts

    def _unusable(self, why: str) -> bool:
        with self._lock:
            first = not self._counts.unusable
            self._counts = replace(self._counts, unusable=self._counts.unusable + 1)
        if first:
            _log.warning("a call is no event: %s; further ones are counted only", why)
        return False

    def _run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting():
            try:
                producer = await started_producer(self._servers, self._patience_s, self._security)
            except (KafkaError, OSError) as error:
                _log.warning("broker %s is not there, tried again: %r", ",".join(self._servers), error)
                if self._closed.is_set():
                    self._give_up()
                    return
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._send_with(producer)
            finally:
                await producer.stop()

    async def _send_with(self, producer: aiokafka.AIOKafkaProducer) -> None:
        while self._waiting():
            if not self._queue:
                await asyncio.sleep(LOOK_S)
                continue
            with self._lock:
                call = self._queue.popleft()
                self._under_way += 1
            try:
                # Waits while the batch of the partition is full: then the queue fills.
                future = await producer.send(
                    self._topic,
                    encode(call),
                    key=call.account_id.encode("utf-8", "replace"),
                    timestamp_ms=time.time_ns() // 1_000_000,
                )
            except (KafkaError, ValueError) as error:
                self._settled(error)
            else:
                future.add_done_callback(lambda done: self._settled(done.exception()))

    def _waiting(self) -> bool:
        return not self._closed.is_set() or bool(self._queue)

    def _settled(self, error: BaseException | None) -> None:
        with self._lock:
            self._under_way -= 1
            if error is None:
                self._counts = replace(self._counts, sent=self._counts.sent + 1)
            else:
                self._counts = replace(self._counts, failed=self._counts.failed + 1)

    def _give_up(self) -> None:
        with self._lock:
            self._counts = replace(self._counts, failed=self._counts.failed + len(self._queue))
            self._queue.clear()
