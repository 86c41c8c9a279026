"""What of an incident's changes is worth telling, and in what words."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template
from typing import Literal
from urllib.parse import quote

from pipeline.event.harmless import harmless
from pipeline.incidents.incident import Incident
from pipeline.settings import AlertTarget
from pipeline.settings.alerts import SEVERITIES, TEMPLATE_NAMES

Event = Literal["opened", "escalated", "closed", "changed", "test"]
#: Incidents whose last version is remembered; the ones heard of longest ago are forgotten.
REMEMBERED = 100_000
LONGEST_VALUE = 300
LONGEST_TEXT = 2900


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell; `id` stays the same however often it is sent, so that a receiver can drop repeats."""

    id: str
    event: Event
    incident: Incident
    offset: int = -1
    """Where the change stands in the topic."""


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    told: int
    """Index of the highest severity told; -1 while it was too low."""
    closed: bool


class Told:
    """What a target has been told, as the topic up to some offset implies: the same records give the same notices.

    Nothing of this is kept anywhere: after a restart the records before the committed offset are heard again, and
    what they would have told is left unsaid.
    """

    def __init__(self, target: AlertTarget) -> None:
        self._target = target
        self._least = SEVERITIES.index(target.severity)
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def hear(self, incident: Incident, offset: int = -1) -> Notice | None:
        """Take a change in; what is to be told of it, if anything. A version heard before tells nothing."""
        target = self._target
        if incident.entity_type not in target.entity_types:
            return None
        known = self._known.pop(incident.incident_id, _Known(0, -1, False))
        if incident.version <= known.version:
            self._keep(incident.incident_id, known)
            return None
        severity = SEVERITIES.index(incident.severity)
        event: Event | None = None
        told = known.told
        closed = incident.status != "open"
        if closed and not known.closed and told >= 0:
            event = "closed"
        elif not closed and severity >= self._least and severity > told:
            event = "opened" if told < 0 else "escalated"
            told = severity
        elif not closed and told >= 0:
            event = "changed"
        self._keep(incident.incident_id, _Known(incident.version, told, closed))
        wanted = event in target.on or (event == "changed" and target.kind == "alertmanager")
        if event is None or not wanted:
            return None
        return Notice(f"{incident.incident_id}.{incident.version}", event, incident, offset)

    def _keep(self, incident_id: str, known: _Known) -> None:
        self._known[incident_id] = known
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def text_of(notice: Notice, target: AlertTarget) -> str:
    """The notice in the target's words. What came from events can neither break lines nor change direction."""
    values = _values(notice, {"link": link_of(notice, target)})
    return Template(target.template).safe_substitute(values)[:LONGEST_TEXT]


def link_of(notice: Notice, target: AlertTarget) -> str:
    """Where the incident can be looked at; empty when no link is set."""
    values = {name: quote(value, safe="") for name, value in _values(notice, {"link": ""}).items()}
    values["entity_id"] = quote(notice.incident.entity_id[:LONGEST_VALUE], safe="")
    return Template(target.link).safe_substitute(values)


def _values(notice: Notice, more: dict[str, str]) -> dict[str, str]:
    incident = notice.incident
    values = {
        "event": notice.event,
        "severity": incident.severity,
        "kind": incident.kind,
        "entity_type": incident.entity_type,
        "entity_id": incident.entity_id,
        "summary": incident.summary,
        "output_tokens": f"{incident.output_tokens:,}",
        "opened_at": _time(incident.opened_at),
        "detected_at": _time(incident.detected_at),
        "incident_id": incident.incident_id,
    }
    told = {name: harmless(value, LONGEST_VALUE) for name, value in values.items()} | more
    return {name: told[name] for name in TEMPLATE_NAMES}


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
