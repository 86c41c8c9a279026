"""Event time: order up to the allowed lateness does not matter, and time that no event tells closes what is due."""

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine import SETTINGS, START, process, rows, traffic

from pipeline.engine import Engine
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch

LATENESS_MS = SETTINGS.allowed_lateness_s * 1000
HOUR_MS = 3_600_000


def batch(calls: list[ApiCall]) -> EventBatch:
    return EventBatch.from_calls(calls, range(len(calls)), 0)


def contents(table: list[object]) -> list[object]:
    """Windows without what the order of scoring decides: score and reasons."""
    return sorted(row[:-2] for row in table)  # type: ignore[index]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, LATENESS_MS), min_size=300, max_size=300))
def test_events_within_the_allowed_lateness_give_the_windows_of_their_order(seed: int, delays: list[int]) -> None:
    calls = traffic(seed, 300)
    in_order = sorted(calls, key=lambda call: call.ts)
    delayed = sorted(zip(in_order, delays, strict=True), key=lambda pair: pair[0].ts + pair[1])
    arrived = [call for call, _ in delayed]
    # What follows closes the same of both.
    end = [ApiCall(event_id="end", ts=in_order[-1].ts + 2 * 86_400_000, account_id="end")]
    expected, found = process(in_order + end, []), process(arrived + end, [])
    assert not any(row[4] for row in found["call_scores"])  # type: ignore[index]
    assert contents(found["account_windows"]) == contents(expected["account_windows"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 399), min_size=1, max_size=10))
def test_time_told_between_events_gives_the_windows_that_the_next_event_would_close(
    seed: int, places: list[int]
) -> None:
    calls = traffic(seed, 400)
    engine = Engine(SETTINGS, 0)
    verdicts = []
    for begin, end in itertools.pairwise([0, *sorted(set(places) - {0}), len(calls)]):
        verdicts.append(engine.process(batch(calls[begin:end])))
        newest = max(call.ts for call in calls[: end + 1])
        verdicts.append(engine.advance(newest - LATENESS_MS // 3))
        verdicts.append(engine.advance(newest))
    whole, found = process(calls, []), rows(verdicts)
    for table in ("call_scores", "account_windows", "duplicates"):
        assert found[table] == whole[table]


def test_silence_closes_windows_and_then_incidents() -> None:
    calls = traffic(11, 6000, accounts=30, days=12)[:4800]
    engine = Engine(SETTINGS, 0)
    before = engine.process(batch(calls))
    closed = {one.incident_id for one in before.incidents if one.status == "closed"}
    left = {one.incident_id for one in before.incidents} - closed
    assert left
    newest = max(call.ts for call in calls)
    advanced = [engine.advance(newest + step * HOUR_MS) for step in range(1, 80)]
    windows = [one.account_windows for one in advanced]
    days = {int(start) for one in windows for start in one.window_start[one.window_s == 86_400]}
    assert days == {newest // 86_400_000 * 86_400_000}
    assert {one.incident_id for each in advanced for one in each.incidents if one.status == "closed"} == left
    assert engine.watermark == (newest + 79 * HOUR_MS - LATENESS_MS) // 60_000 * 60_000
    # In one step it is the same, and nothing is left for a second one.
    at_once = Engine(SETTINGS, 0)
    at_once.process(batch(calls))
    one_step, steps = rows([at_once.advance(newest + 79 * HOUR_MS)]), rows(advanced)
    # Hours that are complete at once are told at once.
    assert one_step.pop("closed_hours")[-1][0] == steps.pop("closed_hours")[-1][0]  # type: ignore[index]
    assert one_step == steps
    assert not at_once.advance(newest + 79 * HOUR_MS).incidents


def test_what_comes_after_its_time_was_told_is_late_and_in_no_window() -> None:
    engine = Engine(SETTINGS, 0)
    call = ApiCall(event_id="1", ts=START, account_id="a")
    engine.process(batch([call]))
    engine.advance(START + HOUR_MS)
    late = engine.process(batch([msgspec.structs.replace(call, event_id="2", ts=START + 60_000)]))
    assert late.call_scores.late.tolist() == [True]
    hour = engine.advance(START + 90 * 60_000).account_windows
    assert (hour.window_s.tolist(), hour.calls.tolist()) == ([3600], [1])


def test_time_before_the_first_event_or_backwards_does_nothing() -> None:
    engine = Engine(SETTINGS, 0)
    assert not engine.advance(START).account_windows.account_id
    assert engine.watermark == -1
    engine.process(batch([ApiCall(event_id="1", ts=START, account_id="a")]))
    before = engine.watermark
    engine.advance(START - HOUR_MS)
    assert engine.watermark == before


def test_a_saved_engine_goes_on_from_the_time_it_was_told() -> None:
    calls = traffic(3, 900)
    first, second = Engine(SETTINGS, 0), Engine(SETTINGS, 0)
    first.process(batch(calls[:600]))
    states = [first.save(whole=True)]
    first.advance(calls[599].ts + 6 * HOUR_MS)
    states.append(first.save(whole=False))
    second.load(states)
    assert second.watermark == first.watermark
    assert rows([second.process(batch(calls[600:]))]) == rows([first.process(batch(calls[600:]))])


def test_a_clock_that_jumps_back_a_day_changes_no_window_of_others() -> None:
    steady = [ApiCall(event_id=f"s{n}", ts=START + 86_400_000 + n * 20_000, account_id="steady") for n in range(600)]
    jumping = [ApiCall(event_id=f"j{n}", ts=START + n * 20_000, account_id="jumping") for n in range(600)]
    mixed = [call for pair in zip(steady, jumping, strict=True) for call in pair]
    found = process(mixed, [])
    assert [row[4] for row in found["call_scores"] if row[0] == "jumping"] == [True] * 600  # type: ignore[index]
    of_steady = [row for row in found["account_windows"] if row[0] == "steady"]  # type: ignore[index]
    assert contents(of_steady) == contents(process(steady, [])["account_windows"])
    assert len(of_steady) == len(found["account_windows"])
