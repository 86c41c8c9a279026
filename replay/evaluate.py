"""How well a run found what the labels say: the figures that docs/replay.md defines.

A label counts as found when an incident on its account, or on a campaign that has the account as a member, was detected between
the label's start and a day after its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

import msgspec

from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.errors import ReplayError
from replay.queries import query
from replay.truth import HONEST_KINDS
from replay.window import Window

DAY_MS = 86_400_000
ALL = "all"

#: Per account: minutes (epoch milliseconds, ascending) with calls, and the output tokens drawn in each.
Usage = Mapping[str, Sequence[tuple[int, int]]]


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as evaluation sees it; of a campaign, one for each member. Times are epoch milliseconds."""

    incident_id: str
    entity_type: str
    entity_id: str
    account_id: str
    opened_at: int
    detected_at: int
    ended_at: int
    severity: str
    status: str
    peak_score: float


class KindResult(msgspec.Struct, frozen=True, kw_only=True):
    """How the labels of one kind, or of all, fared."""

    kind: str
    labels: int
    found: int
    recall: float
    median_hours_to_detect: float | None
    """From the label's start to the detection, over the labels found."""
    leaked: float | None
    """Share of all labelled output tokens that had gone when the first alert came; all of a label that was not found."""
    leaked_median: float | None
    """Median over labels of the same share."""


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """A run against the truth."""

    run_id: str
    kinds: tuple[KindResult, ...]
    """One for each kind, by name, then one for all together."""
    account_incidents: int
    true_incidents: int
    precision: float | None
    """True account incidents over all; None where there is none."""
    campaign_incidents: int
    false_alerts: int
    """Account incidents that no label explains."""
    false_alerts_by_kind: dict[str, int]
    """Those on accounts with a label of an honest kind that covers the detection, by kind; the others are not in it."""
    account_days: int
    """Days on which each account called, summed over accounts."""
    false_alerts_per_1000_account_days: float | None
    labels_not_seen: int
    """Labels left out because the run has no call of their account within their time."""


def evaluate(
    run_id: str, labels: Sequence[Label], detections: Sequence[Detection], usage: Usage, account_days: int
) -> Evaluation:
    """Compare detections with labels. Pure; `usage` needs the labelled accounts only."""
    extracting = [label for label in labels if label.kind not in HONEST_KINDS]
    seen = [label for label in extracting if _tokens(usage, label, None) is not None]
    by_account: dict[str, list[Detection]] = defaultdict(list)
    for detection in detections:
        by_account[detection.account_id].append(detection)
    outcomes = [(label, _first_alert(label, by_account[label.account_id])) for label in seen]
    kinds = sorted({label.kind for label in seen})
    results = [_result(kind, [one for one in outcomes if one[0].kind == kind], usage) for kind in kinds]
    results.append(_result(ALL, outcomes, usage))
    labels_of: dict[str, list[Label]] = defaultdict(list)
    for label in extracting:
        labels_of[label.account_id].append(label)
    alerts = [one for one in detections if one.entity_type == "account"]
    wrong = [one for one in alerts if not any(_covers(label, one.detected_at) for label in labels_of[one.account_id])]
    false = len(wrong)
    true = len(alerts) - false
    return Evaluation(
        run_id=run_id,
        kinds=tuple(results),
        account_incidents=len(alerts),
        true_incidents=true,
        precision=true / len(alerts) if alerts else None,
        campaign_incidents=len({one.incident_id for one in detections if one.entity_type == "campaign"}),
        false_alerts=false,
        false_alerts_by_kind=_by_honest_kind(wrong, labels),
        account_days=account_days,
        false_alerts_per_1000_account_days=1000 * false / account_days if account_days else None,
        labels_not_seen=len(extracting) - len(seen),
    )


def load_and_evaluate(
    store: Store, run_id: str, labels: Sequence[Label], *, window: Window | None = None
) -> Evaluation:
    """Evaluate a run from the store. Raises `ReplayError` when the run has no windows."""
    return evaluate_run(store, run_id, labels, read_detections(store, run_id), window=window)


def evaluate_run(
    store: Store,
    run_id: str,
    labels: Sequence[Label],
    detections: Sequence[Detection],
    *,
    window: Window | None = None,
) -> Evaluation:
    """Evaluate detections, those of a run or others, by what the run saw; within a window of time if there is one.

    Labels are then taken as if they began and ended with it. Raises `ReplayError` when the run has no windows there.
    """
    inside = window or Window()
    days = store.query_rows(query("account_days"), {"run_id": run_id, **inside.bounds})
    if not days:
        raise ReplayError(
            f"run {run_id} has no closed windows{' within the time' if window else ''}: "
            "check the name with `stillwatch sql`, or replay it first"
        )
    clipped = labels if window is None else _clipped(labels, window)
    return evaluate(
        run_id,
        clipped,
        [one for one in detections if one.detected_at in inside],
        read_usage(store, run_id, {label.account_id for label in clipped}, inside),
        sum(count for _, count in days),
    )


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


def _covers(label: Label, detected_at: int) -> bool:
    return label.start <= detected_at <= label.end + DAY_MS


def _by_honest_kind(alerts: Sequence[Detection], labels: Sequence[Label]) -> dict[str, int]:
    honest: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        if label.kind in HONEST_KINDS:
            honest[label.account_id].append(label)
    counts = Counter(
        kind
        for one in alerts
        for kind in {label.kind for label in honest[one.account_id] if _covers(label, one.detected_at)}
    )
    return dict(sorted(counts.items()))


def _first_alert(label: Label, detections: Sequence[Detection]) -> int | None:
    times = [one.detected_at for one in detections if _covers(label, one.detected_at)]
    return min(times) if times else None


def _tokens(usage: Usage, label: Label, until: int | None) -> int | None:
    # Output tokens within the label's time and before `until`; None when the account made no call within it.
    minutes = [(minute, tokens) for minute, tokens in usage.get(label.account_id, ()) if _within(label, minute)]
    if not minutes:
        return None
    return sum(tokens for minute, tokens in minutes if until is None or minute < until)


def _within(label: Label, minute: int) -> bool:
    return label.start - 60_000 < minute <= label.end


def _result(kind: str, outcomes: Sequence[tuple[Label, int | None]], usage: Usage) -> KindResult:
    hours = [(alert - label.start) / 3_600_000 for label, alert in outcomes if alert is not None]
    gone_and_all = [(_tokens(usage, label, alert) or 0, _tokens(usage, label, None) or 0) for label, alert in outcomes]
    shares = [gone / total for gone, total in gone_and_all if total]
    total = sum(total for _, total in gone_and_all)
    return KindResult(
        kind=kind,
        labels=len(outcomes),
        found=len(hours),
        recall=len(hours) / len(outcomes) if outcomes else 0.0,
        median_hours_to_detect=median(hours) if hours else None,
        leaked=sum(gone for gone, _ in gone_and_all) / total if total else None,
        leaked_median=median(shares) if shares else None,
    )
