import math

import pytest

from pipeline.incidents.evidence import Evidence, severity_of
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, number
from pipeline.incidents.tracker import IncidentTracker, ScoredWindow
from pipeline.settings import IncidentSettings

SETTINGS = IncidentSettings(drift=3.0, open_at=12.0, close_at=2.0, quiet_s=7200, minimum_calls=20)
HOUR = 3_600_000
REASONS = (Reason("output_tokens", 90_000.0, 1200.0, 0.8), Reason("distinct_prompts", 400.0, 9.0, 0.2))


def window(hour: int, score: float, slot: int = 0, calls: int = 100, window_s: int = 3600) -> ScoredWindow:
    return ScoredWindow(slot, f"account-{slot}", window_s, hour * HOUR, score, 1000, calls)


def feed(tracker: IncidentTracker, scores: list[float], first_hour: int = 0) -> list[Incident]:
    changes = []
    for index, score in enumerate(scores):
        hour = first_hour + index
        now = (hour + 1) * HOUR + 120_000
        changes += tracker.expire(now)
        changed = tracker.window(window(hour, score), now, REASONS)
        if changed is not None:
            changes.append(changed)
    return changes


def test_ordinary_windows_open_nothing() -> None:
    assert feed(IncidentTracker(SETTINGS), [0.5, 0.9, 0.99, 0.2, 0.99, 0.7] * 20) == []


def test_rare_windows_add_up_to_an_incident() -> None:
    changes = feed(IncidentTracker(SETTINGS), [0.5, 0.999, 0.999, 0.999, 0.999])
    opened = changes[0]
    assert (opened.status, opened.version, opened.entity_id) == ("open", 1, "account-0")
    assert opened.opened_at == 1 * HOUR
    assert opened.detected_at == 5 * HOUR + 120_000
    assert opened.output_tokens == 4000
    assert opened.kind == "volume"
    assert "output tokens" in opened.summary


def test_an_incident_escalates_and_closes_with_hysteresis() -> None:
    changes = feed(IncidentTracker(SETTINGS), [0.9998] * 20 + [0.3] * 60)
    versions = [change.version for change in changes]
    assert versions == list(range(1, len(changes) + 1))
    assert {change.incident_id for change in changes} == {changes[0].incident_id}
    severities = [change.severity for change in changes]
    assert severities[0] == "low"
    assert severities[-1] in ("high", "critical")
    assert [change.status for change in changes[:-1]] == ["open"] * (len(changes) - 1)
    assert changes[-1].status == "closed"
    assert changes[-1].closed_at is not None
    assert changes[-1].closed_at > changes[-2].last_seen_at


def test_silence_closes_an_incident() -> None:
    tracker = IncidentTracker(SETTINGS)
    opened = feed(tracker, [0.9998] * 3)
    assert opened[-1].status == "open"
    last_seen = opened[-1].last_seen_at
    assert tracker.expire(last_seen + 7_199_000) == []
    (closed,) = tracker.expire(last_seen + 50 * HOUR)
    assert closed.status == "closed"
    assert closed.closed_at == last_seen + 7_200_000
    assert tracker.expire(last_seen + 100 * HOUR) == []


def test_a_new_excursion_is_a_new_incident() -> None:
    tracker = IncidentTracker(SETTINGS)
    first = feed(tracker, [0.9998] * 3)
    tracker.expire(500 * HOUR)
    second = feed(tracker, [0.9998] * 3, first_hour=501)
    assert first[0].incident_id != second[0].incident_id
    assert second[0].version == 1


def test_too_few_calls_or_other_windows_open_nothing() -> None:
    tracker = IncidentTracker(SETTINGS)
    for hour in range(10):
        assert tracker.window(window(hour, 0.9999, calls=19), hour * HOUR, REASONS) is None
    for minute in range(100):
        assert tracker.window(window(minute, 0.9999, slot=1, window_s=60), minute, REASONS) is None


def test_evidence_is_the_page_sum_of_log_p_values() -> None:
    evidence = Evidence()
    assert evidence.add(0.999, 10, 5, SETTINGS)
    assert evidence.nats == pytest.approx(-math.log(0.001) - 3)
    assert not evidence.add(0.0, 20, 7, SETTINGS)
    assert evidence.nats == pytest.approx(-math.log(0.001) - 6)
    assert (evidence.since, evidence.output_tokens) == (10, 12)
    evidence.add(0.0, 30, 1, SETTINGS)
    assert evidence.nats == 0
    evidence.add(0.999, 40, 3, SETTINGS)
    assert (evidence.since, evidence.output_tokens) == (40, 3)


def test_severities_grow_with_evidence() -> None:
    assert [severity_of(nats, SETTINGS) for nats in (12, 24, 48, 96)] == ["low", "medium", "high", "critical"]


@pytest.mark.parametrize(
    ("feature", "kind"),
    [
        ("output_tokens", "volume"),
        ("distinct_prompts", "diversity"),
        ("new_address", "novelty"),
        ("reasoning_tokens", "elicitation"),
        ("throttled_share", "errors"),
    ],
)
def test_kinds(feature: str, kind: str) -> None:
    assert kind_of([Reason(feature, 1, 0, 0.9), Reason("calls", 1, 0, 0.1)]) == kind


def test_numbers_for_reading() -> None:
    assert [number(value) for value in (1234567.4, 12.34, 0.0421, 0)] == ["1,234,567", "12.3", "0.0421", "0"]
