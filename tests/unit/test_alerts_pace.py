"""When messages go: so many an hour, quiet hours, and what waited in one message."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.alerts.follow import sample
from pipeline.alerts.notice import Notice
from pipeline.alerts.pace import WAITING, Pace
from pipeline.settings import AlertTarget

TARGET = AlertTarget(name="t", kind="webhook", address="https://example.org/", per_hour=2)
NOON = datetime(2024, 12, 2, 12, 0, tzinfo=UTC).timestamp()


def notice(number: int, severity: str = "medium") -> Notice:
    incident = replace(sample(severity).incident, incident_id=f"i-{number}")
    return Notice(f"i-{number}.1", "opened", incident, number)


def numbers(pace: Pace, now: float) -> list[list[int]]:
    sent = []
    while (message := pace.due(now)) is not None:
        sent.append([one.offset for one in message.notices])
    return sent


def test_what_is_beyond_the_rate_waits_and_is_told_together():
    pace = Pace(TARGET, NOON)
    for number in range(2):
        pace.add(notice(number))
    assert numbers(pace, NOON) == [[0], [1]]
    for number in range(2, 5):
        pace.add(notice(number))
    assert numbers(pace, NOON + 60) == []
    assert pace.again_at(NOON + 60) == pytest.approx(NOON + 1800)
    assert numbers(pace, NOON + 1800) == [[2, 3, 4]]
    assert pace.again_at(NOON + 1800) is None


def test_a_flood_is_one_message():
    pace = Pace(replace(TARGET, per_hour=60), NOON)
    for number in range(40):
        pace.add(notice(number))
    assert numbers(pace, NOON) == [list(range(40))]


def test_of_more_than_can_wait_the_oldest_are_told_by_number():
    pace = Pace(TARGET, NOON)
    for number in range(WAITING + 7):
        pace.add(notice(number))
    message = pace.due(NOON)
    assert message is not None
    assert (len(message.notices), message.left_out, message.notices[0].offset) == (WAITING, 7, 7)


@pytest.mark.parametrize(
    ("zone", "moment", "quiet"),
    [
        ("UTC", "2024-12-02T21:59", False),
        ("UTC", "2024-12-02T22:00", True),
        ("UTC", "2024-12-03T06:59", True),
        ("UTC", "2024-12-03T07:00", False),
        ("Europe/Berlin", "2024-12-02T21:00", True),
        ("Europe/Berlin", "2024-12-03T06:00", False),
        ("America/New_York", "2024-12-02T21:59", False),
    ],
)
def test_quiet_hours_go_past_midnight_in_their_zone(zone, moment, quiet):
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    pace = Pace(replace(TARGET, quiet="22:00-07:00", quiet_zone=zone), now)
    pace.add(notice(1))
    assert (pace.due(now) is None) == quiet


def test_in_quiet_hours_the_critical_goes_and_the_rest_waits_until_they_end():
    evening = datetime(2024, 12, 2, 23, 0, tzinfo=UTC).timestamp()
    morning = datetime(2024, 12, 3, 7, 0, tzinfo=UTC).timestamp()
    pace = Pace(replace(TARGET, quiet="22:00-07:00", per_hour=60), evening)
    for number, severity in enumerate(("medium", "critical", "high")):
        pace.add(notice(number, severity))
    assert numbers(pace, evening) == [[1]]
    assert pace.oldest == 0
    assert pace.again_at(evening) == morning
    assert numbers(pace, morning) == [[0, 2]]


@given(
    st.lists(st.tuples(st.floats(0, 7200), st.integers(0, 12)), max_size=30),
    st.integers(1, 30),
    st.sampled_from(["", "22:00-07:00", "09:00-17:30"]),
)
def test_nothing_is_lost_or_doubled_and_the_rate_holds(steps, per_hour, quiet):
    pace = Pace(replace(TARGET, per_hour=per_hour, quiet=quiet), NOON)
    now, count, sent, messages = NOON, 0, [], []
    for wait, fresh in steps:
        now += wait
        for _ in range(fresh):
            pace.add(notice(count))
            count += 1
        here = numbers(pace, now)
        messages.extend([now] * len(here))
        sent.extend(one for message in here for one in message)
    while (again := pace.again_at(now)) is not None:
        now = max(again, now) + 0.001
        sent.extend(one for message in numbers(pace, now) for one in message)
    assert sent == list(range(count))
    for begin in messages:
        # A bucket of tokens lets at most its content and what flows in within the hour through.
        assert sum(begin <= one < begin + 3600 for one in messages) <= 2 * per_hour
