"""What was set out to be reached, and what a measurement says of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bench.detection.stream import Stream, Tail
from replay.evaluate import Detection, KindResult

ALONE = ("heavy", "ramp", "stolen_key", "logprob", "reasoning", "pivot")
POOLS = ("pool", "template_pool")
#: Calls a day of a member of a pool, at least and at most.
POOL_RATE = (13, 50)
#: Calibration is right within this factor.
FACTOR = 1.5
_LENGTHS = {0: "calls", 60: "minutes", 600: "ten minutes", 3600: "hours", 86_400: "days"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table."""

    name: str
    least: float | None
    """What is to be reached at least."""
    most: float | None
    """And at most; None for both where it is told for information."""
    measured: float | None
    """None where there was nothing to measure it on."""
    of: str
    """What it rests on."""
    percent: bool = False

    @property
    def reached(self) -> bool | None:
        """None where there is no target or no measurement."""
        if self.measured is None or (self.least is None and self.most is None):
            return None
        return (self.least is None or self.measured >= self.least) and (self.most is None or self.measured <= self.most)


def figures(stream: Stream) -> list[Figure]:
    """The table of a stream, or of several added up."""
    evaluation = stream.evaluate()
    by_kind = {one.kind: one for one in evaluation.kinds[:-1]}
    alone = together(stream, ALONE)
    rows = [_recall("recall, accounts that extract alone", 0.95, alone)]
    rows += [_recall(f"recall, {kind}", 0.9, by_kind.get(kind)) for kind in ALONE]
    rows += [_recall(f"recall, {kind}", None, one) for kind, one in by_kind.items() if kind not in ALONE + POOLS]
    rows.append(_recall(f"recall, pools of {POOL_RATE[0]} to {POOL_RATE[1]} calls a day", 0.9, together(stream, POOLS)))
    rows += [_recall(f"recall, {kind}", None, by_kind[kind]) for kind in POOLS if kind in by_kind]
    incidents = f"{evaluation.true_incidents} of {evaluation.account_incidents} incidents"
    rows += [
        Figure("precision, account incidents", 0.9, None, evaluation.precision, incidents),
        Figure(
            "false alerts per 1,000 account-days",
            None,
            0.5,
            evaluation.false_alerts_per_1000_account_days,
            f"{evaluation.false_alerts} in {evaluation.account_days:,} account-days",
        ),
        _leaked("leaked, heavy", 0.05, by_kind.get("heavy")),
        _leaked("leaked, pools", 0.05, together(stream, POOLS)),
        _leaked("leaked, ramp", 0.2, by_kind.get("ramp")),
    ]
    rows += [_leaked(f"leaked, {kind}", None, by_kind.get(kind)) for kind in ALONE if kind not in ("heavy", "ramp")]
    rows += _campaigns(stream)
    rows += [row for length, tail in stream.tails.items() for row in _calibration(length, tail)]
    return rows


def together(stream: Stream, kinds: Iterable[str], detections: list[Detection] | None = None) -> KindResult | None:
    """How the labels of some kinds fared together, by Stillwatch's detections or others; None where there are none."""
    chosen = replace(stream, labels=[label for label in stream.labels if label.kind in kinds])
    result = chosen.evaluate(detections).kinds[-1]
    return result if result.labels else None


def _campaigns(stream: Stream) -> list[Figure]:
    # For information: how many campaigns hold an account that extracts, and how many of their members do.
    members: dict[str, set[str]] = {}
    for one in stream.detections:
        if one.entity_type == "campaign":
            members.setdefault(one.incident_id, set()).add(one.account_id)
    everyone = [account for accounts in members.values() for account in accounts]
    extracting = stream.extracting
    right = sum(not extracting.isdisjoint(accounts) for accounts in members.values())
    held = sum(account in extracting for account in everyone)
    return [
        Figure(f"campaigns{what}", None, None, count / total if total else None, f"{count} of {total} {unit}")
        for what, count, total, unit in (
            (" that hold an account that extracts", right, len(members), "campaigns"),
            (", share of members that extract", held, len(everyone), "members"),
        )
    ]


def _recall(name: str, least: float | None, result: KindResult | None) -> Figure:
    if result is None:
        return Figure(name, least, None, None, "no such account")
    return Figure(name, least, None, result.recall, f"{result.found} of {result.labels} labels")


def _leaked(name: str, most: float | None, result: KindResult | None) -> Figure:
    name += " (median)"
    if result is None:
        return Figure(name, None, most, None, "no such account", True)
    hours = result.median_hours_to_detect
    of = "none found" if hours is None else f"found after {hours:.1f} h (median)"
    return Figure(name, None, most, result.leaked_median, of, True)


def _calibration(length: int, tail: Tail) -> list[Figure]:
    of = f"{tail.scores:,} scores"
    return [
        Figure(
            f"{_LENGTHS[length]} scored above {above}",
            share / FACTOR,
            share * FACTOR,
            count / tail.scores if tail.scores else None,
            of,
            True,
        )
        for above, share, count in (("0.99", 0.01, tail.above_99), ("0.999", 0.001, tail.above_999))
    ]
