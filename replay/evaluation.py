"""How well a run found what the labels say: the figures that docs/replay.md defines.

A label counts as found when an incident on its account, or on a campaign that has the account as a member, was detected between
the label's start and a day after its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

import msgspec

from pipeline.incidents.honest import HONEST_KINDS
from pipeline.store.records import Label
from replay.calibration import Calibration
from replay.curve import Curve
from replay.intervals import Interval, Ratio, bootstrap
from replay.outcomes import (
    ALL,
    DAY_MS,
    Detection,
    Outcome,
    Usage,
    account_sums,
    carried_over,
    clipped,
    covers,
    judged_alerts,
    outcomes_of,
)
from replay.window import Window

__all__ = ["ALL", "DAY_MS", "Detection", "Evaluation", "KindResult", "SeverityResult", "Usage", "evaluate"]

_RANKS = ("critical", "high", "medium", "low")


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
    recall_interval: Interval | None = None
    leaked_interval: Interval | None = None
    hours_to_detect: tuple[float, ...] = ()
    """Of each label found, ascending."""


class SeverityResult(msgspec.Struct, frozen=True, kw_only=True):
    """Account incidents of one severity."""

    severity: str
    incidents: int
    true: int
    precision: float


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
    labels_of_unknown_accounts: int = 0
    """Those among them, and labels of honest kinds, whose account the run has never seen."""
    precision_interval: Interval | None = None
    false_alerts_interval: Interval | None = None
    """Of the false alerts per 1,000 account-days."""
    severities: tuple[SeverityResult, ...] = ()
    """The most severe first."""
    days: int = 0
    """Days on which any account called."""
    alerts_per_day: float | None = None
    """Incidents of accounts and of campaigns, over those days."""
    alerts_by_day: dict[str, int] = {}
    """How many were detected on each day that has any."""
    missed: tuple[Label, ...] = ()
    """Labels that were seen and not found, those with most output tokens first."""
    curve: Curve | None = None
    calibration: tuple[Calibration, ...] = ()


def evaluate(
    run_id: str,
    labels: Sequence[Label],
    detections: Sequence[Detection],
    usage: Usage,
    account_days: int,
    *,
    days_of: Mapping[str, int] | None = None,
    days: int = 0,
    window: Window | None = None,
) -> Evaluation:
    """Compare detections with labels. Pure; `usage` needs the labelled accounts only.

    With the days on which each account of the run called there are intervals; with the days of the run, alerts per day. Within a
    window labels are taken as if they began and ended with it, an account that was detected before is known when it begins, and
    other alerts are those that were detected in it; usage and days are then to be of the window.
    """
    everything, known = detections, list[Detection]()
    if window is not None:
        detections = [one for one in everything if one.detected_at in window]
        known = carried_over(labels, everything, window)
    within = labels if window is None else clipped(labels, window)
    extracting = [label for label in within if label.kind not in HONEST_KINDS]
    outcomes = outcomes_of(within, [*known, *detections], usage)
    kinds = sorted({one.label.kind for one in outcomes})
    alerts = judged_alerts(labels, detections)
    wrong = [one for one, right in alerts if not right]
    false = len(wrong)
    true = len(alerts) - false
    intervals = bootstrap(list(account_sums(outcomes, alerts, days_of).values()), _ratios(kinds)) if days_of else {}
    results = [_result(kind, [one for one in outcomes if one.label.kind == kind], intervals) for kind in kinds]
    results.append(_result(ALL, outcomes, intervals))
    told = {one.incident_id: one.detected_at for one in reversed(detections)}
    by_day = Counter(datetime.fromtimestamp(at / 1000, UTC).date().isoformat() for at in told.values())
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
        labels_not_seen=len(extracting) - len(outcomes),
        labels_of_unknown_accounts=0 if days_of is None else sum(one.account_id not in days_of for one in within),
        precision_interval=intervals.get("precision"),
        false_alerts_interval=intervals.get("false alerts"),
        severities=_severities(alerts),
        days=days,
        alerts_per_day=len(told) / days if days else None,
        alerts_by_day=dict(sorted(by_day.items())),
        missed=tuple(
            one.label
            for one in sorted(outcomes, key=lambda one: (-one.total, one.label.account_id))
            if one.alert is None
        ),
    )


def _by_honest_kind(alerts: Sequence[Detection], labels: Sequence[Label]) -> dict[str, int]:
    honest: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        if label.kind in HONEST_KINDS:
            honest[label.account_id].append(label)
    counts = Counter(
        kind
        for one in alerts
        for kind in {label.kind for label in honest[one.account_id] if covers(label, one.detected_at)}
    )
    return dict(sorted(counts.items()))


def _result(kind: str, outcomes: Sequence[Outcome], intervals: Mapping[str, Interval | None]) -> KindResult:
    hours = sorted((one.alert - one.label.start) / 3_600_000 for one in outcomes if one.alert is not None)
    shares = [one.gone / one.total for one in outcomes if one.total]
    total = sum(one.total for one in outcomes)
    return KindResult(
        kind=kind,
        labels=len(outcomes),
        found=len(hours),
        recall=len(hours) / len(outcomes) if outcomes else 0.0,
        median_hours_to_detect=median(hours) if hours else None,
        leaked=sum(one.gone for one in outcomes) / total if total else None,
        leaked_median=median(shares) if shares else None,
        recall_interval=intervals.get(f"recall of {kind}"),
        leaked_interval=intervals.get(f"leaked of {kind}"),
        hours_to_detect=tuple(hours),
    )


def _severities(alerts: Sequence[tuple[Detection, bool]]) -> tuple[SeverityResult, ...]:
    counts, right = Counter(one.severity for one, _ in alerts), Counter[str]()
    for one, true in alerts:
        right[one.severity] += true
    return tuple(
        SeverityResult(severity=name, incidents=counts[name], true=right[name], precision=right[name] / counts[name])
        for name in sorted(counts, key=lambda name: _RANKS.index(name) if name in _RANKS else len(_RANKS))
    )


def _ratios(kinds: Sequence[str]) -> dict[str, Ratio]:
    return {
        "precision": Ratio("true", "alerts", law="share"),
        "false alerts": Ratio("false", "days", 1000.0, "rate"),
        **{f"recall of {kind}": Ratio(f"found {kind}", f"labels {kind}", law="share") for kind in (*kinds, ALL)},
        **{f"leaked of {kind}": Ratio(f"gone {kind}", f"tokens {kind}") for kind in (*kinds, ALL)},
    }
