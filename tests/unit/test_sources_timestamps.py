from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources import SourceError
from pipeline.sources.timestamps import parse_time, zone_named

MOMENT = 1_733_134_567_123


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        (MOMENT, MOMENT),
        (str(MOMENT), MOMENT),
        (1_733_134_567, 1_733_134_567_000),
        (1_733_134_567.123, MOMENT),
        ("1733134567.123", MOMENT),
        (MOMENT * 1000 + 999, MOMENT),
        (str(MOMENT * 1_000_000 + 999_999), MOMENT),
        ("2024-12-02T10:16:07.123Z", MOMENT),
        ("2024-12-02T11:16:07.123+01:00", MOMENT),
        ("2024-12-02 10:16:07.1239999", MOMENT),
        ("2024-12-02 10:16:07.123456789", MOMENT),
        ("02/Dec/2024:10:16:07 +0000", 1_733_134_567_000),
        ("[02/Dec/2024:05:16:07 -0500]", 1_733_134_567_000),
        ("2024-12-02", 1_733_097_600_000),
    ],
)
def test_times_are_epoch_milliseconds(text, milliseconds):
    assert parse_time(text, UTC) == milliseconds


def test_a_time_without_zone_is_in_the_zone_given():
    assert parse_time("2024-12-02 11:16:07.123", ZoneInfo("Europe/Berlin")) == MOMENT


@pytest.mark.parametrize(
    "text", ["", "soon", "2024-13-02 10:00:00", "99/Xyz/2024:10:00:00 +0000", "9" * 50, None, True, [1]]
)
def test_what_is_no_time_stays_for_the_event_to_reject(text):
    assert parse_time(text, UTC) == text


def test_infinite_numbers_are_no_times():
    assert not isinstance(parse_time(float("inf"), UTC), (int, float))


@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2100, 1, 1)))
def test_every_spelling_of_a_moment_agrees(moment):
    moment = moment.replace(tzinfo=UTC)
    milliseconds = parse_time(moment.isoformat(), UTC)
    assert parse_time(milliseconds, UTC) == milliseconds
    assert parse_time(moment.strftime("%Y-%m-%d %H:%M:%S.%f") + "0", UTC) == milliseconds
    assert parse_time(str(milliseconds * 1_000_000), UTC) == milliseconds


def test_an_unknown_zone_is_one_line():
    with pytest.raises(SourceError, match=r"^zone 'Atlantis' is not known: give an IANA name"):
        zone_named("Atlantis")
