"""Scenarios: labelled streams of events that look like traffic of real clients, with accounts among them that extract."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from replay.errors import ReplayError
from replay.scenarios.late_2024 import late_2024
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.simulation import Part, Simulation

#: Midnight of 2024-12-01, UTC, in epoch milliseconds.
DECEMBER_2024 = 1_733_011_200_000

SCENARIOS: dict[str, Callable[[int, Span, int], Iterator[Part]]] = {"late-2024": late_2024}


def parts(
    name: str, *, accounts: int, days: int, seed: int, start_ms: int = DECEMBER_2024, rate_scale: float = 1.0
) -> Iterator[Part]:
    """Make a scenario account by account; raises `ReplayError` at once for arguments that make no sense."""
    make = SCENARIOS.get(name)
    if make is None:
        raise ReplayError(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    if accounts < 10 or not 1 <= days <= 400 or seed < 0 or rate_scale <= 0:
        raise ReplayError("a scenario needs 10 accounts or more, 1 to 400 days, a seed of 0 or more, a positive rate")
    made = make(accounts, Span(start_ms // DAY_MS * DAY_MS, days, rate_scale), seed)
    return (Part(one.streams, [replace(label, source=name) for label in one.labels]) for one in made)


def generate(
    name: str, *, accounts: int, days: int, seed: int, start_ms: int = DECEMBER_2024, rate_scale: float = 1.0
) -> Simulation:
    """Make a scenario in memory; the same arguments give the same events. Raises `ReplayError` as `parts` does."""
    found = list(parts(name, accounts=accounts, days=days, seed=seed, start_ms=start_ms, rate_scale=rate_scale))
    return Simulation(
        [stream for one in found for stream in one.streams], [label for one in found for label in one.labels]
    )


__all__ = ["DECEMBER_2024", "SCENARIOS", "Part", "Simulation", "generate", "parts"]
