"""What verdicts change: who is left alone, and how far the threshold moves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.incidents.feedback import (
    DAY_MS,
    MOST_SHIFT,
    Judged,
    Sighting,
    Totals,
    Verdict,
    allow_list,
    judge,
    threshold_shift,
)
from pipeline.incidents.suppression import Suppressions
from pipeline.settings import IncidentSettings

SETTINGS = IncidentSettings(alerts_per_1000_account_days=0.25)
SEEN = Totals(since=0, account_days=40_000, incidents=100)


def verdict(kind: str, account: str = "a", *, evidence: float = 0.0, recorded_at: int = 1) -> Verdict:
    return Verdict(
        account_id=account,
        start=10 * DAY_MS + 7 * 60_000,
        end=20 * DAY_MS,
        kind=kind,
        evidence=evidence,
        recorded_at=recorded_at,
    )


def left_alone(verdicts: list[Verdict], account: str, day: int, evidence: float) -> bool:
    listed = Suppressions(allow_list(verdicts, SETTINGS))
    return listed.find(account, day * DAY_MS, evidence, lambda: "volume") is not None


def test_an_honest_account_is_left_alone_in_the_labels_time_and_a_margin_up_to_a_bound() -> None:
    verdicts = [verdict("honest", "a[1]", evidence=5.0)]
    assert [left_alone(verdicts, "a[1]", day, 6.4) for day in (9, 10, 20, 50, 51)] == [False, True, True, True, False]
    assert not left_alone(verdicts, "a[1]", 15, 6.5)
    assert not left_alone(verdicts, "a1", 15, 1.0)


def test_without_an_incident_when_it_was_labelled_the_bound_is_above_every_threshold() -> None:
    most = SETTINGS.open_at_most + SETTINGS.verdict_margin
    assert left_alone([verdict("benign")], "a", 15, most - 0.1)
    assert not left_alone([verdict("benign")], "a", 15, most)


def test_the_later_of_two_verdicts_counts() -> None:
    honest, heavy = verdict("honest", recorded_at=1), verdict("heavy", recorded_at=2)
    assert not left_alone([honest, heavy], "a", 15, 4.0)
    assert left_alone([verdict("honest", recorded_at=3), heavy], "a", 15, 4.0)
    assert left_alone([honest, verdict("heavy", "b", recorded_at=2)], "a", 15, 4.0)


def sighting(account: str, day: int, what: str = "incident") -> Sighting:
    return Sighting(account_id=account, what=what, at=day * DAY_MS)


def test_incidents_and_extraction_are_judged() -> None:
    verdicts = [verdict("honest", "a"), *(verdict("heavy", name) for name in ("b", "c", "d", "e")), verdict("x", "a")]
    seen = [
        sighting("a", 15),
        sighting("b", 21),
        sighting("c", 22),
        sighting("d", 15, "suppressed"),
        sighting("e", 15, "member"),
    ]
    # Of a, one verdict says extraction, so its incident is none that was false; c's came too late.
    assert judge(verdicts, seen, 0) == Judged(false_alerts=0, true_alerts=2, missed=1)
    assert judge(verdicts[:-1], seen, 0) == Judged(false_alerts=1, true_alerts=1, missed=1)
    assert judge(verdicts[:-1], seen, 16 * DAY_MS) == Judged(false_alerts=0, true_alerts=1, missed=1)
    assert judge(verdicts, seen, 30 * DAY_MS).missed == 0


def judged(false_alerts: int = 0, true_alerts: int = 0, missed: int = 0) -> Judged:
    return Judged(false_alerts=false_alerts, true_alerts=true_alerts, missed=missed)


def test_false_alerts_beyond_the_budget_raise_the_threshold_and_missed_extraction_lowers_it() -> None:
    # 10 of 100 incidents may be false: 0.25 for each 1,000 of 40,000 account-days.
    assert threshold_shift(judged(1, 9), SEEN, SETTINGS) == 0
    assert threshold_shift(judged(10, 10), SEEN, SETTINGS) == pytest.approx(0.25 * math.log(9))
    assert threshold_shift(judged(missed=3), SEEN, SETTINGS) == pytest.approx(-0.25 * math.log(4))
    assert threshold_shift(judged(100, 0, 100), SEEN, SETTINGS) == pytest.approx(0, abs=0.05)
    assert threshold_shift(judged(100), SEEN, IncidentSettings(verdict_gain=0)) == 0
    assert threshold_shift(judged(missed=9), Totals(since=0, account_days=0, incidents=0), SETTINGS) == 0


@given(
    st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)
)
def test_the_shift_is_bounded_and_moves_the_way_of_each_verdict(
    false_alerts: int, true_alerts: int, missed: int, account_days: int, incidents: int
) -> None:
    totals = Totals(since=0, account_days=account_days, incidents=incidents)
    shift = threshold_shift(judged(false_alerts, true_alerts, missed), totals, SETTINGS)
    assert -MOST_SHIFT <= shift <= MOST_SHIFT
    assert threshold_shift(judged(false_alerts + 1, true_alerts, missed), totals, SETTINGS) >= shift - 1e-12
    assert threshold_shift(judged(false_alerts, true_alerts, missed + 1), totals, SETTINGS) <= shift
    assert threshold_shift(judged(false_alerts, true_alerts + 1, missed), totals, SETTINGS) <= shift + 1e-12
