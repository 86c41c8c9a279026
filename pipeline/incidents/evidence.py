"""Evidence that accumulates over windows until it is an incident: a one-sided CUSUM of log p-values.

Each closed window adds ``-ln(p) - drift`` nats, p being the tail probability ``1 - score``, and the sum never falls below zero
(Page 1954, Continuous inspection schemes). An ordinary window adds 1 - drift on average, so sums fall back; windows that are
rare for the account add up. Each length of window has its own sum, and the largest counts, so that an hour is not
counted twice as an hour and as part of a day.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from pipeline.settings import IncidentSettings

#: The sum stops growing at this multiple of `open_at`, so that an incident can end.
_CEILING = 10.0
_SEVERITIES = ((8.0, "critical"), (4.0, "high"), (2.0, "medium"))
_SMALLEST_P = 1e-12

#: The running sum of one account for one length of window. `since` is the start of the first window of the present excursion
#: from zero in epoch milliseconds, `output_tokens` what was drawn in the windows of the excursion.
EVIDENCE = np.dtype([("nats", np.float64), ("since", np.int64), ("output_tokens", np.int64)])

#: Why `accumulate` came back: nothing is left; time has passed the deadline, the row is not taken in yet; the row has been
#: taken in and opens, changes or closes an incident.
DONE, OVERDUE, NOTABLE = 0, 1, 2


def severity_of(nats: float, settings: IncidentSettings) -> str:
    """The severity of accumulated evidence, by how far it exceeds what opens an incident."""
    for factor, name in _SEVERITIES:
        if nats >= factor * settings.open_at:
            return name
    return "low"


@numba.njit(cache=True)
def accumulate(begin, windows, evidence, has_incident, deadline, drift, open_at, minimum_calls):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Take the windows from `begin` on in until one of them matters; returns its row, why it does, and whether it added.

    `windows` are columns: slot, the length's place in the sums, start, score, output tokens, calls of the account so far and
    the time of the event that closed it. `evidence` are `EVIDENCE`'s columns (slots, lengths), `has_incident` (slots,).
    """
    slots, kinds, starts, scores, tokens, calls, nows = windows
    nats, since, output_tokens = evidence
    for i in range(begin, slots.size):
        if nows[i] >= deadline:
            return i, OVERDUE, False
        slot, kind = slots[i], kinds[i]
        step = -math.log(max(1.0 - scores[i], _SMALLEST_P)) - drift
        if nats[slot, kind] == 0.0:
            since[slot, kind] = starts[i]
            output_tokens[slot, kind] = 0
        total = min(max(nats[slot, kind] + step, 0.0), _CEILING * open_at)
        nats[slot, kind] = total
        if total > 0.0:
            output_tokens[slot, kind] += tokens[i]
        opens = step > 0.0 and total >= open_at and calls[i] >= minimum_calls
        if has_incident[slot] or opens:
            return i, NOTABLE, step > 0.0
    return slots.size, DONE, False
