"""Evidence that accumulates over windows until it is an incident: a one-sided CUSUM of log p-values.

Each closed window adds ``-ln(p) - drift`` nats, p being the tail probability ``1 - score``, and the sum never falls below zero
(Page 1954, Continuous inspection schemes). An ordinary window adds 1 - drift on average, so sums fall back; windows that are
rare for the account add up. Each length of window has its own sum, and the largest counts, so that an hour is not
counted twice as an hour and as part of a day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.settings import IncidentSettings

#: The sum stops growing at this multiple of `open_at`, so that an incident can end.
_CEILING = 10.0
_SEVERITIES = ((8.0, "critical"), (4.0, "high"), (2.0, "medium"))


@dataclass(slots=True)
class Evidence:
    """The running sum of one account for one length of window."""

    nats: float = 0.0
    since: int = 0
    """Start of the first window of the present excursion from zero, epoch milliseconds."""
    output_tokens: int = 0
    """Drawn in the windows of the excursion."""

    def add(self, score: float, window_start: int, output_tokens: int, settings: IncidentSettings) -> bool:
        """Take a window's score in; true when it adds to the evidence."""
        step = -math.log(max(1.0 - score, 1e-12)) - settings.drift
        if self.nats == 0.0:
            self.since, self.output_tokens = window_start, 0
        self.nats = min(max(self.nats + step, 0.0), _CEILING * settings.open_at)
        if self.nats > 0.0:
            self.output_tokens += output_tokens
        return step > 0.0


def severity_of(nats: float, settings: IncidentSettings) -> str:
    """The severity of accumulated evidence, by how far it exceeds what opens an incident."""
    for factor, name in _SEVERITIES:
        if nats >= factor * settings.open_at:
            return name
    return "low"
