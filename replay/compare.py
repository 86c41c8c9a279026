"""Two runs side by side: incidents gained and lost, whose evidence moved and by what, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.account_changes import AccountChange, read_account_changes
from replay.errors import ReplayError
from replay.evaluate import Detection, Evaluation, evaluate_run, read_detections, sums_of_run
from replay.matching import MatchedIncident, match
from replay.queries import query
from replay.significance import Significance, significance

__all__ = ["Comparison", "MatchedIncident", "ScoreShift", "load_and_compare", "match"]

#: The quantiles that `ScoreShift.quantiles` has.
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class ScoreShift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the scores that both runs have lie apart."""

    common: int
    changed: int
    mean_shift: float
    largest_shift: float
    quantiles: tuple[float, ...] = ()
    """Of the second score less the first, at 0.01, 0.05, 0.25, 0.5, 0.75, 0.95 and 0.99."""


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
    median_hours_earlier: float | None
    """Over those detected earlier; likewise later."""
    median_hours_later: float | None
    call_scores: ScoreShift
    account_windows: ScoreShift
    accounts_changed: int
    """Accounts with an hour that shows other evidence."""
    accounts: tuple[AccountChange, ...]
    """Those whose incidents changed, then those whose evidence moved most."""
    evaluation_a: Evaluation | None = None
    """Against the labels, where there are any."""
    evaluation_b: Evaluation | None = None
    significance: Significance | None = None


def load_and_compare(store: Store, a: str, b: str, labels: Sequence[Label] | None = None) -> Comparison:
    """Compare two runs of the store, and judge both by labels if there are any. Raises `ReplayError` when one is empty."""
    counts_a, counts_b = _counts(store, a), _counts(store, b)
    of_a, of_b = read_detections(store, a), read_detections(store, b)
    pairs, gained, lost = match(_incidents(of_a), _incidents(of_b))
    matched = tuple(MatchedIncident.of(one, other) for one, other in pairs)
    hours = [one.later_ms / 3_600_000 for one in matched]
    earlier, later = [-one for one in hours if one < 0], [one for one in hours if one > 0]
    changed, accounts = read_account_changes(store, a, b, matched, gained, lost)
    found = Comparison(
        a=a,
        b=b,
        counts_a=counts_a,
        counts_b=counts_b,
        gained=tuple(gained),
        lost=tuple(lost),
        matched=matched,
        earlier=len(earlier),
        later=len(later),
        median_hours_earlier=median(earlier) if earlier else None,
        median_hours_later=median(later) if later else None,
        call_scores=_shift(store, "score_shift_calls", a, b),
        account_windows=_shift(store, "score_shift_windows", a, b),
        accounts_changed=changed,
        accounts=accounts,
    )
    if labels is None:
        return found
    return msgspec.structs.replace(
        found,
        evaluation_a=evaluate_run(store, a, labels, of_a),
        evaluation_b=evaluate_run(store, b, labels, of_b),
        significance=significance(sums_of_run(store, a, labels, of_a), sums_of_run(store, b, labels, of_b)),
    )


def _incidents(detections: Sequence[Detection]) -> list[Detection]:
    # A campaign counts once here, not once for each member.
    return list({one.incident_id: one for one in detections}.values())


def _counts(store: Store, run_id: str) -> dict[str, int]:
    counts: dict[str, int] = store.query_records(query("run_counts"), {"run_id": run_id})[0]
    if not counts["call_scores"]:
        raise ReplayError(f"run {run_id} has no scores: see SELECT run_id, status FROM replay_runs FINAL for the runs")
    return counts


def _shift(store: Store, name: str, a: str, b: str) -> ScoreShift:
    found = store.query_records(query(name), {"a": a, "b": b})[0]
    if not found["common"]:
        return ScoreShift(common=0, changed=0, mean_shift=0.0, largest_shift=0.0)
    return ScoreShift(**found | {"quantiles": tuple(found["quantiles"])})
