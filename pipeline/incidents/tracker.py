"""Which accounts have an incident: opens, escalates and closes them as hours come in."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.incidents.evidence import EVIDENCE, NOTABLE, OVERDUE, PEAKS, Threshold, accumulate, new_peaks
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, summarise
from pipeline.incidents.suppression import Suppression, Suppressions, of_settings
from pipeline.settings import IncidentSettings
from pipeline.state import Saved
from pipeline.state.saved import Array

Int64 = NDArray[np.int64]

_RANKS = ("low", "medium", "high", "critical")
SUPPRESSED = "suppressed"
_NEVER = np.iinfo(np.int64).max
#: An incident that goes on is told again after so long, if its severity stays.
_TELL_EVERY_MS = 6 * 3_600_000
_HOUR_MS = 3_600_000
_SAVED = msgspec.json.Decoder(tuple[list[tuple[int, Incident]], list[tuple[int, int]]])


@dataclass(frozen=True, slots=True)
class JudgedHours:
    """What the tracker hears of N closed hours, in the order of closing. Times in epoch milliseconds."""

    slot: Int64
    account_id: Sequence[str]
    start: Int64
    evidence: NDArray[np.float64]
    """ln(1 + odds) of extraction."""
    output_tokens: Int64
    account_calls: Int64
    """Calls of the account so far."""
    closed_by: Int64
    """Time of the event that let it close."""
    reasons: Callable[[int], Sequence[Reason]]
    """The reasons of a row."""


class IncidentTracker:
    """Incidents of the accounts of one partition. Fed in the order of closing, it is deterministic."""

    def __init__(self, settings: IncidentSettings) -> None:
        self._settings = settings
        self._evidence = np.zeros(64, EVIDENCE)
        self._has_incident = np.zeros(64, np.bool_)
        self._incidents: dict[int, Incident] = {}
        self._deadlines: list[tuple[int, int]] = []
        # Start of the latest hour that counts for each incident: of an open one, an hour that was not suppressed.
        self._latest: dict[int, int] = {}
        self._threshold = Threshold(settings)
        self._peaks: list[float] = []
        self._began = _NEVER
        self.suppress(())

    @property
    def open_at(self) -> float:
        """The evidence that opens an incident now."""
        return self._threshold.open_at

    def suppress(self, listed: Sequence[Suppression], shift: float = 0.0) -> None:
        """From now on judge by these suppressions and a threshold moved by `shift` nats, each beside the settings' own."""
        self._suppressions = Suppressions([*of_settings(self._settings.suppressions), *listed])
        self._threshold.move(self._settings.threshold_shift + shift)

    def expire(self, now: int) -> list[Incident]:
        """Close incidents that were quiet for too long at event time `now`."""
        closed: list[tuple[int, Incident]] = []
        quiet = self._settings.quiet_s * 1000
        while self._deadlines and self._deadlines[0][0] <= now:
            due, slot = heapq.heappop(self._deadlines)
            incident = self._incidents.get(slot)
            if incident is None:
                continue
            # Hours with evidence may not have been told of.
            until = max(incident.last_seen_at, self._latest[slot] + _HOUR_MS) + quiet
            if until > due:
                heapq.heappush(self._deadlines, (until, slot))
            else:
                closed.append((due, self._close(slot, due)))
        # Those of one time in an order that does not depend on the accounts' slots.
        closed.sort(key=lambda one: (one[0], one[1].entity_id))
        return [incident for _, incident in closed]

    def follow(self, hours: JudgedHours) -> list[Incident]:
        """Take judged hours in; every change of an incident that is worth telling, in order.

        Those with the status `suppressed` are of incidents that would have opened.
        """
        settings = self._settings
        if not hours.slot.size:
            return []
        self._make_room(int(hours.slot.max()) + 1)
        columns = (
            hours.slot,
            hours.start,
            hours.evidence,
            hours.output_tokens,
            hours.account_calls,
            hours.closed_by,
        )
        evidence = tuple(self._evidence[name] for name in EVIDENCE.names or ())
        if self._began == _NEVER:
            self._began = int(hours.start[0])
        changes: list[Incident] = []
        row = 0
        while True:
            deadline = self._deadlines[0][0] if self._deadlines else _NEVER
            room = new_peaks()[len(self._peaks) :]
            limits = (
                self._threshold.open_at,
                settings.close_at,
                float(settings.minimum_calls),
                settings.unknown_past,
            )
            row, why, found = accumulate(
                row, columns, evidence, self._has_incident, deadline, limits, self._began, room
            )
            self._peaks += room[:found].tolist()
            if why == OVERDUE:
                changes += self.expire(int(hours.closed_by[row]))
            elif why == PEAKS:
                self._threshold.add(np.array(self._peaks, np.float32))
                self._peaks.clear()
            elif why == NOTABLE:
                changes += self._change(hours, row)
                row += 1
            else:
                return changes

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots`, all open incidents and the peaks of ordinary days."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        incidents = msgspec.json.encode([list(self._incidents.items()), self._deadlines])
        return Saved(
            self._evidence[slots],
            {
                "incidents": np.frombuffer(incidents, np.uint8),
                "peaks": self._threshold.peaks.copy(),
                "seen": np.array([self._threshold.seen]),
                "new_peaks": np.array(self._peaks, np.float32),
                "latest": np.array(list(self._latest.items()), np.int64).reshape(-1, 2),
                "began": np.array([self._began]),
            },
        )

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put back what `save` gave."""
        assert saved.rows is not None
        self.restore(slots, saved.rows)
        # States of before it was kept say nothing of it: all of their accounts have been watched for long.
        self._began = int(saved.shared.get("began", np.array([0]))[0])
        incidents, deadlines = _SAVED.decode(saved.shared["incidents"].tobytes())
        self._incidents = dict(incidents)
        self._deadlines = deadlines
        self._has_incident[:] = False
        self._has_incident[list(self._incidents)] = True
        # States of before suppressions came have no times of their own.
        known = dict(saved.shared.get("latest", np.zeros((0, 2), np.int64)).tolist())
        self._latest = {slot: known.get(slot, int(self._evidence["latest"][slot])) for slot in self._incidents}
        peaks = saved.shared["peaks"].astype(np.float32)
        self._threshold = Threshold(self._settings, peaks, int(saved.shared["seen"][0]), shift=self._threshold.shift)
        self._peaks = saved.shared["new_peaks"].tolist()

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put back what is remembered of some accounts, none of which has an incident."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        mine = self._evidence[slots]
        # States of before a field was kept have none of it.
        for name in rows.dtype.names or ():
            mine[name] = rows[name]  # type: ignore[call-overload]
        self._evidence[slots] = mine

    def quiet(self, slots: Int64) -> NDArray[np.bool_]:
        """Which of `slots` have no incident that is open."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        return ~self._has_incident[slots]

    def _change(self, hours: JudgedHours, row: int) -> list[Incident]:
        slot, start, amount = int(hours.slot[row]), int(hours.start[row]), float(hours.evidence[row])
        by = self._suppressions.find(hours.account_id[row], start, amount, lambda: kind_of(tuple(hours.reasons(row))))
        old = self._incidents.get(slot)
        if old is None:
            return [self._open(hours, row, by)]
        if by is not None:
            counted = msgspec.structs.replace(old, suppressed_hours=old.suppressed_hours + 1, suppressed_by=by.name)
            self._incidents[slot] = counted
            if old.status != SUPPRESSED:
                # It neither grows by this hour nor is kept open, and closes if no other comes.
                return []
            old = counted
        elif old.status == SUPPRESSED and amount >= self._threshold.open_at:
            ended = msgspec.structs.replace(old, version=old.version + 1, closed_at=int(hours.closed_by[row]))
            return [ended, self._open(hours, row, None)]
        self._latest[slot] = start
        end = start + _HOUR_MS
        severity = max(old.severity, self._threshold.severity(amount), key=_RANKS.index)
        if severity == old.severity and end < old.last_seen_at + _TELL_EVERY_MS:
            return []
        score = _probability(amount)
        stronger = score > old.peak_score
        reasons = tuple(hours.reasons(row)) if stronger else old.reasons
        tokens = int(self._evidence["output_tokens"][slot])
        self._incidents[slot] = msgspec.structs.replace(
            old,
            version=old.version + 1,
            last_seen_at=max(old.last_seen_at, end),
            severity=severity,
            peak_score=max(old.peak_score, score),
            kind=kind_of(reasons),
            reasons=reasons,
            output_tokens=max(tokens, old.output_tokens),
            summary=summarise(old.entity_id, max(tokens, old.output_tokens), reasons),
        )
        return [self._incidents[slot]]

    def _open(self, hours: JudgedHours, row: int, by: Suppression | None) -> Incident:
        slot, account_id, reasons = int(hours.slot[row]), hours.account_id[row], tuple(hours.reasons(row))
        opened_at, tokens = (int(self._evidence[name][slot]) for name in ("since", "output_tokens"))
        amount = float(hours.evidence[row])
        incident = Incident(
            incident_id=_identity("account" if by is None else SUPPRESSED, account_id, opened_at),
            version=1,
            kind=kind_of(reasons),
            entity_type="account",
            entity_id=account_id,
            opened_at=opened_at,
            detected_at=int(hours.closed_by[row]),
            last_seen_at=int(hours.start[row]) + _HOUR_MS,
            closed_at=None,
            severity=self._threshold.severity(amount),
            peak_score=_probability(amount),
            reasons=reasons,
            status="open" if by is None else SUPPRESSED,
            output_tokens=tokens,
            summary=summarise(account_id, tokens, reasons),
            suppressed_hours=int(by is not None),
            suppressed_by="" if by is None else by.name,
        )
        self._latest[slot] = int(hours.start[row])
        self._incidents[slot] = incident
        self._has_incident[slot] = True
        heapq.heappush(self._deadlines, (incident.last_seen_at + self._settings.quiet_s * 1000, slot))
        return incident

    def _close(self, slot: int, now: int) -> Incident:
        old = self._incidents.pop(slot)
        self._has_incident[slot] = False
        latest, tokens = self._latest.pop(slot) + _HOUR_MS, int(self._evidence["output_tokens"][slot])
        for name in ("since", "latest", "output_tokens"):
            self._evidence[name][slot] = 0
        return msgspec.structs.replace(
            old,
            version=old.version + 1,
            status=SUPPRESSED if old.status == SUPPRESSED else "closed",
            closed_at=now,
            last_seen_at=max(old.last_seen_at, latest),
            output_tokens=max(old.output_tokens, tokens),
        )

    def _make_room(self, slots: int) -> None:
        old = self._has_incident.size
        if slots > old:
            new = max(slots, old + old // 2)
            evidence, has_incident = self._evidence, self._has_incident
            self._evidence = np.zeros(new, EVIDENCE)
            self._has_incident = np.zeros(new, np.bool_)
            self._evidence[:old], self._has_incident[:old] = evidence, has_incident


def _probability(evidence: float) -> float:
    # odds / (1 + odds), evidence being ln(1 + odds).
    return 1.0 - math.exp(-evidence)


def _identity(what: str, account_id: str, opened_at: int) -> str:
    # The same in the stream and in every replay, so that incidents of runs can be compared. What was suppressed has one of its
    # own: it may open later, as a first version to whoever reads the topic.
    return hashlib.blake2b(f"{what}\0{account_id}\0{opened_at}".encode(), digest_size=10).hexdigest()
