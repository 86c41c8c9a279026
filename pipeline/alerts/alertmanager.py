"""Prometheus' Alertmanager, API version 2: each incident is an alert that resolves when the incident closes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pipeline.alerts.http import Poster
from pipeline.alerts.notice import Notice, link_of, text_of
from pipeline.alerts.pace import Message
from pipeline.event.harmless import harmless
from pipeline.settings import AlertTarget

#: An open incident is told again each day that it goes on, and closes after two days of quiet by default.
RESOLVES_AFTER = timedelta(days=3)


class AlertmanagerSender:
    """Posts to `/api/v2/alerts`; a change of an incident renews its alert."""

    def __init__(self, target: AlertTarget, poster: Poster, secret: str) -> None:
        self._target = target
        self._poster = poster
        self._headers = {"Content-Type": "application/json"}
        if secret:
            self._headers["Authorization"] = f"Bearer {secret}"

    async def send(self, message: Message) -> None:
        """Send once. Raises `TryAgainError` or `RefusedError`."""
        now = datetime.now(UTC)
        await self._poster.post(msgspec.json.encode([self._alert(one, now) for one in message.notices]), self._headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    def _alert(self, notice: Notice, now: datetime) -> dict[str, Any]:
        incident = notice.incident
        # Alertmanager tells alerts apart by their labels, so what changes (the severity does) is none of them.
        labels = {
            "alertname": "StillwatchTest" if notice.event == "test" else "StillwatchIncident",
            "incident_id": incident.incident_id,
            "entity_type": incident.entity_type,
            "entity_id": harmless(incident.entity_id, 300),
        }
        annotations = {
            "summary": text_of(notice, self._target),
            "severity": incident.severity,
            "kind": incident.kind,
            "output_tokens": str(incident.output_tokens),
            "opened_at": datetime.fromtimestamp(incident.opened_at / 1000, UTC).isoformat(),
        }
        alert: dict[str, Any] = {"labels": labels, "annotations": annotations}
        if notice.event in ("closed", "test"):
            alert["endsAt"] = now.isoformat()
        else:
            alert["endsAt"] = (now + RESOLVES_AFTER).isoformat()
        link = link_of(notice, self._target)
        if link:
            alert["generatorURL"] = link
        return alert
