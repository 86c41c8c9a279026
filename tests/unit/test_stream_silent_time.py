"""When a partition counts as silent, and what time it is in it."""

from pipeline.stream.silence import Silence

EVENT_MS = 1_733_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def at(silence: Silence, clock: Clock, now: float, offset: int = 5, *, at_end: bool = True) -> int | None:
    clock.now = now
    return silence.look(offset, EVENT_MS, at_end=at_end)


def test_time_goes_on_from_the_newest_event_once_the_silence_has_lasted() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    assert [at(silence, clock, now) for now in (0, 9, 10, 25)] == [None, None, EVENT_MS + 10_000, EVENT_MS + 25_000]
    assert silence.seconds == 25


def test_an_event_begins_it_anew() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    at(silence, clock, 0)
    assert at(silence, clock, 12, offset=6) is None
    assert at(silence, clock, 21, offset=6) is None
    assert at(silence, clock, 22, offset=6) == EVENT_MS + 10_000


def test_while_nobody_can_tell_no_time_passes() -> None:
    clock = Clock()
    silence = Silence(10, clock)
    at(silence, clock, 0)
    assert at(silence, clock, 20, at_end=False) is None
    assert silence.seconds == 0
    assert [at(silence, clock, now) for now in (30, 39, 40)] == [None, None, EVENT_MS + 10_000]


def test_zero_is_never() -> None:
    clock = Clock()
    silence = Silence(0, clock)
    assert [at(silence, clock, now) for now in (0, 1, 1e6)] == [None, None, None]
    assert silence.seconds == 1e6
