"""What every request finds in the application."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from pipeline.console.live import Pulse
from pipeline.console.reading import Access
from pipeline.console.sign_in import SignIn
from pipeline.console.stream_health import StreamHealth
from pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The console's parts."""

    access: Access
    sign_in: SignIn
    pulse: Pulse
    stream: StreamHealth
    settings: Settings
    read_only: bool = False
    allowed_hosts: frozenset[str] = field(default_factory=frozenset)
    """Names by which the console may be asked for, beside those of this machine's loopback."""


CONTEXT: web.AppKey[Context] = web.AppKey("context", Context)
