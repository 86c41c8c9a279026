"""What the engine gives back for a batch: columns, ready for the store, and the changes of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Reason(msgspec.Struct, frozen=True, array_like=True):
    """One feature that moved a score."""

    feature: str
    """Name of the feature, with the detector's name before a colon."""
    observed: float
    expected: float
    share: float
    """Part of the score that this feature accounts for, 0 to 1; the shares of a row add up to 1 at most."""


@dataclass(frozen=True, slots=True)
class CallScores:
    """One row per scored event of the batch, in the batch's order, duplicates left out."""

    account_id: list[str]
    ts: Int64
    event_id: list[str]
    score: Float64
    late: Flags
    """The event came after its windows had closed; it is scored but in no window of the engine."""
    offset: Int64
    reasons: list[Sequence[Reason]]
    """Empty for ordinary scores (`engine.reasons_from`)."""


@dataclass(frozen=True, slots=True)
class AccountWindows:
    """One row per window that closed, in the order of closing. Counts and tokens are sums over the window."""

    account_id: list[str]
    window_s: Int64
    window_start: Int64
    """Epoch milliseconds."""
    calls: Int64
    input_tokens: Int64
    output_tokens: Int64
    cached_input_tokens: Int64
    reasoning_tokens: Int64
    errors: Int64
    throttled: Int64
    logprobs_calls: Int64
    streamed_calls: Int64
    output_tokens_max: Int64
    distinct_prompts: Int64
    distinct_families: Int64
    distinct_system_prompts: Int64
    distinct_models: Int64
    distinct_keys: Int64
    distinct_addresses: Int64
    distinct_user_agents: Int64
    score: Float64
    reasons: list[Sequence[Reason]]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an incident; each change makes a new one with a higher `version`. Times are epoch milliseconds."""

    incident_id: str
    version: int
    kind: str
    entity_type: str
    entity_id: str
    opened_at: int
    """Event time of the first evidence."""
    detected_at: int
    """Event time of the event that raised it."""
    last_seen_at: int
    closed_at: int | None
    severity: str
    """`low`, `medium`, `high` or `critical`."""
    peak_score: float
    reasons: tuple[Reason, ...]
    status: str
    """`open` or `closed`."""
    output_tokens: int
    """Tokens drawn between `opened_at` and `last_seen_at` in the windows seen."""
    summary: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything that a batch gave."""

    partition: int
    duplicates: Flags
    """Per event of the batch: its id was counted before; it is in no other column."""
    call_scores: CallScores
    account_windows: AccountWindows
    incidents: list[Incident]
