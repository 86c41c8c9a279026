import math

import numpy as np
import pytest

from pipeline.incidents.evidence import Threshold
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, number, summarise
from pipeline.incidents.tracker import IncidentTracker, JudgedHours
from pipeline.settings import IncidentSettings

SETTINGS = IncidentSettings(
    open_at=2.0, open_at_most=3.0, unknown_past=0.0, close_at=1.0, quiet_s=7200, minimum_calls=20
)
HOUR = 3_600_000
DAY = 24 * HOUR
REASONS = (Reason("output_tokens_a_day", 90_000.0, 1200.0, 0.8), Reason("active_hours", 24.0, 9.0, 0.2))
#: Hours are counted from here, so that none begins at the epoch.
FIRST = 400_000


def hours(
    evidence: list[float], first_hour: int = 0, *, slot: int = 0, calls: int = 100, tokens: int | list[int] = 1000
) -> JudgedHours:
    """One hour after the other, each closed two minutes after its end."""
    count = len(evidence)
    start = (FIRST + first_hour + np.arange(count)) * HOUR
    return JudgedHours(
        slot=np.full(count, slot),
        account_id=[f"account-{slot}"] * count,
        start=start,
        evidence=np.array(evidence, np.float64),
        output_tokens=np.broadcast_to(np.array(tokens), count),
        account_calls=np.full(count, calls),
        closed_by=start + HOUR + 120_000,
        reasons=lambda row: REASONS,
    )


def feed(tracker: IncidentTracker, evidence: list[float], first_hour: int = 0) -> list[Incident]:
    return tracker.follow(hours(evidence, first_hour))


def at(hour: int) -> int:
    return (FIRST + hour) * HOUR


def test_ordinary_hours_open_nothing() -> None:
    assert feed(IncidentTracker(SETTINGS), [0.1, 0.5, 2.9, 0.2, 1.4, 0.0] * 20) == []


def test_enough_evidence_opens_an_incident_that_began_with_the_first() -> None:
    changes = feed(IncidentTracker(SETTINGS), [0.1, 1.5, 0.2, 2.0, 3.5])
    (opened,) = changes
    assert (opened.status, opened.version, opened.entity_id) == ("open", 1, "account-0")
    assert opened.opened_at == at(1)
    assert opened.detected_at == at(5) + 120_000
    assert opened.output_tokens == 4000
    assert opened.peak_score == pytest.approx(1 - math.exp(-3.5))
    assert opened.kind == "volume"
    assert "output tokens" in opened.summary
    assert "24" in opened.summary


def test_an_incident_escalates_is_told_now_and_then_and_closes_when_quiet() -> None:
    changes = feed(IncidentTracker(SETTINGS), [3.5, 3.6, 6.5, 9.0, 8.0, *[4.0] * 20, *[0.3] * 60])
    assert [change.version for change in changes] == list(range(1, len(changes) + 1))
    assert {change.incident_id for change in changes} == {changes[0].incident_id}
    severities = [change.severity for change in changes]
    assert severities[:3] == ["low", "high", "critical"]
    assert set(severities[3:]) == {"critical"}
    open_ones = changes[:-1]
    assert {change.status for change in open_ones} == {"open"}
    # Told when it escalates, and every six hours else.
    assert len(open_ones) == 3 + 20 // 6
    assert changes[-1].status == "closed"
    assert changes[-1].last_seen_at == at(25)
    assert changes[-1].closed_at == at(25) + 7_200_000
    assert changes[-1].output_tokens >= 25_000


def test_weak_evidence_keeps_an_incident_open_but_opens_none() -> None:
    tracker = IncidentTracker(SETTINGS)
    assert feed(tracker, [2.0] * 5) == []
    assert feed(tracker, [3.5], first_hour=5)[0].opened_at == at(0)
    assert all(change.status == "open" for change in feed(tracker, [1.2] * 12, first_hour=6))


def test_silence_closes_an_incident() -> None:
    tracker = IncidentTracker(SETTINGS)
    opened = feed(tracker, [4.0] * 3)
    assert opened[-1].status == "open"
    assert tracker.expire(at(3) + 7_199_000) == []
    (closed,) = tracker.expire(at(50))
    assert closed.status == "closed"
    assert closed.closed_at == at(3) + 7_200_000
    assert tracker.expire(at(100)) == []


def test_a_new_excursion_is_a_new_incident() -> None:
    tracker = IncidentTracker(SETTINGS)
    first = feed(tracker, [4.0] * 3)
    tracker.expire(at(500))
    second = feed(tracker, [4.0] * 3, first_hour=501)
    assert first[0].incident_id != second[0].incident_id
    assert (second[0].version, second[0].opened_at) == (1, at(501))


def test_too_few_calls_open_nothing() -> None:
    assert IncidentTracker(SETTINGS).follow(hours([9.0] * 10, calls=19)) == []


def test_hours_one_by_one_change_what_they_do_together() -> None:
    random = np.random.default_rng(3)
    evidence = (random.exponential(0.7, 900) * random.choice([1, 6], 900, p=[0.9, 0.1])).tolist()
    together = IncidentTracker(SETTINGS).follow(hours(evidence))
    assert {change.status for change in together} == {"open", "closed"}
    alone = IncidentTracker(SETTINGS)
    assert [change for hour, amount in enumerate(evidence) for change in feed(alone, [amount], hour)] == together


def test_a_tracker_put_back_goes_on_as_before() -> None:
    random = np.random.default_rng(4)
    evidence = (random.exponential(0.7, 3000) * random.choice([1, 6], 3000, p=[0.95, 0.05])).tolist()
    whole = feed(IncidentTracker(SETTINGS), evidence)
    tracker = IncidentTracker(SETTINGS)
    changes = []
    for begin in range(0, 3000, 250):
        changes += feed(tracker, evidence[begin : begin + 250], begin)
        saved, tracker = tracker.save(np.array([0])), IncidentTracker(SETTINGS)
        tracker.load(np.array([0]), saved)
    assert changes == whole


def test_the_budget_sets_how_much_evidence_opens_an_incident() -> None:
    # Peaks of ordinary days fall off by e per 0.5, so what one in 4,000 exceeds is 0.5 * ln(4000) = 4.1.
    peaks = np.random.default_rng(1).exponential(0.5, 4000).astype(np.float32)

    def open_at(budget: float, **limits: float) -> float:
        settings = IncidentSettings(alerts_per_1000_account_days=budget, open_at=1.5, **limits)
        threshold = Threshold(settings)
        threshold.add(peaks)
        return threshold.open_at

    assert open_at(0.25, open_at_most=9.0) == pytest.approx(4.1, abs=0.5)
    assert open_at(10.0, open_at_most=9.0) == pytest.approx(0.5 * math.log(100), abs=0.3)
    assert open_at(0.25, open_at_most=3.0) == 3.0
    assert open_at(500.0, open_at_most=3.0) == 1.5
    few = Threshold(IncidentSettings(open_at=1.5, open_at_most=9.0))
    few.add(peaks[:100])
    assert few.open_at == 9.0


def test_the_days_of_a_few_with_an_incident_hardly_move_the_threshold() -> None:
    ordinary = np.random.default_rng(2).exponential(0.5, (40, 30))

    def tracked(evidence: float) -> float:
        tracker = IncidentTracker(IncidentSettings(open_at=2.0, open_at_most=20.0, alerts_per_1000_account_days=1.0))
        for day in range(30):
            for slot in range(40):
                amount = evidence if slot == 0 else float(ordinary[slot, day])
                tracker.follow(hours([amount], 24 * day, slot=slot))
        return tracker.open_at

    assert tracked(25.0) == pytest.approx(tracked(0.0), abs=1.5)


def test_an_account_that_was_there_before_has_to_show_more_at_first() -> None:
    def opened(first_hour: int, evidence: float, *, new: bool) -> bool:
        tracker = IncidentTracker(IncidentSettings(open_at=2.0, open_at_most=3.0, unknown_past=4.0))
        tracker.follow(hours([0.1], slot=0 if not new else 1))
        return bool(tracker.follow(hours([evidence], first_hour)))

    assert not opened(60, 5.0, new=False)
    assert opened(60, 5.0, new=True)
    assert opened(60, 7.0, new=False)
    assert opened(60 + 14 * 24, 4.0, new=False)


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        ("output_tokens_a_day", "volume"),
        ("near_prompts_share", "diversity"),
        ("origin_shift", "novelty"),
        ("reasoning_tokens", "elicitation"),
        ("active_hours", "rhythm"),
        ("throttled_share", "errors"),
    ],
)
def test_kinds(feature: str, kind: str) -> None:
    assert kind_of([Reason(feature, 1, 0, 0.9), Reason("calls", 1, 0, 0.1)]) == kind


def test_a_story_tells_shares_as_shares_and_unknown_reasons_by_name() -> None:
    told = summarise("a", 1_234_567, [Reason("origin_shift", 0.87, 0.01, 0.6), Reason("errors_seen", 7.0, 1.0, 0.4)])
    assert told == (
        "a drew 1,234,567 output tokens: 87% of its output drawn from unusual networks; errors seen 7 where 1 was expected."
    )


def test_numbers_for_reading() -> None:
    assert [number(value) for value in (1234567.4, 12.34, 0.0421, 0)] == ["1,234,567", "12.3", "0.0421", "0"]
