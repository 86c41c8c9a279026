"""Which accounts have an incident: opens, escalates and closes them as windows come in."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from pipeline.incidents.evidence import Evidence, severity_of
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, summarise
from pipeline.settings import IncidentSettings

_RANKS = ("low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """What the tracker hears of a closed window. Times in epoch milliseconds."""

    slot: int
    account_id: str
    window_s: int
    start: int
    score: float
    output_tokens: int
    account_calls: int
    """Calls of the account so far."""


@dataclass(slots=True)
class _Account:
    sums: dict[int, Evidence] = field(default_factory=dict)
    incident: Incident | None = None


class IncidentTracker:
    """Incidents of the accounts of one partition. Fed in the order of closing, it is deterministic."""

    def __init__(self, settings: IncidentSettings) -> None:
        self._settings = settings
        self._accounts: dict[int, _Account] = {}
        self._deadlines: list[tuple[int, int]] = []

    def expire(self, now: int) -> list[Incident]:
        """Close incidents that were quiet for too long at event time `now`."""
        closed = []
        quiet = self._settings.quiet_s * 1000
        while self._deadlines and self._deadlines[0][0] <= now:
            due, slot = heapq.heappop(self._deadlines)
            account = self._accounts[slot]
            if account.incident is None:
                continue
            until = account.incident.last_seen_at + quiet
            if until > due:
                heapq.heappush(self._deadlines, (until, slot))
            else:
                closed.append(self._close(account, due))
        return closed

    def window(self, window: ScoredWindow, now: int, reasons: Sequence[Reason]) -> Incident | None:
        """Take a scored window and its reasons in; the incident's new version when it changed."""
        settings = self._settings
        if window.window_s not in settings.windows_s:
            return None
        account = self._accounts.get(window.slot)
        if account is None:
            account = self._accounts[window.slot] = _Account()
        evidence = account.sums.get(window.window_s)
        if evidence is None:
            evidence = account.sums[window.window_s] = Evidence()
        adds = evidence.add(window.score, window.start, window.output_tokens, settings)
        leading = max(account.sums.values(), key=lambda one: one.nats)
        if account.incident is None:
            if adds and evidence.nats >= settings.open_at and window.account_calls >= settings.minimum_calls:
                return self._open(account, window, evidence, now, tuple(reasons))
            return None
        if leading.nats < settings.close_at:
            return self._close(account, now)
        return self._update(account, window, leading, tuple(reasons)) if adds else None

    def _open(
        self, account: _Account, window: ScoredWindow, evidence: Evidence, now: int, reasons: tuple[Reason, ...]
    ) -> Incident:
        account.incident = Incident(
            incident_id=_identity(window.account_id, evidence.since),
            version=1,
            kind=kind_of(reasons),
            entity_type="account",
            entity_id=window.account_id,
            opened_at=evidence.since,
            detected_at=now,
            last_seen_at=window.start + window.window_s * 1000,
            closed_at=None,
            severity=severity_of(evidence.nats, self._settings),
            peak_score=window.score,
            reasons=reasons,
            status="open",
            output_tokens=evidence.output_tokens,
            summary=summarise(window.account_id, window.window_s, evidence.output_tokens, reasons),
        )
        heapq.heappush(self._deadlines, (account.incident.last_seen_at + self._settings.quiet_s * 1000, window.slot))
        return account.incident

    def _update(
        self, account: _Account, window: ScoredWindow, leading: Evidence, reasons: tuple[Reason, ...]
    ) -> Incident:
        old = account.incident
        assert old is not None
        stronger = window.score > old.peak_score
        tokens = max(old.output_tokens, leading.output_tokens)
        account.incident = msgspec.structs.replace(
            old,
            version=old.version + 1,
            last_seen_at=max(old.last_seen_at, window.start + window.window_s * 1000),
            severity=max(old.severity, severity_of(leading.nats, self._settings), key=_RANKS.index),
            peak_score=max(old.peak_score, window.score),
            reasons=reasons if stronger else old.reasons,
            output_tokens=tokens,
            summary=summarise(window.account_id, window.window_s, tokens, reasons) if stronger else old.summary,
        )
        return account.incident

    def _close(self, account: _Account, now: int) -> Incident:
        old = account.incident
        assert old is not None
        account.incident = None
        account.sums.clear()
        return msgspec.structs.replace(old, version=old.version + 1, status="closed", closed_at=now)


def _identity(account_id: str, opened_at: int) -> str:
    # The same in the stream and in every replay, so that incidents of runs can be compared.
    return hashlib.blake2b(f"account\0{account_id}\0{opened_at}".encode(), digest_size=10).hexdigest()
