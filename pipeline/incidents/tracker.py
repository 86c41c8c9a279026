"""Which accounts have an incident: opens, escalates and closes them as windows come in."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.incidents.evidence import EVIDENCE, NOTABLE, OVERDUE, accumulate, severity_of
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, summarise
from pipeline.settings import IncidentSettings
from pipeline.state import Saved

Int64 = NDArray[np.int64]

_RANKS = ("low", "medium", "high", "critical")
_NEVER = np.iinfo(np.int64).max
_SAVED = msgspec.json.Decoder(tuple[list[tuple[int, Incident]], list[tuple[int, int]]])


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """What the tracker hears of N closed windows, in the order of closing. Times in epoch milliseconds."""

    slot: Int64
    account_id: Sequence[str]
    window_s: Int64
    start: Int64
    score: NDArray[np.float64]
    output_tokens: Int64
    account_calls: Int64
    """Calls of the account so far."""
    closed_by: Int64
    """Time of the event that let it close."""
    reasons: Sequence[Sequence[Reason]]


class IncidentTracker:
    """Incidents of the accounts of one partition. Fed in the order of closing, it is deterministic."""

    def __init__(self, settings: IncidentSettings) -> None:
        self._settings = settings
        self._evidence = np.zeros((64, len(settings.windows_s)), EVIDENCE)
        self._has_incident = np.zeros(64, np.bool_)
        self._incidents: dict[int, Incident] = {}
        self._deadlines: list[tuple[int, int]] = []

    def expire(self, now: int) -> list[Incident]:
        """Close incidents that were quiet for too long at event time `now`."""
        closed = []
        quiet = self._settings.quiet_s * 1000
        while self._deadlines and self._deadlines[0][0] <= now:
            due, slot = heapq.heappop(self._deadlines)
            incident = self._incidents.get(slot)
            if incident is None:
                continue
            until = incident.last_seen_at + quiet
            if until > due:
                heapq.heappush(self._deadlines, (until, slot))
            else:
                closed.append(self._close(slot, due))
        return closed

    def follow(self, windows: ScoredWindows) -> list[Incident]:
        """Take scored windows in; every change of an incident, in order. Lengths that carry no evidence are passed over."""
        settings = self._settings
        lengths = np.asarray(settings.windows_s, np.int64)
        matches = windows.window_s[:, None] == lengths
        chosen = np.flatnonzero(matches.any(axis=1))
        if not chosen.size:
            return []
        self._make_room(int(windows.slot[chosen].max()) + 1)
        columns = (
            windows.slot[chosen],
            matches[chosen].argmax(axis=1),
            windows.start[chosen],
            windows.score[chosen],
            windows.output_tokens[chosen],
            windows.account_calls[chosen],
            windows.closed_by[chosen],
        )
        evidence = tuple(self._evidence[name] for name in ("nats", "since", "output_tokens"))
        limits = (settings.drift, settings.open_at, settings.minimum_calls)
        changes: list[Incident] = []
        row = 0
        while True:
            deadline = self._deadlines[0][0] if self._deadlines else _NEVER
            row, why, adds = accumulate(row, columns, evidence, self._has_incident, deadline, *limits)
            if why == OVERDUE:
                changes += self.expire(int(columns[-1][row]))
            elif why == NOTABLE:
                changed = self._change(windows, int(chosen[row]), int(columns[1][row]), adds)
                if changed is not None:
                    changes.append(changed)
                row += 1
            else:
                return changes

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots`, and all open incidents."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        incidents = msgspec.json.encode([list(self._incidents.items()), self._deadlines])
        return Saved(self._evidence[slots], {"incidents": np.frombuffer(incidents, np.uint8)})

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put back what `save` gave."""
        assert saved.rows is not None
        self._make_room(int(slots.max(initial=-1)) + 1)
        self._evidence[slots] = saved.rows
        incidents, deadlines = _SAVED.decode(saved.shared["incidents"].tobytes())
        self._incidents = dict(incidents)
        self._deadlines = deadlines
        self._has_incident[:] = False
        self._has_incident[list(self._incidents)] = True

    def _change(self, windows: ScoredWindows, row: int, length: int, adds: bool) -> Incident | None:
        slot = int(windows.slot[row])
        sums = self._evidence[slot]
        if slot not in self._incidents:
            return self._open(windows, row, sums[length])
        leading = sums[int(sums["nats"].argmax())]
        if leading["nats"] < self._settings.close_at:
            return self._close(slot, int(windows.closed_by[row]))
        return self._update(windows, row, leading) if adds else None

    def _open(self, windows: ScoredWindows, row: int, evidence: np.void) -> Incident:
        slot, account_id, reasons = int(windows.slot[row]), windows.account_id[row], tuple(windows.reasons[row])
        opened_at, tokens = int(evidence["since"]), int(evidence["output_tokens"])
        window_s = int(windows.window_s[row])
        incident = Incident(
            incident_id=_identity(account_id, opened_at),
            version=1,
            kind=kind_of(reasons),
            entity_type="account",
            entity_id=account_id,
            opened_at=opened_at,
            detected_at=int(windows.closed_by[row]),
            last_seen_at=_end(windows, row),
            closed_at=None,
            severity=severity_of(float(evidence["nats"]), self._settings),
            peak_score=float(windows.score[row]),
            reasons=reasons,
            status="open",
            output_tokens=tokens,
            summary=summarise(account_id, window_s, tokens, reasons),
        )
        self._incidents[slot] = incident
        self._has_incident[slot] = True
        heapq.heappush(self._deadlines, (incident.last_seen_at + self._settings.quiet_s * 1000, slot))
        return incident

    def _update(self, windows: ScoredWindows, row: int, leading: np.void) -> Incident:
        slot, reasons = int(windows.slot[row]), tuple(windows.reasons[row])
        old = self._incidents[slot]
        score = float(windows.score[row])
        stronger = score > old.peak_score
        tokens = max(old.output_tokens, int(leading["output_tokens"]))
        window_s = int(windows.window_s[row])
        self._incidents[slot] = msgspec.structs.replace(
            old,
            version=old.version + 1,
            last_seen_at=max(old.last_seen_at, _end(windows, row)),
            severity=max(old.severity, severity_of(float(leading["nats"]), self._settings), key=_RANKS.index),
            peak_score=max(old.peak_score, score),
            reasons=reasons if stronger else old.reasons,
            output_tokens=tokens,
            summary=summarise(old.entity_id, window_s, tokens, reasons) if stronger else old.summary,
        )
        return self._incidents[slot]

    def _close(self, slot: int, now: int) -> Incident:
        old = self._incidents.pop(slot)
        self._has_incident[slot] = False
        self._evidence[slot] = 0
        return msgspec.structs.replace(old, version=old.version + 1, status="closed", closed_at=now)

    def _make_room(self, slots: int) -> None:
        old = self._has_incident.size
        if slots > old:
            new = max(slots, old + old // 2)
            evidence, has_incident = self._evidence, self._has_incident
            self._evidence = np.zeros((new, evidence.shape[1]), EVIDENCE)
            self._has_incident = np.zeros(new, np.bool_)
            self._evidence[:old], self._has_incident[:old] = evidence, has_incident


def _end(windows: ScoredWindows, row: int) -> int:
    return int(windows.start[row]) + int(windows.window_s[row]) * 1000


def _identity(account_id: str, opened_at: int) -> str:
    # The same in the stream and in every replay, so that incidents of runs can be compared.
    return hashlib.blake2b(f"account\0{account_id}\0{opened_at}".encode(), digest_size=10).hexdigest()
