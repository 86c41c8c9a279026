"""A webhook: JSON, signed as Standard Webhooks says (https://www.standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.alerts.http import Poster
from pipeline.alerts.notice import Notice, link_of, text_of
from pipeline.alerts.pace import Message
from pipeline.settings import AlertTarget

_PREFIX = "whsec_"


class WebhookSender:
    """Posts `{"type", "timestamp", "data"}`; `data` is the incident as it is on the topic, with `text` and `link`."""

    def __init__(self, target: AlertTarget, poster: Poster, secret: str) -> None:
        self._target = target
        self._poster = poster
        self._key = key_of(secret)

    async def send(self, message: Message) -> None:
        """Send once. Raises `TryAgainError` or `RefusedError`."""
        now = time.time()
        body = msgspec.json.encode(self._body(message, now))
        headers = {"Content-Type": "application/json", "webhook-id": message.id, "webhook-timestamp": str(int(now))}
        if self._key:
            headers["webhook-signature"] = signature(self._key, message.id, int(now), body)
        await self._poster.post(body, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _body(self, message: Message, now: float) -> dict[str, Any]:
        sent_at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        if len(message.notices) == 1 and not message.left_out:
            notice = message.notices[0]
            return {"type": f"incident.{notice.event}", "timestamp": sent_at, "data": self._data(notice)}
        data = {"notices": [self._data(one) for one in message.notices], "left_out": message.left_out}
        return {"type": "incident.several", "timestamp": sent_at, "data": data}

    def _data(self, notice: Notice) -> dict[str, Any]:
        target = self._target
        words = {"event": notice.event, "text": text_of(notice, target), "link": link_of(notice, target)}
        return {**words, "incident": notice.incident}


def key_of(secret: str) -> bytes:
    """The key of a secret: base64 behind `whsec_`, else its own bytes."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over id, timestamp (epoch seconds) and body."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
