import math

import numpy as np
import pytest

from pipeline.incidents.evidence import severity_of
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.story import kind_of, number
from pipeline.incidents.tracker import IncidentTracker, ScoredWindows
from pipeline.settings import IncidentSettings

SETTINGS = IncidentSettings(drift=3.0, open_at=12.0, close_at=2.0, quiet_s=7200, minimum_calls=20)
HOUR = 3_600_000
REASONS = (Reason("output_tokens", 90_000.0, 1200.0, 0.8), Reason("distinct_prompts", 400.0, 9.0, 0.2))


def windows(
    scores: list[float],
    first_hour: int = 0,
    *,
    slot: int = 0,
    calls: int = 100,
    window_s: int = 3600,
    tokens: int | list[int] = 1000,
) -> ScoredWindows:
    """One window after the other, each closed two minutes after its end."""
    count = len(scores)
    start = (first_hour + np.arange(count)) * HOUR
    return ScoredWindows(
        slot=np.full(count, slot),
        account_id=[f"account-{slot}"] * count,
        window_s=np.full(count, window_s),
        start=start,
        score=np.array(scores, np.float64),
        output_tokens=np.broadcast_to(np.array(tokens), count),
        account_calls=np.full(count, calls),
        closed_by=start + HOUR + 120_000,
        reasons=[REASONS] * count,
    )


def feed(tracker: IncidentTracker, scores: list[float], first_hour: int = 0) -> list[Incident]:
    return tracker.follow(windows(scores, first_hour))


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
    assert tracker.follow(windows([0.9999] * 10, calls=19)) == []
    assert tracker.follow(windows([0.9999] * 100, slot=1, window_s=60)) == []


def test_windows_one_by_one_change_what_they_do_together() -> None:
    random = np.random.default_rng(3)
    scores = [float(score) for score in 1 - random.exponential(0.002, 300) * random.choice([1, 500], 300)]
    scores = [min(max(score, 0.0), 0.9999) for score in scores]
    together = IncidentTracker(SETTINGS).follow(windows(scores))
    assert {change.status for change in together} == {"open", "closed"}
    alone = IncidentTracker(SETTINGS)
    assert [change for hour, score in enumerate(scores) for change in feed(alone, [score], hour)] == together


def test_evidence_is_the_page_sum_of_log_p_values() -> None:
    # A drop to zero begins a new excursion: the tokens and the start of an incident are those of its own windows.
    tracker = IncidentTracker(SETTINGS)
    opened = tracker.follow(windows([0.999, 0.0, 0.0, 0.999, 0.999, 0.999, 0.999], tokens=[5, 7, 1, 3, 10, 20, 40]))
    assert -math.log(0.001) - 3 == pytest.approx(3.9, abs=0.1)
    (only,) = [change for change in opened if change.version == 1]
    assert only.opened_at == 3 * HOUR
    assert only.output_tokens == 3 + 10 + 20 + 40
    # 3 windows give 11.7 nats, less than the 12 that open an incident; 4 give 15.6.
    assert only.detected_at == 7 * HOUR + 120_000
    assert opened[-1].severity == "low"


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
