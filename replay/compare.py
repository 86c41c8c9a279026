"""Two runs side by side: what each has, which incidents are gained and lost, how far scores moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from pipeline.store.client import Store
from replay.errors import ReplayError
from replay.evaluate import Detection, read_detections
from replay.queries import query


class ScoreShift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the scores that both runs have lie apart."""

    common: int
    changed: int
    mean_shift: float
    largest_shift: float


class MatchedIncident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that both runs have: the same entity at overlapping times."""

    entity_id: str
    detected_a: int
    detected_b: int

    @property
    def later_ms(self) -> int:
        """How much later the second run detected it; negative when earlier."""
        return self.detected_b - self.detected_a


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


def match(
    before: Sequence[Detection], after: Sequence[Detection]
) -> tuple[list[tuple[Detection, Detection]], list[Detection], list[Detection]]:
    """Pair incidents of the same entity that overlap in time, earliest first; the rest of each side."""
    waiting: dict[tuple[str, str], list[Detection]] = defaultdict(list)
    for one in sorted(after, key=lambda one: one.opened_at):
        waiting[one.entity_type, one.entity_id].append(one)
    pairs, lost = [], []
    for one in sorted(before, key=lambda one: one.opened_at):
        candidates = waiting[one.entity_type, one.entity_id]
        partner = next(
            (other for other in candidates if other.opened_at <= one.ended_at and one.opened_at <= other.ended_at), None
        )
        if partner is None:
            lost.append(one)
        else:
            candidates.remove(partner)
            pairs.append((one, partner))
    gained = [one for candidates in waiting.values() for one in candidates]
    return pairs, sorted(gained, key=lambda one: one.detected_at), lost


def load_and_compare(store: Store, a: str, b: str) -> Comparison:
    """Compare two runs of the store. Raises `ReplayError` when one of them is empty."""
    counts_a, counts_b = _counts(store, a), _counts(store, b)
    pairs, gained, lost = match(_incidents(store, a), _incidents(store, b))
    matched = tuple(
        MatchedIncident(entity_id=one.entity_id, detected_a=one.detected_at, detected_b=other.detected_at)
        for one, other in pairs
    )
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
