"""Evaluations and comparisons as tables on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from statistics import median

from pipeline.command_line.show import print_lines, print_table
from replay.compare import Comparison, ScoreShift
from replay.evaluate import Detection, Evaluation
from replay.intervals import Interval
from replay.matching import MatchedIncident

#: Incidents gained or lost that are listed; the counts tell of the rest.
_MOST_LISTED = 10
#: Labels not found that are named, those that drew most.
_MOST_MISSED = 5


def print_evaluation(found: Evaluation) -> None:
    """Print the figures per kind, then those of all alerts."""
    rows = [
        (
            one.kind,
            one.labels,
            one.found,
            _percent(one.recall) + _interval(one.recall_interval, 100.0),
            _number(one.median_hours_to_detect),
            _percent(one.leaked) + _interval(one.leaked_interval, 100.0),
            _percent(one.leaked_median),
        )
        for one in found.kinds
    ]
    headings = ("kind", "labels", "found", "recall", "median hours to detect", "leaked", "leaked, median")
    print_table(f"run {found.run_id} against the labels", headings, rows, [False, *[True] * 6])
    lines = [
        f"account incidents {found.account_incidents}, true {found.true_incidents}, precision "
        f"{_percent(found.precision)}{_interval(found.precision_interval, 100.0)}; campaign incidents {found.campaign_incidents}",
        f"false alerts {found.false_alerts} in {found.account_days:,} account-days, "
        f"{_number(found.false_alerts_per_1000_account_days)} per 1,000{_interval(found.false_alerts_interval)}; "
        f"{_number(found.alerts_per_day)} alerts a day",
    ]
    if found.missed:
        names = ", ".join(f"{one.account_id} ({one.kind})" for one in found.missed[:_MOST_MISSED])
        more = f" and {len(found.missed) - _MOST_MISSED} more" if len(found.missed) > _MOST_MISSED else ""
        lines.append(f"missed: {names}{more}")
    if found.severities:
        lines.append(
            "true by severity: "
            + ", ".join(f"{one.severity} {one.true} of {one.incidents}" for one in found.severities)
        )
    if found.curve is not None and found.curve.average_precision is not None:
        lines.append(
            f"average precision {found.curve.average_precision:.3f} over {found.curve.extracting} accounts that extract and "
            f"{found.curve.others} others, by peak evidence"
        )
    lines += [
        f"scores of {one.what} above 0.9, 0.99 and 0.999 on accounts not labelled: "
        f"{one.above_9:.2%}, {one.above_99:.2%} and {one.above_999:.3%} of {one.scores:,}"
        for one in found.calibration
        if one.what in ("calls", "windows of 3600 s")
    ]
    if found.false_alerts_by_kind:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.false_alerts_by_kind.items())
        lines.append(f"false alerts on accounts labelled honest: {kinds}")
    if found.labels_not_seen:
        lines.append(f"{found.labels_not_seen} labels left out: the run has no call of their account within their time")
    print_lines(lines)


def print_sides(sides: Sequence[tuple[str, Evaluation]]) -> None:
    """Print the main figures of evaluations side by side."""
    figures: list[tuple[str, Callable[[Evaluation], str]]] = [
        ("found of labels", lambda one: f"{one.kinds[-1].found} of {one.kinds[-1].labels}"),
        ("recall", lambda one: _percent(one.kinds[-1].recall)),
        ("precision", lambda one: _percent(one.precision)),
        ("median hours to detect", lambda one: _number(one.kinds[-1].median_hours_to_detect)),
        ("leaked", lambda one: _percent(one.kinds[-1].leaked)),
        ("false alerts", lambda one: str(one.false_alerts)),
        ("false alerts per 1,000 account-days", lambda one: _number(one.false_alerts_per_1000_account_days)),
        ("alerts a day", lambda one: _number(one.alerts_per_day)),
    ]
    rows = [(name, *(show(one) for _, one in sides)) for name, show in figures]
    print_table("", ("against the labels", *(name for name, _ in sides)), rows, [False, *[True] * len(sides)])


def print_difference(
    name: str, matched: Sequence[MatchedIncident], gained: Sequence[Detection], lost: Sequence[Detection]
) -> None:
    """Print which incidents `name` gained and lost, and how many it detected earlier or later."""
    hours = [one.later_ms / 3_600_000 for one in matched]
    earlier, later = [-one for one in hours if one < 0], [one for one in hours if one > 0]
    print_lines(
        [
            f"incidents: {len(matched)} in both, {len(gained)} gained, {len(lost)} lost; of those in both "
            f"{len(earlier)} detected earlier{_median_hours(earlier)}, {len(later)} later{_median_hours(later)} by {name}"
        ]
    )
    for title, incidents in (("gained", gained), ("lost", lost)):
        if incidents:
            rows = [
                (one.entity_id, one.severity, _time(one.opened_at), _time(one.detected_at))
                for one in incidents[:_MOST_LISTED]
            ]
            more = f", the first {_MOST_LISTED} of {len(incidents)}" if len(incidents) > _MOST_LISTED else ""
            print_table(f"incidents {title} by {name}{more}", ("entity", "severity", "opened", "detected"), rows)


def print_comparison(found: Comparison) -> None:
    """Print the counts of both runs, the incidents that differ, and the shift of scores."""
    counts = [(name.replace("_", " "), count, found.counts_b[name]) for name, count in found.counts_a.items()]
    print_table(f"{found.a} and {found.b}", ("", found.a, found.b), counts)
    print_lines(
        [
            f"{name}: {shift.changed:,} of {shift.common:,} differ, by {shift.mean_shift:.4f} on average, "
            f"{shift.largest_shift:.4f} at most{_middle(shift)}"
            for name, shift in (("call scores", found.call_scores), ("window scores", found.account_windows))
        ]
    )
    print_difference(found.b, found.matched, found.gained, found.lost)


def _middle(shift: ScoreShift) -> str:
    if not shift.changed:
        return ""
    return f"; nine of ten between {shift.quantiles[1]:+.3f} and {shift.quantiles[-2]:+.3f}"


def _median_hours(hours: Sequence[float]) -> str:
    return f" ({median(hours):.1f} hours in the median)" if hours else ""


def _interval(found: Interval | None, factor: float = 1.0) -> str:
    return "" if found is None else f" ({found.low * factor:.3g}..{found.high * factor:.3g})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
