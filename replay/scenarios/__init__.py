"""Scenarios: labelled streams of events that look like traffic of real clients, with accounts among them that extract."""

from __future__ import annotations

from collections.abc import Callable

from replay.errors import ReplayError
from replay.scenarios.late_2024 import late_2024
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.simulation import Simulation

#: Midnight of 2024-12-01, UTC, in epoch milliseconds.
DECEMBER_2024 = 1_733_011_200_000

SCENARIOS: dict[str, Callable[[int, Span, int], Simulation]] = {"late-2024": late_2024}


def generate(
    name: str, *, accounts: int, days: int, seed: int, start_ms: int = DECEMBER_2024, rate_scale: float = 1.0
) -> Simulation:
    """Make a scenario; the same arguments give the same events. Raises `ReplayError` for arguments that make no sense."""
    make = SCENARIOS.get(name)
    if make is None:
        raise ReplayError(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    if accounts < 10 or not 1 <= days <= 400 or seed < 0 or rate_scale <= 0:
        raise ReplayError("a scenario needs 10 accounts or more, 1 to 400 days, a seed of 0 or more, a positive rate")
    return make(accounts, Span(start_ms // DAY_MS * DAY_MS, days, rate_scale), seed)


__all__ = ["DECEMBER_2024", "SCENARIOS", "Simulation", "generate"]
