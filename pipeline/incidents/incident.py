"""An incident and its reasons, as they are published and stored."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """One feature that moved a score."""

    feature: str
    observed: float
    expected: float
    share: float
    """Part of the score that this feature accounts for; the shares of one score add up to 1."""


class Incident(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One version of an incident; each change makes a new one with a higher `version`. Times are epoch milliseconds."""

    incident_id: str
    version: int
    kind: str
    """What kind of feature weighs most: `volume`, `diversity`, `novelty`, `elicitation`, `rhythm` or `errors`."""
    entity_type: str
    """`account` or `campaign`."""
    entity_id: str
    opened_at: int
    """Event time of the first evidence."""
    detected_at: int
    """Event time of the event that raised it."""
    last_seen_at: int
    """Event time of the end of the latest window with evidence."""
    closed_at: int | None
    severity: str
    """`low`, `medium`, `high` or `critical`."""
    peak_score: float
    reasons: tuple[Reason, ...]
    status: str
    """`open` or `closed`; `suppressed` for one that would have opened, which has ended when it has a `closed_at`."""
    output_tokens: int
    """Output tokens of the windows since `opened_at` that were seen."""
    summary: str
    """One sentence for people."""
    suppressed_hours: int = 0
    """Hours with evidence that were suppressed meanwhile."""
    suppressed_by: str = ""
    """The suppression of the latest of them: its pattern, and its note."""
