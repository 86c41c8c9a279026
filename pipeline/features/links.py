"""What an account shares with others, hour by hour: the values by which campaigns are found.

A record per account holds the values it used lately, a few of each kind, and what it did in the hour that is open. An hour of
an account ends when its next event lies in a later one, or when the partition's watermark passes; it then becomes a row of
`AccountHours`, and each value used in it a row of `Links`. One event at a time in order, so any split of a stream into batches
gives the same rows. An event behind the account's hour counts in that hour: what matters is who used what, not to the minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.event.column_names import HASHED_FIELDS, NUMBER_FIELDS
from pipeline.event.columns import EventBatch
from pipeline.features.link_kinds import FAMILY, KIND_SLOTS, KINDS, NETWORK, PAYMENT, ROTATION, SIGNUP
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]

HOUR_MS = 3_600_000
#: Event hours for which a value counts as in use, and an account as active: two days, so that a daily rhythm shows twice.
RECENT_HOURS = 48
#: Calls with a family's band before it is told: a prompt sent once belongs to no family.
_FAMILY_HITS = 2
_BANDS = 4
_BAND_BITS = np.uint64(16)
_BAND_MASK = np.uint64(0xFFFF)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)
_LOW_32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_ONCE, _RECENT, _KEPT, _NEVER = np.int64(1), np.int64(1 << 32), np.int64(1 << 33), np.int64(1 << 62)
_FIRST = np.concatenate([[0], np.cumsum(KIND_SLOTS)]).astype(np.int64)
SLOTS = int(_FIRST[-1])
_SYSTEM, _KEY, _AGENT, _PAYMENT, _ORG = (
    HASHED_FIELDS.index(name) for name in ("system_prompt_hash", "api_key_id", "user_agent", "payment_id", "org_id")
)
_TOKENS, _ASN, _SIGNUP = (NUMBER_FIELDS.index(name) for name in ("output_tokens", "asn", "signup_ts"))
_KEY_KIND = KINDS.index("api_key")
_SYSTEM_KIND = KINDS.index("system_prompt")
_PREFIX_KIND = KINDS.index("address_prefix")
#: In `_clock`; the last two are the first and the last slot of the list of those with an open hour, in the order of opening.
_NEWEST_TS, _OPEN_FROM, _HEAD, _TAIL = 0, 1, 2, 3
#: Hours for which accounts are counted by their last hour with a call; more than may be open or recent at once.
_COUNTED_HOURS = 64
#: Rows of links, account-hours and closed hours that one call of the compiled loop has room for.
_ROOM = 1 << 16
_HOUR_COLUMNS, _CLOSED_COLUMNS = 6, 2

RECORD = np.dtype(
    [
        # The hour that is open, -1 where none is; the last hour with a call; the first.
        ("hour", np.int64),
        ("last", np.int64),
        ("first", np.int64),
        # calls, output tokens, calls of a known family, sign-up time in ms
        ("sums", np.int64, 4),
        # organisation, payment, minutes with calls, last key
        ("marks", np.uint64, 4),
        ("value", np.uint64, SLOTS),
        ("used", np.int32, SLOTS),
        ("hits", np.int32, SLOTS),
        ("hits_now", np.int32, SLOTS),
        # The next slot of the list of those with an open hour, -1 at its end.
        ("next", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class AccountHours:
    """M hours in which accounts called. Shapes (M,)."""

    slot: Int64
    hour: Int64
    """Hours since the epoch."""
    calls: Int64
    output_tokens: Int64
    templated: Int64
    """Calls whose prompt belongs to a family that the account had used before."""
    first_hour: Int64
    """Hour of the account's first call, or of its sign-up where that is known and earlier."""
    org: UInt64
    payment: UInt64
    minutes: UInt64
    """Bit m is set when there was a call in minute m."""


@dataclass(frozen=True, slots=True)
class Links:
    """R values used by accounts in hours: row of `AccountHours`, kind (index into `KINDS`), value. Shapes (R,)."""

    of: Int64
    kind: NDArray[np.uint8]
    value: UInt64


@dataclass(frozen=True, slots=True)
class ClosedHours:
    """Hours that the watermark passed: those before `until` are complete; `active` accounts were seen lately. Shapes (C,)."""

    until: Int64
    active: Int64


class LinkAccumulator:
    """The link values of the accounts of one partition."""

    def __init__(self, allowed_lateness_s: int) -> None:
        self._lateness_ms = allowed_lateness_s * 1000
        self._records = _empty(64)
        self._clock = np.array([-1, -1, -1, -1], np.int64)
        # Accounts by their last hour with a call, at ``hour % _COUNTED_HOURS``: the hour and their number. They count whether
        # or not their records are in memory.
        self._last_seen = np.full((_COUNTED_HOURS, 2), -1, np.int64)

    def follow(
        self, batch: EventBatch, slots: Int64, duplicates: NDArray[np.bool_], accounts: int
    ) -> tuple[AccountHours, Links, ClosedHours]:
        """Take a batch in; the account-hours that ended with it. `accounts` is the number of slots given out."""
        self._make_room(accounts)
        records, begin = _fields(self._records), 0

        def step(out: tuple[Any, ...]) -> bool:
            nonlocal begin
            begin = _follow(
                begin,
                slots,
                batch.ts,
                batch.numbers,
                batch.hashes,
                batch.simhash,
                batch.network,
                duplicates,
                self._lateness_ms,
                self._clock,
                self._last_seen,
                records,
                out,
            )
            return bool(begin >= len(batch))

        return _gathered(step)

    def advance(self, to_ms: int, accounts: int) -> tuple[AccountHours, Links, ClosedHours]:
        """Event time has come to `to_ms` though no event says so: the account-hours that end by that."""
        until = max((to_ms - self._lateness_ms) // HOUR_MS, 0)
        self._make_room(accounts)
        records = _fields(self._records)
        if self._clock[_NEWEST_TS] < 0 or until <= self._clock[_OPEN_FROM]:
            return _gathered(lambda out: True)
        return _gathered(lambda out: bool(_close(until, self._clock, self._last_seen, records, out)))

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots` and of the partition."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        return Saved(self._records[slots], {"clock": self._clock.copy(), "last_seen": self._last_seen.copy()})

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put back what `save` gave. Raises `StateError` when records looked otherwise then."""
        if saved.rows is None or saved.rows.dtype != RECORD:
            raise StateError("the links of accounts were laid out otherwise")
        self.restore(slots, saved.rows)
        self._clock[:] = saved.shared["clock"]
        self._last_seen[:] = saved.shared["last_seen"]

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the records of some accounts back, none of which has an open hour."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        self._records[slots] = rows

    def quiet(self, slots: Int64) -> NDArray[np.bool_]:
        """Which of `slots` have no open hour."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        closed: NDArray[np.bool_] = self._records["hour"][slots] < 0
        return closed

    def _make_room(self, accounts: int) -> None:
        old = self._records.size
        if accounts > old:
            grown = _empty(max(accounts, old + old // 2))
            grown[:old] = self._records
            self._records = grown


def _empty(count: int) -> NDArray[np.void]:
    records = np.zeros(count, RECORD)
    for name in ("hour", "last", "first", "next"):
        records[name] = -1
    return records


def _gathered(step: Callable[[tuple[Any, ...]], bool]) -> tuple[AccountHours, Links, ClosedHours]:
    # Runs `step` with room for rows, and with more room until it is done.
    parts: list[tuple[Any, ...]] = []
    before, done = 0, False
    while not done:
        hours, marks = np.empty((_ROOM, _HOUR_COLUMNS), np.int64), np.empty((_ROOM, 3), np.uint64)
        links, values = np.empty((_ROOM, 2), np.int64), np.empty(_ROOM, np.uint64)
        closed, filled = np.empty((_ROOM, _CLOSED_COLUMNS), np.int64), np.zeros(3, np.int64)
        done = step((hours, marks, links, values, closed, filled))
        m, r, c = filled.tolist()
        links[:r, 0] += before
        before += m
        parts.append((hours[:m], marks[:m], links[:r], values[:r], closed[:c]))
    hours, marks, links, values, closed = (np.concatenate(one) for one in zip(*parts, strict=True))
    return (
        _account_hours(hours, marks),
        Links(links[:, 0].copy(), links[:, 1].astype(np.uint8), values),
        ClosedHours(closed[:, 0].copy(), closed[:, 1].copy()),
    )


def _account_hours(hours: Int64, marks: UInt64) -> AccountHours:
    slot, hour, calls, output_tokens, templated, first_hour = hours.T.copy()
    return AccountHours(slot, hour, calls, output_tokens, templated, first_hour, *marks.T.copy())


def _fields(records: NDArray[np.void]) -> tuple[NDArray[Any], ...]:
    return tuple(records[name] for name in RECORD.names or ())


@numba.njit(cache=True, inline="always")
def _note(slot, kind, value, record):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # The value's place among the account's latest of its kind; the least used of those longest unused makes room for a new one.
    hour, _, _, _, _, values, used, hits, hits_now, _ = record
    now = hour[slot]
    worst = _FIRST[kind]
    worst_rank = _NEVER
    for k in range(_FIRST[kind], _FIRST[kind + 1]):
        if hits[slot, k] > 0 and values[slot, k] == value:
            used[slot, k] = now
            hits[slot, k] += 1
            hits_now[slot, k] += 1
            return k
        # Free places first, then what was not used lately, then the least used; what the open hour will tell of last.
        rank = np.int64(hits[slot, k])
        if rank > 0 and now - used[slot, k] > RECENT_HOURS:
            rank = _ONCE
        elif rank >= _FAMILY_HITS and used[slot, k] == now:
            rank += _KEPT
        elif rank > 0:
            rank += _RECENT
        if rank < worst_rank:
            worst, worst_rank = k, rank
    values[slot, worst] = value
    used[slot, worst] = now
    hits[slot, worst] = 1
    hits_now[slot, worst] = 1
    return worst


@numba.njit(cache=True)
def _tell(slot, record, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # The account's open hour becomes rows; False when there is no room for them.
    hour, _, first, sums, marks, values, _, hits, hits_now, _ = record
    hours, out_marks, links, out_values, _, filled = out
    m, r = filled[0], filled[1]
    if m == hours.shape[0] or r + SLOTS + 2 > links.shape[0]:
        return False
    now = hour[slot]
    since = first[slot]
    signup = sums[slot, 3] // HOUR_MS
    if signup > 0 and signup < since:
        since = signup
    hours[m, 0], hours[m, 1], hours[m, 2], hours[m, 3] = slot, now, sums[slot, 0], sums[slot, 1]
    hours[m, 4], hours[m, 5] = sums[slot, 2], since
    for column in range(3):
        out_marks[m, column] = marks[slot, column]
    for kind in range(len(KIND_SLOTS)):
        for k in range(_FIRST[kind], _FIRST[kind + 1]):
            if hits_now[slot, k] > 0 and (kind != FAMILY or hits[slot, k] >= _FAMILY_HITS):
                links[r, 0], links[r, 1], out_values[r] = m, kind, values[slot, k]
                r += 1
            hits_now[slot, k] = 0
    if signup > 0:
        links[r, 0], links[r, 1], out_values[r] = m, SIGNUP, np.uint64(signup)
        r += 1
    filled[0], filled[1] = m + 1, r
    hour[slot] = -1
    sums[slot, :3] = 0
    marks[slot, 2] = _ZERO
    return True


@numba.njit(cache=True, inline="always")
def _seen(last_seen, before, now):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # An account whose last hour with a call was `before` (-1 for none) has called in the hour `now`.
    if before == now:
        return
    if before >= 0 and last_seen[before % _COUNTED_HOURS, 0] == before:
        last_seen[before % _COUNTED_HOURS, 1] -= 1
    place = now % _COUNTED_HOURS
    if last_seen[place, 0] < now:
        last_seen[place, 0], last_seen[place, 1] = now, 0
    last_seen[place, 1] += 1


@numba.njit(cache=True)
def _close(until, clock, last_seen, record, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # Tell all hours before `until`, in the order of opening; False when there is no room (call again).
    hour, following = record[0], record[9]
    closed, filled = out[4], out[5]
    if filled[2] == closed.shape[0]:
        return False
    before, slot = np.int64(-1), clock[_HEAD]
    while slot >= 0:
        after = following[slot]
        if hour[slot] < until:
            if not _tell(slot, record, out):
                return False
            if before < 0:
                clock[_HEAD] = after
            else:
                following[before] = after
            following[slot] = -1
            if clock[_TAIL] == slot:
                clock[_TAIL] = before
        else:
            before = slot
        slot = after
    active = 0
    for place in range(_COUNTED_HOURS):
        if last_seen[place, 0] >= 0 and last_seen[place, 0] >= until - RECENT_HOURS:
            active += last_seen[place, 1]
    closed[filled[2], 0], closed[filled[2], 1] = until, active
    filled[2] += 1
    clock[_OPEN_FROM] = until
    return True


@numba.njit(cache=True)
def _follow(  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    begin, slots, ts, numbers, hashes, simhash, network, skip, lateness, clock, last_seen, record, out
):
    # Apply the events from `begin` on; returns the event to go on with, the number of events when all are done.
    hour, last, first, sums, marks, _, _, hits, _, following = record
    for i in range(begin, slots.size):
        if skip[i]:
            continue
        slot = slots[i]
        now = ts[i]
        if now > clock[_NEWEST_TS]:
            until = max((now - lateness) // HOUR_MS, 0)
            if until > clock[_OPEN_FROM] and not _close(until, clock, last_seen, record, out):
                return i
            clock[_NEWEST_TS] = now
        at = now // HOUR_MS
        if at < clock[_OPEN_FROM]:
            continue
        listed = hour[slot] >= 0
        if listed and at > hour[slot] and not _tell(slot, record, out):
            return i
        if hour[slot] < 0:
            hour[slot] = at
            if first[slot] < 0:
                first[slot] = at
            # One that tells its hour by an event of a later one keeps its place in the list.
            if not listed:
                if clock[_TAIL] < 0:
                    clock[_HEAD] = slot
                else:
                    following[clock[_TAIL]] = slot
                clock[_TAIL] = slot
        at = hour[slot]
        _seen(last_seen, last[slot], at)
        last[slot] = at
        sums[slot, 0] += 1
        sums[slot, 1] += np.int64(numbers[i, _TOKENS])
        sums[slot, 3] = np.int64(numbers[i, _SIGNUP])
        marks[slot, 0] = hashes[i, _ORG]
        marks[slot, 1] = hashes[i, _PAYMENT]
        marks[slot, 2] |= _ONE << np.uint64(now // 60_000 % 60)
        if hashes[i, _SYSTEM] != 0:
            _note(slot, _SYSTEM_KIND, hashes[i, _SYSTEM], record)
        if hashes[i, _PAYMENT] != 0:
            _note(slot, PAYMENT, hashes[i, _PAYMENT], record)
        if network[i] != 0:
            _note(slot, _PREFIX_KIND, network[i], record)
        if numbers[i, _ASN] > 0 and hashes[i, _AGENT] != 0:
            _note(slot, NETWORK, (np.uint64(numbers[i, _ASN]) << _32) | (hashes[i, _AGENT] & _LOW_32), record)
        key = hashes[i, _KEY]
        if key != 0:
            place = _note(slot, _KEY_KIND, key, record)
            if marks[slot, 3] != 0 and marks[slot, 3] != key and hits[slot, place] == 1:
                _note(slot, ROTATION, np.uint64(at), record)
            marks[slot, 3] = key
        if simhash[i] != 0:
            known = False
            for band in range(_BANDS):
                bits = (simhash[i] >> (np.uint64(band) * _BAND_BITS)) & _BAND_MASK
                place = _note(slot, FAMILY, (np.uint64(band) << _32) | bits, record)
                known = known or hits[slot, place] >= _FAMILY_HITS
            if known:
                sums[slot, 2] += 1
    return slots.size
