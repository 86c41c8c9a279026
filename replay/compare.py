"""Two runs side by side: what each has, which incidents are gained and lost, how far scores moved."""

from __future__ import annotations

import msgspec

from pipeline.store.client import Store
from replay.errors import ReplayError
from replay.evaluate import Detection, read_detections
from replay.matching import MatchedIncident, match
from replay.queries import query


class ScoreShift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the scores that both runs have lie apart."""

    common: int
    changed: int
    mean_shift: float
    largest_shift: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Run `b` as seen from run `a`."""

    a: str
    b: str
    counts_a: dict[str, int]
    counts_b: dict[str, int]
    gained: tuple[Detection, ...]
    lost: tuple[Detection, ...]
    matched: tuple[MatchedIncident, ...]
    earlier: int
    later: int
    call_scores: ScoreShift
    account_windows: ScoreShift


def load_and_compare(store: Store, a: str, b: str) -> Comparison:
    """Compare two runs of the store. Raises `ReplayError` when one of them is empty."""
    counts_a, counts_b = _counts(store, a), _counts(store, b)
    pairs, gained, lost = match(_incidents(store, a), _incidents(store, b))
    matched = tuple(MatchedIncident.of(one, other) for one, other in pairs)
    return Comparison(
        a=a,
        b=b,
        counts_a=counts_a,
        counts_b=counts_b,
        gained=tuple(gained),
        lost=tuple(lost),
        matched=matched,
        earlier=sum(one.later_ms < 0 for one in matched),
        later=sum(one.later_ms > 0 for one in matched),
        call_scores=_shift(store, "score_shift_calls", a, b),
        account_windows=_shift(store, "score_shift_windows", a, b),
    )


def _incidents(store: Store, run_id: str) -> list[Detection]:
    # A campaign counts once here, not once for each member.
    return list({one.incident_id: one for one in read_detections(store, run_id)}.values())


def _counts(store: Store, run_id: str) -> dict[str, int]:
    counts: dict[str, int] = store.query_records(query("run_counts"), {"run_id": run_id})[0]
    if not counts["call_scores"]:
        raise ReplayError(f"run {run_id} has no scores: see SELECT run_id, status FROM replay_runs FINAL for the runs")
    return counts


def _shift(store: Store, name: str, a: str, b: str) -> ScoreShift:
    found = store.query_records(query(name), {"a": a, "b": b})[0]
    if not found["common"]:
        return ScoreShift(common=0, changed=0, mean_shift=0.0, largest_shift=0.0)
    return ScoreShift(**found)
