"""A run of the store against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.calibration import read_calibration
from replay.curve import read_curve
from replay.errors import ReplayError
from replay.evaluation import DAY_MS, Detection, Evaluation, KindResult, Usage, evaluate
from replay.outcomes import account_sums, judged_alerts, outcomes_of
from replay.queries import query
from replay.truth import HONEST_KINDS
from replay.window import Window

__all__ = [
    "DAY_MS",
    "Detection",
    "Evaluation",
    "KindResult",
    "Usage",
    "evaluate",
    "evaluate_run",
    "load_and_evaluate",
    "read_detections",
    "read_usage",
    "sums_of_run",
]


def load_and_evaluate(
    store: Store, run_id: str, labels: Sequence[Label], *, window: Window | None = None
) -> Evaluation:
    """Evaluate a run from the store. Raises `ReplayError` when the run has no windows."""
    return evaluate_run(store, run_id, labels, read_detections(store, run_id), window=window, thorough=True)


def evaluate_run(
    store: Store,
    run_id: str,
    labels: Sequence[Label],
    detections: Sequence[Detection],
    *,
    window: Window | None = None,
    thorough: bool = False,
) -> Evaluation:
    """Evaluate detections, those of a run or others, by what the run saw; within a window of time if there is one.

    Labels are then taken as if they began and ended with it. With `thorough` the curve and the calibration are there too, which
    read every score of the run. Raises `ReplayError` when the run has no windows there.
    """
    inside = window or Window()
    within = {"run_id": run_id, **inside.bounds}
    days_of = dict(store.query_rows(query("account_days"), within))
    if not days_of:
        raise ReplayError(
            f"run {run_id} has no closed windows{' within the time' if window else ''}: "
            "check the name with `stillwatch sql`, or replay it first"
        )
    clipped = labels if window is None else _clipped(labels, window)
    found = evaluate(
        run_id,
        clipped,
        [one for one in detections if one.detected_at in inside],
        read_usage(store, run_id, {label.account_id for label in clipped}, inside),
        sum(days_of.values()),
        days_of=days_of,
        days=store.query_rows(query("run_days"), within)[0][0],
    )
    if not thorough:
        return found
    extracting = [label for label in clipped if label.kind not in HONEST_KINDS and label.account_id in days_of]
    return msgspec.structs.replace(
        found,
        curve=read_curve(store, run_id, extracting, inside),
        calibration=read_calibration(store, run_id, {label.account_id for label in extracting}, inside),
    )


def sums_of_run(
    store: Store, run_id: str, labels: Sequence[Label], detections: Sequence[Detection]
) -> dict[str, Counter[str]]:
    """Of each account of a run what `outcomes.account_sums` counts."""
    days_of = dict(store.query_rows(query("account_days"), {"run_id": run_id, **Window().bounds}))
    usage = read_usage(store, run_id, {label.account_id for label in labels})
    return account_sums(outcomes_of(labels, detections, usage), judged_alerts(labels, detections), days_of)


def _clipped(labels: Sequence[Label], window: Window) -> list[Label]:
    bounds = window.bounds
    clipped = [
        msgspec.structs.replace(
            label, start=max(label.start, bounds["from_ms"]), end=min(label.end, bounds["to_ms"] - 1)
        )
        for label in labels
    ]
    return [label for label in clipped if label.start <= label.end]


def read_detections(store: Store, run_id: str) -> list[Detection]:
    """Every incident of a run; of a campaign, once for each member."""
    return [Detection(**record) for record in store.query_records(query("detections"), {"run_id": run_id})]


def read_usage(
    store: Store, run_id: str, accounts: Iterable[str], window: Window | None = None
) -> dict[str, list[tuple[int, int]]]:
    """Output tokens by minute of some accounts, from the run's windows."""
    wanted = sorted(accounts)
    usage: dict[str, list[tuple[int, int]]] = {}
    for at in range(0, len(wanted), 1000):
        parameters = {"run_id": run_id, "accounts": wanted[at : at + 1000], **(window or Window()).bounds}
        for account_id, minute, _, tokens in store.query_rows(query("usage_by_minute"), parameters):
            usage.setdefault(account_id, []).append((minute, tokens))
    return usage
