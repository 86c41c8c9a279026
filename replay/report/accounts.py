"""Which accounts mattered in a run, what became of each, and which of them a page has room for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest

from pipeline.store.records import Label
from replay.evaluate import DAY_MS, Detection
from replay.report.data import AccountTotals
from replay.truth import HONEST_KINDS

FOUND, MISSED, FALSE, ALERT = "found", "missed", "false alert", "alert"
#: In the order in which a page tells of them.
OUTCOMES = (FOUND, MISSED, FALSE, ALERT)


@dataclass(frozen=True, slots=True)
class Account:
    """An account with an alert or a label of extraction."""

    account_id: str
    outcome: str
    labels: tuple[Label, ...]
    """All that are known, those of honest kinds included."""
    alerts: tuple[Detection, ...]
    """Its incidents and those of its campaigns, the earliest first."""
    totals: AccountTotals

    @property
    def own_alerts(self) -> tuple[Detection, ...]:
        """Incidents on the account itself."""
        return tuple(one for one in self.alerts if one.entity_type == "account")

    @property
    def campaign(self) -> str | None:
        """The campaign it was found with, where it has no incident of its own."""
        return None if self.own_alerts or not self.alerts else self.alerts[0].entity_id

    @property
    def kinds(self) -> str:
        """The kinds of its labels, in words."""
        return ", ".join(sorted({label.kind.replace("_", " ") for label in self.labels}))

    @property
    def outcome_rank(self) -> int:
        """The place of its outcome on a page."""
        return OUTCOMES.index(self.outcome)

    @property
    def begins(self) -> int:
        """When it began, as far as is known."""
        extracting = [label.start for label in self.labels if label.kind not in HONEST_KINDS]
        return min(extracting or [one.opened_at for one in self.alerts])

    @property
    def first_alert(self) -> Detection | None:
        """The alert that found it; without a label the first one."""
        if self.outcome != FOUND:
            return self.alerts[0] if self.alerts else None
        return next((one for one in self.alerts if _explained(one, self.labels)), None)


def accounts_that_matter(
    labels: Sequence[Label], detections: Sequence[Detection], totals: Mapping[str, AccountTotals]
) -> list[Account]:
    """Every account with an alert, or with a label of extraction and calls in the run; without labels nothing is false."""
    labels_of: dict[str, list[Label]] = defaultdict(list)
    alerts_of: dict[str, list[Detection]] = defaultdict(list)
    for label in labels:
        labels_of[label.account_id].append(label)
    for one in detections:
        alerts_of[one.account_id].append(one)
    extracting = {label.account_id for label in labels if label.kind not in HONEST_KINDS}
    names = {name for name in alerts_of if name in totals} | {name for name in extracting if name in totals}
    found = []
    for name in sorted(names):
        alerts = sorted(alerts_of.get(name, ()), key=lambda one: (one.detected_at, one.incident_id))
        known = tuple(labels_of.get(name, ()))
        found.append(Account(name, _outcome(known, alerts, bool(labels)), known, tuple(alerts), totals[name]))
    return found


def first_of_each(accounts: Sequence[Account], most: int, *, a_campaign: int | None = None) -> list[Account]:
    """At most `most` of the accounts: in turn from each outcome and campaign those that drew most; in order of time."""
    groups: dict[tuple[str, str], list[Account]] = defaultdict(list)
    for one in sorted(accounts, key=lambda one: (-one.totals.output_tokens, one.account_id)):
        groups[one.outcome, one.campaign or ""].append(one)
    bounded = [
        group[:a_campaign] if campaign and a_campaign is not None else group
        for (_, campaign), group in sorted(
            groups.items(), key=lambda item: (bool(item[0][1]), OUTCOMES.index(item[0][0]))
        )
    ]
    in_turn = [one for one in chain.from_iterable(zip_longest(*bounded)) if one is not None][:most]
    return sorted(in_turn, key=lambda one: (one.outcome_rank, one.begins, one.account_id))


def labels_that_extract(labels: Sequence[Label]) -> set[str]:
    """Accounts with a label of extraction."""
    return {label.account_id for label in labels if label.kind not in HONEST_KINDS}


def _outcome(labels: Sequence[Label], alerts: Sequence[Detection], anything_known: bool) -> str:
    extracting = any(label.kind not in HONEST_KINDS for label in labels)
    if extracting:
        return FOUND if any(_explained(one, labels) for one in alerts) else MISSED
    return FALSE if anything_known else ALERT


def _explained(alert: Detection, labels: Sequence[Label]) -> bool:
    return any(
        label.start <= alert.detected_at <= label.end + DAY_MS for label in labels if label.kind not in HONEST_KINDS
    )
