"""Which accounts two runs see differently, and by which feature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from pipeline.store.client import Store
from replay.matching import MatchedIncident
from replay.outcomes import Detection
from replay.queries import query

#: Accounts that are told of.
MOST = 50


class FeatureChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature adds to the evidence of an account in the second run, less what it adds in the first."""

    feature: str
    nats: float
    """Added up over the hours whose reasons are known: those that could keep an incident open."""


class AccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """An account whose incidents or evidence differ."""

    account_id: str
    incidents: str
    """`gained`, `lost`, `earlier`, `later`, or empty where they are the same."""
    hours_changed: int
    """Hours that show other evidence; 0 where thresholds alone made the difference."""
    peak_a: float
    peak_b: float
    """Most evidence of an hour, in nats."""
    features: tuple[FeatureChange, ...]
    """The three that differ most."""


def read_account_changes(
    store: Store,
    a: str,
    b: str,
    matched: Iterable[MatchedIncident],
    gained: Sequence[Detection],
    lost: Sequence[Detection],
) -> tuple[int, tuple[AccountChange, ...]]:
    """How many accounts show other evidence; and the accounts whose incidents changed, then those that moved most, 50 at most."""
    what: dict[str, str] = {}
    for one in matched:
        if one.later_ms:
            what[one.entity_id] = "later" if one.later_ms > 0 else "earlier"
    what.update((one.entity_id, "lost") for one in lost if one.entity_type == "account")
    what.update((one.entity_id, "gained") for one in gained if one.entity_type == "account")
    changed: int = store.query_rows(query("accounts_changed"), {"a": a, "b": b})[0][0]
    parameters = {"a": a, "b": b, "accounts": sorted(what)[:1000], "limit": MOST}
    return changed, tuple(
        AccountChange(
            account_id=account_id,
            incidents=what.get(account_id, ""),
            hours_changed=hours,
            peak_a=peak_a,
            peak_b=peak_b,
            features=tuple(FeatureChange(feature=name, nats=nats) for name, nats in features if nats),
        )
        for account_id, hours, peak_a, peak_b, _, features in store.query_rows(query("evidence_shift"), parameters)
    )
