"""Late 2024: an ordinary December, and accounts that draw a model's output in four ways."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from replay.scenarios.extraction import heavy, ramp, stolen_key
from replay.scenarios.identity import Random
from replay.scenarios.pool import PoolPlan, pool
from replay.scenarios.population import Span, population
from replay.scenarios.simulation import Part


def late_2024(accounts: int, span: Span, seed: int) -> Iterator[Part]:
    """About `accounts` accounts; under 6% of them extract when there are 300, under 3% when there are 2,000.

    Each account draws from a random stream of its own, so that asking for more accounts does not change the others.
    """
    honest_seed, extracting_seed = np.random.SeedSequence([seed, 0x2024]).spawn(2)
    alone = max(1, round(accounts * 0.002)) + (1 if accounts >= 200 else 0)
    members = max(3, round(5 + accounts * 0.0115))
    honest = max(1, accounts - 3 * alone - members)
    yield from population(honest_seed.spawn(honest), span)
    # Enough seeds for any size: one for the pool, then three for each round of extractions.
    seeds = extracting_seed.spawn(1 + 3 * alone)
    yield from pool(PoolPlan(members), _random(seeds[0]), span)
    for index, seed_of_one in enumerate(seeds[1:]):
        yield (heavy, ramp, stolen_key)[index % 3](_random(seed_of_one), span)


def _random(seed: np.random.SeedSequence) -> Random:
    return np.random.Generator(np.random.PCG64(seed))
