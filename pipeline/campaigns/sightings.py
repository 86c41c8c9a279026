"""Which link values more than one account used lately: a compiled table, since most values belong to one account alone."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.event.hashing import mix
from pipeline.features.links import RECENT_HOURS

UInt64 = NDArray[np.uint64]
_SMALLEST = 1024
_KIND_SHIFT = np.uint64(56)

ENTRY = np.dtype([("key", np.uint64), ("account", np.uint64), ("hour", np.int64), ("shared", np.bool_)])


def keys_of(kind: NDArray[np.uint8], value: UInt64) -> UInt64:
    """One number for each kind and value; two of a million links are taken for one with a probability of 3e-8."""
    keys: UInt64 = _keys(kind, value)
    return keys


class Sightings:
    """The latest account and hour of each link, in a hash table with open addressing."""

    def __init__(self) -> None:
        self._table = np.zeros(_SMALLEST, ENTRY)
        self._used = 0

    def see(self, keys: UInt64, accounts: UInt64, hour: int) -> NDArray[np.bool_]:
        """Note that the accounts (R,) used the links in `hour`; which of the links several accounts used lately.

        Hours come in order; the order within an hour does not matter.
        """
        self._make_room(keys.size)
        self._used += int(_see(self._columns(), keys, accounts, hour))
        which: NDArray[np.bool_] = _which(self._columns(), keys)
        return which

    def forget(self, hour: int) -> None:
        """Drop links that nobody used lately; those still used by one account only count as such again."""
        kept = self._table[(self._table["key"] != 0) & (self._table["hour"] >= hour - RECENT_HOURS)]
        self._rebuild(kept, kept.size)

    def save(self) -> NDArray[np.void]:
        """All entries, in no order that means anything."""
        entries: NDArray[np.void] = self._table[self._table["key"] != 0]
        return entries

    def load(self, entries: NDArray[np.void]) -> None:
        """Put back what `save` gave."""
        self._rebuild(entries.astype(ENTRY), entries.size)

    def _columns(self) -> tuple[NDArray[np.generic], ...]:
        return tuple(self._table[name] for name in ENTRY.names or ())

    def _make_room(self, count: int) -> None:
        if 2 * (self._used + count) > self._table.size:
            entries = self.save()
            self._rebuild(entries, entries.size + count)

    def _rebuild(self, entries: NDArray[np.void], room: int) -> None:
        size = _SMALLEST
        while size < 2 * room:
            size *= 2
        self._table = np.zeros(size, ENTRY)
        _insert(self._columns(), *(entries[name] for name in ENTRY.names or ()))
        self._used = entries.size


@numba.njit(cache=True)
def _keys(kind, value):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    out = np.empty(value.size, np.uint64)
    for i in range(value.size):
        out[i] = mix(value[i] ^ mix((np.uint64(kind[i]) + np.uint64(1)) << _KIND_SHIFT)) | np.uint64(1)
    return out


@numba.njit(cache=True, inline="always")
def _place(table, key):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    mask = np.uint64(table.size - 1)
    place = (key >> np.uint64(1)) & mask
    while table[place] != 0 and table[place] != key:
        place = (place + np.uint64(1)) & mask
    return place


@numba.njit(cache=True)
def _see(columns, keys, accounts, hour):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    table, account, last, shared = columns
    added = 0
    for i in range(keys.size):
        place = _place(table, keys[i])
        if table[place] == 0:
            table[place] = keys[i]
            account[place] = accounts[i]
            added += 1
        else:
            if hour - last[place] > RECENT_HOURS:
                shared[place] = False
            elif account[place] != accounts[i]:
                shared[place] = True
            account[place] = accounts[i]
        last[place] = hour
    return added


@numba.njit(cache=True)
def _which(columns, keys):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    table, _, _, shared = columns
    out = np.empty(keys.size, np.bool_)
    for i in range(keys.size):
        out[i] = shared[_place(table, keys[i])]
    return out


@numba.njit(cache=True)
def _insert(columns, keys, accounts, hours, flags):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    table, account, last, shared = columns
    for i in range(keys.size):
        place = _place(table, keys[i])
        table[place], account[place], last[place], shared[place] = keys[i], accounts[i], hours[i], flags[i]
