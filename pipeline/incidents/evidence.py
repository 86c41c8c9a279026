"""From the evidence of hours to what matters for incidents: excursions, and how rare a peak is among ordinary days.

Evidence is ln(1 + odds) of extraction. An excursion begins with the first hour whose evidence reaches `close_at` and ends when
none has for a day. How much evidence opens an incident follows from the alert budget: the largest evidence of each account and
day is remembered, and the tail of those peaks, taken as exponential beyond their upper tenth (peaks over threshold, Pickands
1975; streaming use as in Siffer et al. 2017), tells how much is exceeded as often as the budget allows. Days of accounts with an
incident count as well: without them a low threshold would hide what made it too low, and go on falling.

What an account that was there when the partition began has been doing for long is not known: what looks like extraction may
be its habit. It has to show `unknown_past` more, which wears off with the days that the partition has been watched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

from pipeline.settings import IncidentSettings

#: What is remembered of an account: its excursion's start, latest hour and output tokens, and the peak of the day it is in.
EVIDENCE = np.dtype(
    [
        ("since", np.int64),
        ("latest", np.int64),
        ("output_tokens", np.int64),
        ("day", np.int32),
        ("peak", np.float32),
        # 1 for an account that the partition has seen begin, -1 for one that was there before, 0 for one not heard of.
        ("origin", np.int8),
    ]
)
_DAY_MS = 86_400_000
_PAUSE_MS = _DAY_MS
#: Accounts that call within so long of a partition's first hour were there before; what is not known of them fades by a factor
#: of e in a week.
_BEFORE_MS = 2 * _DAY_MS
_FADES_MS = 7.0 * _DAY_MS
#: Why `accumulate` came back: nothing is left; time has passed the deadline, the row is not taken in yet; the row has been
#: taken in and opens an incident or adds to one; as many peaks have come as the threshold is good for.
DONE, OVERDUE, NOTABLE, PEAKS = 0, 1, 2, 3
#: How many times rarer than the budget allows evidence must be for a severity.
_SEVERITIES = ((math.log(100.0), "critical"), (math.log(20.0), "high"), (math.log(4.0), "medium"))

#: Peaks remembered, and how many make a tail; the threshold is computed anew after so many.
PEAKS_KEPT, _ENOUGH, _PEAKS_EACH = 4000, 200, 50
_UPPER = 0.1
#: The tail never falls faster than by a factor of e per this much evidence, or a few calm days would make it so.
_LEAST_SCALE = 0.25


@dataclass(slots=True)
class Threshold:
    """How much evidence opens an incident, by the budget and the tail of ordinary peaks."""

    settings: IncidentSettings
    peaks: NDArray[np.float32] = field(default_factory=lambda: np.zeros(PEAKS_KEPT, np.float32))
    seen: int = 0
    open_at: float = 0.0
    scale: float = 1.0
    shift: float = 0.0
    """Added to what the budget asks for, in nats: the settings' own and what verdicts say."""

    def __post_init__(self) -> None:
        self._update()

    def add(self, peaks: NDArray[np.float32]) -> None:
        """Remember peaks of account-days, and compute the threshold anew."""
        at = (self.seen + np.arange(peaks.size)) % PEAKS_KEPT
        self.peaks[at] = peaks
        self.seen += peaks.size
        self._update()

    def move(self, shift: float) -> None:
        """Ask for `shift` more than the budget does, or less where it is negative."""
        self.shift = shift
        self._update()

    def severity(self, evidence: float) -> str:
        """How much rarer the evidence is than what the budget allows."""
        beyond = (evidence - self.open_at) / self.scale
        return next((name for least, name in _SEVERITIES if beyond >= least), "low")

    def _update(self) -> None:
        least, most = self.settings.open_at, self.settings.open_at_most
        self.open_at, self.scale = min(max(most + self.shift, least), most), 1.0
        if self.seen < _ENOUGH:
            return
        # Sorted once: both quantiles are then at hand, and this is done for every few peaks.
        known = np.sort(self.peaks[: min(self.seen, PEAKS_KEPT)])
        upper = _quantile(known, 1.0 - _UPPER)
        tail = known[np.searchsorted(known, np.float32(upper), "right") :]
        # The median of an exponential is ln 2 of its mean, and does not mind a few that extract unseen.
        self.scale = max((_quantile(tail, 0.5) - upper) / math.log(2.0), _LEAST_SCALE) if tail.size else _LEAST_SCALE
        per_account_day = self.settings.alerts_per_1000_account_days / 1000.0
        wanted = upper + self.scale * math.log(_UPPER / per_account_day)
        self.open_at = min(max(wanted + self.shift, least), most)


def _quantile(ordered: NDArray[np.float32], share: float) -> float:
    # Linear between neighbours, as numpy.quantile.
    place = share * (ordered.size - 1)
    below = int(place)
    low, high = float(ordered[below]), float(ordered[min(below + 1, ordered.size - 1)])
    return low + (place - below) * (high - low)


@numba.njit(cache=True)
def accumulate(begin, hours, columns, has_incident, deadline, limits, began, peaks):  # type: ignore[no-untyped-def] # pragma: no cover
    """Take the hours from `begin` on in until one of them matters; returns its row, why it does, and how many peaks were found.

    `hours` are columns: slot, start, evidence, output tokens, calls of the account so far and the time of the event that closed
    it. `columns` are those of `EVIDENCE` (slots,), `peaks` has room for those of finished days. `limits` are
    `open_at`, `close_at`, `minimum_calls` and `unknown_past`; `began` is when the partition's first hour began.
    """
    slots, starts, evidence, tokens, calls, nows = hours
    since, latest, output_tokens, days, peak, origin = columns
    open_at, close_at, minimum_calls, unknown_past = limits
    found = 0
    for i in range(begin, slots.size):
        if nows[i] >= deadline:
            return i, OVERDUE, found
        if found == peaks.size:
            return i, PEAKS, found
        slot, start, amount = slots[i], starts[i], evidence[i]
        day = start // _DAY_MS
        if day != days[slot]:
            if days[slot] > 0:
                peaks[found] = peak[slot]
                found += 1
            days[slot], peak[slot] = day, 0.0
        if origin[slot] == 0:
            origin[slot] = -1 if start < began + _BEFORE_MS else 1
        unknown = unknown_past * math.exp(min(began - start, 0) / _FADES_MS) if origin[slot] < 0 else 0.0
        peak[slot] = max(peak[slot], amount)
        adds = amount >= close_at
        if latest[slot] == 0 or start - latest[slot] > _PAUSE_MS:
            since[slot], output_tokens[slot] = 0, 0
        if adds:
            if since[slot] == 0:
                since[slot] = start
            latest[slot] = start
        if since[slot] != 0:
            output_tokens[slot] += tokens[i]
        if adds and (has_incident[slot] or (amount - unknown >= open_at and calls[i] >= minimum_calls)):
            return i, NOTABLE, found
    return slots.size, DONE, found


def new_peaks() -> NDArray[np.float32]:
    """Room for the peaks that may come before the threshold is computed anew."""
    return np.zeros(_PEAKS_EACH, np.float32)
