"""What became of each label and alert, and of each account all that it has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipeline.incidents.honest import HONEST_KINDS
from pipeline.store.records import Label

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a label: its first alert, and the output tokens that had gone by then, of all."""

    label: Label
    alert: int | None
    gone: int
    total: int


def outcomes_of(labels: Sequence[Label], detections: Sequence[Detection], usage: Usage) -> list[Outcome]:
    """Of each label of extraction whose account called within its time."""
    by_account: dict[str, list[Detection]] = defaultdict(list)
    for detection in detections:
        by_account[detection.account_id].append(detection)
    return [
        _outcome(label, by_account[label.account_id], usage)
        for label in labels
        if label.kind not in HONEST_KINDS and _tokens(usage, label, None) is not None
    ]


def judged_alerts(labels: Sequence[Label], detections: Sequence[Detection]) -> list[tuple[Detection, bool]]:
    """The account incidents, and whether a label of extraction explains each."""
    labels_of: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        if label.kind not in HONEST_KINDS:
            labels_of[label.account_id].append(label)
    alerts = [one for one in detections if one.entity_type == "account"]
    return [(one, any(covers(label, one.detected_at) for label in labels_of[one.account_id])) for one in alerts]


def account_sums(
    outcomes: Sequence[Outcome], alerts: Sequence[tuple[Detection, bool]], days_of: Mapping[str, int]
) -> dict[str, Counter[str]]:
    """Of each account: days, alerts (true, false), and labels, found, gone and tokens of each kind and of all."""
    sums: dict[str, Counter[str]] = {account: Counter(days=days) for account, days in days_of.items()}
    for alert, right in alerts:
        if alert.account_id in sums:
            sums[alert.account_id].update({"alerts": 1, "true" if right else "false": 1})
    for one in outcomes:
        for kind in (one.label.kind, ALL):
            counted = {"labels": 1, "found": int(one.alert is not None), "gone": one.gone, "tokens": one.total}
            sums[one.label.account_id].update({f"{name} {kind}": value for name, value in counted.items()})
    return sums


def covers(label: Label, detected_at: int) -> bool:
    """Whether a detection is about the time of a label: from its start until a day after its end."""
    return label.start <= detected_at <= label.end + DAY_MS


def _outcome(label: Label, detections: Sequence[Detection], usage: Usage) -> Outcome:
    times = [one.detected_at for one in detections if covers(label, one.detected_at)]
    alert = min(times) if times else None
    return Outcome(label, alert, _tokens(usage, label, alert) or 0, _tokens(usage, label, None) or 0)


def _tokens(usage: Usage, label: Label, until: int | None) -> int | None:
    # Output tokens within the label's time and before `until`; None when the account made no call within it.
    minutes = [(minute, tokens) for minute, tokens in usage.get(label.account_id, ()) if _within(label, minute)]
    if not minutes:
        return None
    return sum(tokens for minute, tokens in minutes if until is None or minute < until)


def _within(label: Label, minute: int) -> bool:
    return label.start - 60_000 < minute <= label.end
