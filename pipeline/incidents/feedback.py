"""What analysts' verdicts change: accounts labelled honest open no incident for a time, and the threshold moves a little.

Pure: the store's queries give the verdicts and what became of their accounts, engines are handed the outcome.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from glob import escape

import msgspec

from pipeline.incidents.honest import HONEST_KINDS
from pipeline.incidents.suppression import Suppression
from pipeline.settings import IncidentSettings

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
#: Verdicts move the threshold by no more than this, in nats.
MOST_SHIFT = 1.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """An analyst's label; times are epoch milliseconds."""

    account_id: str
    start: int
    end: int
    kind: str
    evidence: float
    """Most evidence that incidents of the account had shown in its time when it was labelled; 0 for none."""
    recorded_at: int

    @property
    def honest(self) -> bool:
        """Whether it says that the account did nothing wrong."""
        return self.kind in HONEST_KINDS

    def explains(self, at: int) -> bool:
        """Whether something that was seen at this event time is about its time, as `replay evaluate` counts."""
        return self.start <= at <= self.end + DAY_MS


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What the stream said of an account that has a verdict."""

    account_id: str
    what: str
    """`incident`, `suppressed`, or `member` of a campaign."""
    at: int
    """Event time in epoch milliseconds."""


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has seen in its latest days."""

    since: int
    """Event time in epoch milliseconds from which it counts."""
    account_days: int
    """Days on which each account called, over all accounts."""
    incidents: int
    """Of accounts."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents and extraction as verdicts see them."""

    false_alerts: int
    """Incidents that only a verdict of honest explains."""
    true_alerts: int
    missed: int
    """Verdicts of extraction on accounts that had no incident, suppressed or not, and were in no campaign by then."""


def allow_list(verdicts: Iterable[Verdict], settings: IncidentSettings) -> list[Suppression]:
    """The accounts that analysts called honest, for the label's time and a margin, up to what they had seen and a margin.

    A later verdict of extraction on the account ends it.
    """
    verdicts = list(verdicts)
    accused: dict[str, int] = {}
    for one in verdicts:
        if not one.honest:
            accused[one.account_id] = max(one.recorded_at, accused.get(one.account_id, 0))
    return [
        Suppression(
            account=escape(one.account_id),
            # An hour counts by its beginning, so the label's first one whole.
            since=one.start - one.start % HOUR_MS,
            until=one.end + settings.verdict_margin_days * DAY_MS + 1,
            above=(one.evidence or settings.open_at_most) + settings.verdict_margin,
            note=f"labelled {one.kind}",
        )
        for one in verdicts
        if one.honest and one.recorded_at >= accused.get(one.account_id, 0)
    ]


def judge(verdicts: Sequence[Verdict], sightings: Iterable[Sighting], since: int) -> Judged:
    """Compare what was seen with verdicts; what lies before `since` is left out."""
    of_account: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        of_account[one.account_id].append(one)
    false_alerts = true_alerts = 0
    found: set[Verdict] = set()
    for seen in sightings:
        explained = [one for one in of_account[seen.account_id] if one.explains(seen.at)]
        guilty = [one for one in explained if not one.honest]
        found.update(guilty)
        if seen.what == "incident" and seen.at >= since:
            true_alerts += bool(guilty)
            false_alerts += bool(explained and not guilty)
    missed = sum(not one.honest and one.end >= since and one not in found for one in verdicts)
    return Judged(false_alerts=false_alerts, true_alerts=true_alerts, missed=missed)


def threshold_shift(judged: Judged, totals: Totals, settings: IncidentSettings) -> float:
    """Nats by which verdicts move the threshold: up for false alerts beyond the budget, down for extraction that was missed.

    The budget grants a number of false alerts for the account-days seen, which is a share of all incidents; as many of those
    that were labelled may be false. With f false ones beyond that and m missed it is `verdict_gain` * ln((1 + f) / (1 + m)), at
    most one nat: a few verdicts move it little, and both kinds together hardly at all. A run that has seen
    nothing moves by nothing.
    """
    if not totals.account_days:
        return 0.0
    granted = settings.alerts_per_1000_account_days * totals.account_days / 1000.0
    share = min(1.0, granted / totals.incidents) if totals.incidents else 1.0
    beyond = max(0.0, judged.false_alerts - share * (judged.false_alerts + judged.true_alerts))
    shift = settings.verdict_gain * math.log((1.0 + beyond) / (1.0 + judged.missed))
    return min(max(shift, -MOST_SHIFT), MOST_SHIFT)
