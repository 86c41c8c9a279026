"""Scenarios: labelled streams of events that look like traffic of real clients, with accounts among them that extract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from replay.errors import ReplayError
from replay.scenarios import late_2024, mixed
from replay.scenarios.mix import Mix
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.simulation import Part, Simulation
from replay.truth import HONEST_KINDS

#: Midnight of 2024-12-01, UTC, in epoch milliseconds.
DECEMBER_2024 = 1_733_011_200_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """How a scenario is made (of accounts, span, seed, mix), and its kinds of extraction."""

    make: Callable[[int, Span, int, Mix], Iterator[Part]]
    kinds: tuple[str, ...]


SCENARIOS = {
    "late-2024": Scenario(late_2024.late_2024, late_2024.KINDS),
    "mixed": Scenario(mixed.mixed, mixed.KINDS),
}
_AS_IT_IS = Mix()


def parts(
    name: str,
    *,
    accounts: int,
    days: int,
    seed: int,
    start_ms: int = DECEMBER_2024,
    rate_scale: float = 1.0,
    mix: Mix = _AS_IT_IS,
) -> Iterator[Part]:
    """Make a scenario account by account; raises `ReplayError` at once for arguments that make no sense."""
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise ReplayError(f"there is no scenario {name!r}; there are: {', '.join(SCENARIOS)}")
    if accounts < 10 or not 1 <= days <= 400 or seed < 0 or not rate_scale > 0:
        raise ReplayError("a scenario needs 10 accounts or more, 1 to 400 days, a seed of 0 or more, a positive rate")
    mix.check(scenario.kinds, accounts)
    made = scenario.make(accounts, Span(start_ms // DAY_MS * DAY_MS, days, rate_scale), seed, mix)
    return (_told(part, name, mix) for part in made)


def generate(
    name: str,
    *,
    accounts: int,
    days: int,
    seed: int,
    start_ms: int = DECEMBER_2024,
    rate_scale: float = 1.0,
    mix: Mix = _AS_IT_IS,
) -> Simulation:
    """Make a scenario in memory; the same arguments give the same events. Raises `ReplayError` as `parts` does."""
    made = parts(name, accounts=accounts, days=days, seed=seed, start_ms=start_ms, rate_scale=rate_scale, mix=mix)
    simulation = Simulation([], [])
    for part in made:
        simulation.streams.extend(part.streams)
        simulation.labels.extend(part.labels)
    return simulation


def _told(part: Part, name: str, mix: Mix) -> Part:
    labels = [label for label in part.labels if mix.label_benign or label.kind not in HONEST_KINDS]
    return Part(part.streams, [replace(label, source=name) for label in labels])


__all__ = ["DECEMBER_2024", "SCENARIOS", "Mix", "Part", "Scenario", "Simulation", "generate", "parts"]
