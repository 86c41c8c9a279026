"""The Faust application: its settings for this use, and the transport it runs on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import faust
from faust.types.transports import TransportT

from pipeline.stream.address import free_port
from pipeline.stream.security import PLAINTEXT, Security
from pipeline.stream.transport import Transport

if TYPE_CHECKING:
    from pipeline.settings import StreamSettings

COMMIT_INTERVAL_S = 1.0
#: Time a produced record waits for others to share its request.
PRODUCER_LINGER_S = 0.005
REQUEST_TIMEOUT_S = 60.0
#: A rebalance waits this long for the members to drain.
REBALANCE_TIMEOUT_S = 60.0
#: Time without a fetch after which the group counts a worker as stuck: a store that is away must not get here.
MAX_POLL_INTERVAL_S = 900.0
#: The embedded broker answers the first join after half the session timeout, so there it is short.
EMBEDDED_SESSION_TIMEOUT_S = 4.0


class StreamApp(faust.App):
    """A Faust app on the batching transport."""

    on_drain: Callable[[], None] = staticmethod(lambda: None)
    """Called when all that is under way must become durable now: the worker stops, or loses partitions."""

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)


def create_stream_app(
    settings: StreamSettings,
    servers: Sequence[str],
    *,
    embedded: bool = False,
    web: bool = True,
    security: Security = PLAINTEXT,
) -> StreamApp:
    """A `StreamApp` for the group and the broker, without agents yet."""
    session_s = settings.session_timeout_s
    if embedded:
        session_s = min(session_s, EMBEDDED_SESSION_TIMEOUT_S)
    return StreamApp(
        settings.group,
        broker=[f"kafka://{server}" for server in servers],
        broker_credentials=security.credentials(),
        # Faust makes a folder for tables, which this app has none of.
        datadir=str(Path(tempfile.gettempdir()) / f"stillwatch-{settings.group}"),
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.max_batch_bytes,
        broker_max_poll_records=settings.max_batch_events,
        broker_max_poll_interval=MAX_POLL_INTERVAL_S,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 4,
        broker_rebalance_timeout=REBALANCE_TIMEOUT_S,
        broker_request_timeout=REQUEST_TIMEOUT_S,
        producer_acks=-1,
        producer_linger=PRODUCER_LINGER_S,
        stream_buffer_maxsize=settings.max_queued_batches,
        stream_wait_empty=True,
        web_enabled=web,
        web_host=settings.web_host,
        web_bind=settings.web_host,
        web_port=settings.web_port or free_port(),
        worker_redirect_stdouts=False,
    )
