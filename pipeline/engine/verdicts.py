"""What the engine gives back for a batch: columns, ready for the store, and the changes of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.features.signals import Signals
from pipeline.incidents.incident import Incident, Reason

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CallScores:
    """One row per scored event of the batch, in the batch's order, duplicates left out."""

    account_id: list[str]
    ts: Int64
    event_id: list[str]
    score: Float64
    late: Flags
    """The event came after its windows had closed; it is scored but in no window of the engine."""
    reasons: list[Sequence[Reason]]
    """Empty for ordinary scores (`engine.reasons_from`)."""

    @classmethod
    def none(cls) -> CallScores:
        """Of no events."""
        return cls([], np.zeros(0, np.int64), [], np.zeros(0), np.zeros(0, np.bool_), [])


@dataclass(frozen=True, slots=True)
class HourEvidence:
    """What incidents were decided by, of the H hours among closed windows, in the order of closing.

    With it incidents can be decided anew, by other thresholds and without the models.
    """

    partition: int
    row: Int64
    """Which of the windows each is."""
    evidence: NDArray[np.float32]
    """ln(1 + odds) of extraction."""
    reasons: list[Sequence[Reason]]
    """What the evidence is made of, where it reaches `engine.incident.close_at`; empty otherwise."""
    account_calls: Int64
    """Calls of the account so far."""
    closed_by: Int64
    """Time of the event that let it close, epoch milliseconds."""
    place: Int64
    """Place among the hours of the partition that closed together."""

    def among(self, kept: Flags) -> HourEvidence:
        """Of the windows that are `kept`, as they are numbered then."""
        where = np.flatnonzero(kept[self.row])
        return HourEvidence(
            partition=self.partition,
            row=(np.cumsum(kept) - 1)[self.row[where]],
            evidence=self.evidence[where],
            reasons=[self.reasons[at] for at in where.tolist()],
            account_calls=self.account_calls[where],
            closed_by=self.closed_by[where],
            place=self.place[where],
        )


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
    hours: HourEvidence | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Everything that a batch gave."""

    partition: int
    duplicates: Flags
    """Per event of the batch: its id was counted before; it is in no other column."""
    call_scores: CallScores
    account_windows: AccountWindows
    incidents: list[Incident]
    """Changes of incidents, to be published and stored."""
    suppressed: list[Incident]
    """Changes of those that would have opened, to be stored only."""
    signals: Signals
    """What accounts shared in hours that ended, for campaigns."""
