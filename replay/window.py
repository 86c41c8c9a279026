"""A window of event time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from replay.errors import ReplayError

#: The year 2283, near which ClickHouse's DateTime64 in milliseconds may end.
_END_MS = 9_877_000_000_000


@dataclass(frozen=True, slots=True)
class Window:
    """From `from_ms` to `to_ms` (exclusive), epoch milliseconds; None where it is open."""

    from_ms: int | None = None
    to_ms: int | None = None

    def __contains__(self, ts: int) -> bool:
        return (self.from_ms is None or ts >= self.from_ms) and (self.to_ms is None or ts < self.to_ms)

    def __str__(self) -> str:
        return "..".join("" if end is None else _text(end) for end in (self.from_ms, self.to_ms))

    @property
    def bounds(self) -> dict[str, int]:
        """Both ends as parameters of a query; where the window is open, the ends of ClickHouse's time."""
        return {
            "from_ms": 0 if self.from_ms is None else max(self.from_ms, 0),
            "to_ms": _END_MS if self.to_ms is None else min(self.to_ms, _END_MS),
        }


def window_of(start: str | None, end: str | None) -> Window:
    """The window between two times as people write them. Raises `ReplayError` when it is none or empty."""
    window = Window(_milliseconds(start, "--from"), _milliseconds(end, "--to"))
    if window.from_ms is not None and window.to_ms is not None and window.from_ms >= window.to_ms:
        raise ReplayError(f"--from {start} is not before --to {end}: the window is empty")
    return window


def window_between(text: str, option: str) -> Window:
    """The window that ``FROM..TO`` names. Raises `ReplayError`, one line."""
    start, dots, end = text.partition("..")
    if not dots or not start or not end:
        raise ReplayError(f"{option} {text!r}: write FROM..TO, as 2024-12-01..2024-12-15")
    try:
        return window_of(start, end)
    except ReplayError as error:
        raise ReplayError(f"{option} {text}: {error}") from None


def moment(text: str) -> int:
    """Epoch milliseconds of RFC 3339, or of a date (its start); UTC where no zone is given. Raises `ValueError`."""
    parsed = datetime.fromisoformat(text)
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def _milliseconds(text: str | None, option: str) -> int | None:
    if text is None:
        return None
    try:
        return moment(text)
    except ValueError:
        raise ReplayError(f"{option} {text!r} is not a time: write 2024-12-01 or 2024-12-01T08:00:00Z") from None


def _text(milliseconds: int) -> str:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.date().isoformat() if milliseconds % 86_400_000 == 0 else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(window: Window) -> str:
    """The window in words."""
    begin, end = ("" if ms is None else utc(ms) for ms in (window.from_ms, window.to_ms))
    return f"the window from {begin or 'the beginning'} to {end or 'the end'}"


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def duration_ms(text: str, option: str) -> int:
    """Milliseconds of `90m`, `36h`, `14d`. Raises `ReplayError`."""
    number, unit = text[:-1], text[-1:]
    try:
        found = round(float(number) * _UNITS[unit] * 1000)
    except (ValueError, KeyError, OverflowError):
        found = -1
    if found < 0:
        raise ReplayError(f"{option} {text!r} is not a length of time: write 90m, 36h or 14d")
    return found


def utc(ms: int) -> str:
    """A time in epoch milliseconds as people read it."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
