"""When a message may go: so many an hour, and in quiet hours only what cannot wait. What waits is told together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.alerts.notice import Notice
from pipeline.settings import AlertTarget
from pipeline.settings.alerts import SEVERITIES

#: Notices that wait at most; of more only the number is told.
WAITING = 500
HOUR_S = 3600.0
#: From so many at once on they are told together: a flood of incidents is one piece of news.
TOGETHER_FROM = 6


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at once: one notice, or those that had to wait."""

    notices: tuple[Notice, ...]
    left_out: int = 0
    """Notices that are told by number only, since too many waited."""

    @property
    def id(self) -> str:
        """Stays the same when the message is sent again."""
        return self.notices[0].id if len(self.notices) == 1 else f"{self.notices[0].id}..{self.notices[-1].id}"


class Pace:
    """Holds notices until they may go. Times are epoch seconds, given by the caller; nothing here waits."""

    def __init__(self, target: AlertTarget, now: float) -> None:
        self._per_hour = target.per_hour
        self._tokens = float(target.per_hour)
        self._filled_at = now
        self._quiet = QuietHours.of(target)
        self._waiting: deque[Notice] = deque()
        self._left_out = 0
        self._held = False

    def add(self, notice: Notice) -> None:
        """Let a notice wait for its turn."""
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self._left_out += 1
        self._waiting.append(notice)

    @property
    def oldest(self) -> int | None:
        """The lowest offset among what waits; None when nothing does."""
        return min((one.offset for one in self._waiting), default=None)

    def due(self, now: float) -> Message | None:
        """The message that may go now, taken out; None when nothing waits or nothing may."""
        self._fill(now)
        quiet = self._quiet is not None and self._quiet.hold(now)
        chosen = [one for one in self._waiting if not quiet or self._quiet_lets_through(one)]
        if not chosen or self._tokens < 1:
            self._held = bool(self._waiting)
            return None
        if len(chosen) < min(TOGETHER_FROM, self._tokens + 1) and (quiet or not self._held):
            del chosen[1:]
        self._tokens -= 1
        for one in chosen:
            self._waiting.remove(one)
        left_out = 0
        if not quiet:
            left_out, self._left_out = self._left_out, 0
            self._held = self._held and bool(self._waiting)
        return Message(tuple(chosen), left_out)

    def again_at(self, now: float) -> float | None:
        """When to ask `due` again if no notice comes before; None when nothing waits."""
        if not self._waiting:
            return None
        after = now
        if self._tokens < 1:
            after = now + (1 - self._tokens) * HOUR_S / self._per_hour
        if self._quiet is not None and not any(map(self._quiet_lets_through, self._waiting)):
            after = max(after, self._quiet.end(now) if self._quiet.hold(now) else now)
        return after

    def _quiet_lets_through(self, notice: Notice) -> bool:
        return self._quiet is None or self._quiet.lets_through(notice)

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._filled_at) * self._per_hour / HOUR_S
        self._tokens = min(float(self._per_hour), self._tokens + gained)
        self._filled_at = max(now, self._filled_at)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A part of each day, in a time zone; it may go past midnight."""

    begin: time
    finish: time
    zone: ZoneInfo
    severity: int
    """Index of the least severity that is told all the same."""

    @classmethod
    def of(cls, target: AlertTarget) -> QuietHours | None:
        """The target's quiet hours; None when it has none."""
        if not target.quiet:
            return None
        begin, finish = (time.fromisoformat(part) for part in target.quiet.split("-"))
        if begin == finish:
            return None
        severities: Sequence[str] = SEVERITIES
        severity = len(severities) if target.quiet_severity == "none" else severities.index(target.quiet_severity)
        return cls(begin, finish, ZoneInfo(target.quiet_zone), severity)

    def hold(self, now: float) -> bool:
        """Whether it is quiet at `now`, epoch seconds."""
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone).time()
        if self.begin < self.finish:
            return self.begin <= local < self.finish
        return local >= self.begin or local < self.finish

    def end(self, now: float) -> float:
        """When the quiet hours under way end, epoch seconds."""
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone)
        day = local.date() if local.time() < self.finish else local.date() + timedelta(days=1)
        return datetime.combine(day, self.finish, self.zone).timestamp()

    def lets_through(self, notice: Notice) -> bool:
        """Whether a notice is told in quiet hours."""
        return SEVERITIES.index(notice.incident.severity) >= self.severity
