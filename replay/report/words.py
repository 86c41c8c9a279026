"""What a run comes to, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from replay.evaluate import Evaluation, KindResult
from replay.intervals import Interval
from replay.report.data import Span
from replay.report.scale import short
from replay.significance import Significance

_FRACTIONS = ((0.5, "half"), (1 / 3, "a third"), (0.25, "a quarter"), (0.2, "a fifth"), (0.1, "a tenth"))


@dataclass(frozen=True, slots=True)
class Figure:
    """A main figure: its name, its value, what it is made of; `name` is also how tests and scripts find it."""

    name: str
    title: str
    value: str
    detail: str


def headline(found: Evaluation | None, alerts: int, campaigns: int) -> str:
    """The one sentence that somebody reads who reads no more."""
    if found is None or not found.kinds[-1].labels:
        said = f"{_count(alerts, 'incident')} on accounts and {_count(campaigns, 'campaign')}."
        return said[0].upper() + said[1:]
    every = found.kinds[-1]
    if not every.found:
        return f"None of {_count(every.labels, 'label')} was found."
    if every.found < every.labels:
        who = f"{every.found} of {_count(every.labels, 'extractor')}"
    else:
        who = "The only extractor was" if every.labels == 1 else f"All {every.labels} extractors"
    when = ""
    if every.median_hours_to_detect is not None:
        when = f"within {duration(every.median_hours_to_detect)}"
        when = f" {when}" if every.found == 1 else f", half of them {when}"
    false = "without a false alert" if not found.false_alerts else f"with {_count(found.false_alerts, 'false alert')}"
    return f"{who} found{when}, {false}."


def sentences(found: Evaluation | None, window: Span) -> list[str]:
    """What follows the headline: the window, what had leaked, and who was missed."""
    accounts, calls = _count(window.accounts, "account"), _count(window.calls, "call")
    told = [
        f"{accounts[0].upper()}{accounts[1:]} made {calls} in {duration((window.to_ms - window.from_ms) / 3_600_000)} "
        f"and drew {short(window.output_tokens)} output tokens."
    ]
    if found is None or not found.kinds[-1].labels:
        return [*told, "No label of extraction is known of this window, so nothing here is judged."]
    every = found.kinds[-1]
    if every.leaked is not None:
        told.append(
            f"Before the first alert {_fraction(every.leaked)} of what extractors drew had gone; "
            f"of half of them less than {(every.leaked_median or 0.0):.1%} of what they took."
        )
    missed = [one for one in found.kinds[:-1] if one.found < one.labels]
    if missed:
        told.append(f"Missed: {', '.join(_missed(one) for one in missed)}.")
    if found.false_alerts_by_kind:
        kinds = ", ".join(f"{count} on {kind.replace('_', ' ')}" for kind, count in found.false_alerts_by_kind.items())
        told.append(f"False alerts on accounts known to be honest: {kinds}.")
    if found.labels_not_seen:
        told.append(f"{_count(found.labels_not_seen, 'label')} without a call in this window left out.")
    return told


def figures(found: Evaluation) -> list[Figure]:
    """The main figures of an evaluation with labels."""
    every = found.kinds[-1]
    return [
        Figure(
            "recall",
            "Recall",
            f"{every.recall:.1%}",
            f"{every.found} of {every.labels} labels found{_between(every.recall_interval)}",
        ),
        Figure(
            "precision",
            "Precision",
            "none" if found.precision is None else f"{found.precision:.1%}",
            f"{found.true_incidents} of {found.account_incidents} account incidents true{_between(found.precision_interval)}",
        ),
        Figure(
            "leaked",
            "Leaked",
            "none" if every.leaked is None else f"{every.leaked:.1%}",
            f"of labelled output tokens went before the first alert{_between(every.leaked_interval)}",
        ),
        Figure(
            "false",
            "False alerts",
            "none"
            if found.false_alerts_per_1000_account_days is None
            else f"{found.false_alerts_per_1000_account_days:.2f}",
            f"per 1,000 account-days: {found.false_alerts} in {found.account_days:,}"
            f"{_between(found.false_alerts_interval, '.2f')}",
        ),
        Figure(
            "hours",
            "Time to detect",
            "none" if every.median_hours_to_detect is None else duration(every.median_hours_to_detect),
            "from the start of a label, median over those found",
        ),
    ]


def tests(found: Significance) -> list[str]:
    """Whether two runs differ by more than chance, a sentence for each figure."""
    told = [
        f"Of {found.labelled_accounts} labelled accounts the first alone found {found.found_by_a_only}, the second alone "
        f"{found.found_by_b_only} (p = {found.recall_p:.3f}, McNemar's exact test)."
    ]
    for name, one in (("leaked", found.leaked), ("precision", found.precision)):
        if one is not None and one.a != one.b:
            told.append(
                f"{name[0].upper()}{name[1:]} moved by {100 * (one.b - one.a):+.1f} points (95%: {100 * one.low:+.1f} to "
                f"{100 * one.high:+.1f}, p = {one.p:.3f}, paired bootstrap over accounts)."
            )
    return told


def duration(hours: float) -> str:
    """A length of time for reading.

    >>> duration(0.7), duration(9.3), duration(161)
    ('42 minutes', '9.3 hours', '6.7 days')
    """
    if hours < 1:
        minutes = round(hours * 60)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    if hours < 72:
        return f"{hours:.1f} hours".replace(".0 ", " ")
    return f"{hours / 24:.1f} days".replace(".0 ", " ")


def _between(interval: Interval | None, how: str = ".1%") -> str:
    return "" if interval is None else f"; 95%: {interval.low:{how}} to {interval.high:{how}}"


def _missed(one: KindResult) -> str:
    return f"{one.labels - one.found} of {one.labels} {one.kind.replace('_', ' ')}"


def _fraction(share: float) -> str:
    near = next((text for value, text in _FRACTIONS if abs(share - value) < 0.02), None)
    return f"about {near} ({share:.1%})" if near else f"{share:.1%}"


def _count(number: int, what: str) -> str:
    return f"{'no' if number == 0 else 'one' if number == 1 else f'{number:,}'} {what}{'' if number == 1 else 's'}"
