"""What a report shows of a run, read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.store.client import Store
from replay.queries import query

Float64 = NDArray[np.float64]

#: Lengths of windows that the engine closes, and the longest run that is drawn by each; milliseconds.
_LENGTHS_MS = ((60_000, 12 * 3_600_000), (600_000, 4 * 86_400_000), (3_600_000, 62 * 86_400_000))
_LONGEST_MS = 86_400_000
#: Names in one statement.
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a run's closed minutes reach (epoch milliseconds), and what is in them."""

    from_ms: int
    to_ms: int
    accounts: int
    calls: int
    output_tokens: int

    @property
    def step_ms(self) -> int:
        """The length of the windows that a chart of the whole run is drawn by."""
        length = self.to_ms - self.from_ms
        return next((step for step, longest in _LENGTHS_MS if length <= longest), _LONGEST_MS)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all accounts drew, by window."""

    start: Float64
    calls: Float64
    output_tokens: Float64
    alerted_tokens: Float64
    """Of accounts that have an incident or are in a campaign."""


@dataclass(frozen=True, slots=True)
class Series:
    """An account window by window; windows without a call are not in it."""

    start: Float64
    calls: Float64
    output_tokens: Float64
    score: Float64


@dataclass(frozen=True, slots=True)
class AccountTotals:
    """What an account drew in all."""

    calls: int = 0
    output_tokens: int = 0
    peak_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Story:
    """An incident with its reasons (feature, observed, expected, share); times are epoch milliseconds."""

    incident_id: str
    kind: str
    entity_type: str
    entity_id: str
    severity: str
    status: str
    peak_score: float
    output_tokens: int
    summary: str
    opened_at: int
    detected_at: int
    ended_at: int
    reasons: Sequence[tuple[str, float, float, float]]


@dataclass(frozen=True, slots=True)
class Member:
    """An account of a campaign, with what links it to the others (kind of link, value, weight)."""

    account_id: str
    joined_at: int
    evidence: Sequence[tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class Campaign:
    """Accounts that share what few have; `first` are those that joined first."""

    campaign_id: str
    members: int
    output_tokens: int
    score: float
    status: str
    opened_at: int
    detected_at: int
    last_seen_at: int
    first: Sequence[Member] = field(default_factory=tuple)


def read_span(store: Store, run_id: str) -> Span | None:
    """What the run covers; None when no window of it has closed."""
    found = Span(**store.query_records(query("report_span"), {"run_id": run_id})[0])
    return found if found.accounts else None


def read_traffic(store: Store, run_id: str, step_ms: int) -> Traffic:
    """All accounts' traffic in windows of `step_ms`."""
    found = store.query_arrow(query("report_traffic"), {"run_id": run_id, "window_s": step_ms // 1000})
    return Traffic(*(_floats(found, name) for name in ("start", "calls", "output_tokens", "alerted_tokens")))


def read_totals(store: Store, run_id: str, accounts: Sequence[str]) -> dict[str, AccountTotals]:
    """What each of some accounts drew; those without a window are left out."""
    totals: dict[str, AccountTotals] = {}
    for at in range(0, len(accounts), _CHUNK):
        parameters = {"run_id": run_id, "accounts": list(accounts[at : at + _CHUNK])}
        for account, *counts in store.query_rows(query("report_accounts"), parameters):
            totals[account] = AccountTotals(*counts)
    return totals


def read_series(store: Store, run_id: str, accounts: Sequence[str], step_ms: int) -> dict[str, Series]:
    """Some accounts window by window; those without a window of that length are left out."""
    if not accounts:
        return {}
    parameters = {"run_id": run_id, "window_s": step_ms // 1000, "accounts": list(accounts)}
    found = store.query_arrow(query("report_series"), parameters)
    names: list[Any] = found.column("account_id").to_pylist()
    columns = [_floats(found, name) for name in ("start", "calls", "output_tokens", "score")]
    return {name: Series(*(column[start:end] for column in columns)) for name, start, end in _pieces(names)}


def read_evidence(store: Store, run_id: str, accounts: Sequence[str]) -> dict[str, tuple[Float64, Float64]]:
    """Hours and their evidence (nats) of some accounts; those that have shown none are left out."""
    if not accounts:
        return {}
    found = store.query_arrow(query("report_evidence"), {"run_id": run_id, "accounts": list(accounts)})
    columns = [_floats(found, name) for name in ("start", "evidence")]
    return {
        name: (columns[0][start:end], columns[1][start:end])
        for name, start, end in _pieces(found.column("account_id").to_pylist())
    }


def read_stories(store: Store, run_id: str, entities: Sequence[str]) -> dict[str, list[Story]]:
    """The incidents of some accounts and campaigns, by entity, the earliest first."""
    stories: dict[str, list[Story]] = {}
    if entities:
        parameters = {"run_id": run_id, "entities": list(entities)}
        for record in store.query_records(query("report_incidents"), parameters):
            stories.setdefault(record["entity_id"], []).append(
                Story(**{**record, "reasons": [_tuple(one) for one in record["reasons"]]})
            )
    return stories


def read_campaigns(store: Store, run_id: str, *, most: int, most_members: int) -> list[Campaign]:
    """The campaigns that drew most, with the members that joined first."""
    campaigns = store.query_records(query("report_campaigns"), {"run_id": run_id, "limit": most})
    members: dict[str, list[Member]] = {}
    if campaigns:
        parameters = {
            "run_id": run_id,
            "campaigns": [one["campaign_id"] for one in campaigns],
            "limit": most_members,
        }
        for campaign, account, joined_at, evidence in store.query_rows(query("report_members"), parameters):
            shared = [(link, value, weight) for link, value, weight in map(_tuple, evidence)]
            members.setdefault(campaign, []).append(Member(account, joined_at, shared))
    return [Campaign(**one, first=tuple(members.get(one["campaign_id"], ()))) for one in campaigns]


def _pieces(names: Sequence[Any]) -> list[tuple[Any, int, int]]:
    # Each name with where its rows begin and end; they lie together.
    edges = [0, *(at for at in range(1, len(names)) if names[at] != names[at - 1]), len(names)]
    return [(names[start], start, end) for start, end in pairwise(edges) if end > start]


def _floats(table: Any, name: str) -> Float64:
    return np.asarray(table.column(name).to_numpy(), np.float64)


def _tuple(value: Any) -> tuple[Any, ...]:
    # A tuple of ClickHouse comes as a tuple, or as a dictionary where its parts have names.
    return tuple(value.values()) if isinstance(value, dict) else tuple(value)
