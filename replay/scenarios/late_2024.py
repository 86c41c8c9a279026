"""Late 2024: an ordinary December, and accounts that draw a model's output in four ways."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np

from replay.scenarios.bystanders import bystanders
from replay.scenarios.extraction import heavy, ramp, stolen_key
from replay.scenarios.identity import Random
from replay.scenarios.market import new_market
from replay.scenarios.mix import Mix, Shares, shares, source
from replay.scenarios.pool import PoolPlan, pool
from replay.scenarios.population import Span, population
from replay.scenarios.simulation import Part

_SCENARIO = 0x2024
_MARKET, _ALIKE = range(2)

ALONE = {"heavy": heavy, "ramp": ramp, "stolen_key": stolen_key}
KINDS = (*ALONE, "pool")


def late_2024(accounts: int, span: Span, seed: int, mix: Mix) -> Iterator[Part]:
    """About `accounts` accounts; under 6% of them extract when there are 300, under 3% when there are 2,000.

    Each account draws from a random stream of its own, so that asking for more accounts does not change the others.
    """
    honest_seed, extracting_seed = np.random.SeedSequence([seed, _SCENARIO]).spawn(2)
    chosen = [kind for kind in ALONE if kind in (mix.kinds or KINDS)]
    dealt = _shares(accounts, len(chosen), mix)
    yield from population((honest_seed.spawn(1)[0] for _ in range(dealt.honest)), span)
    if dealt.alike:
        market = new_market(source(seed, _SCENARIO, _MARKET), span)
        yield from bystanders(dealt.alike, (seed, _SCENARIO, _ALIKE), span, market)
    # One seed for the pool, then one for each extraction of each kind in turn, whether it is chosen or not.
    (seed_of_pool,) = extracting_seed.spawn(1)
    if dealt.pooled:
        yield from pool(_plan(dealt.pooled, mix), _random(seed_of_pool), span)
    turns = ((kind, extracting_seed.spawn(1)[0]) for kind in cycle(ALONE))
    for kind, seed_of_one in islice((turn for turn in turns if turn[0] in chosen), dealt.alone):
        yield ALONE[kind](_random(seed_of_one), span)


def _shares(accounts: int, kinds: int, mix: Mix) -> Shares:
    pools = int("pool" in (mix.kinds or KINDS))
    if mix.prevalence is not None:
        return shares(accounts, pools, kinds, 0.0, 0.0, mix)
    alone = kinds * (max(1, round(accounts * 0.002)) + (1 if accounts >= 200 else 0))
    pooled = pools * (mix.pool_size or max(3, round(5 + accounts * 0.0115)))
    left = max(1, accounts - alone - pooled)
    alike = min(left, round((mix.benign or 0.0) * accounts))
    return Shares(left - alike, alike, pooled, alone)


def _plan(size: int, mix: Mix) -> PoolPlan:
    if mix.pool_rate is None:
        return PoolPlan(size)
    low, high = mix.pool_rate
    return PoolPlan(size, rate=(min(low * 1.15, high), max(low, high * 0.85)), most=high, most_unrelated=high // 12)


def _random(seed: np.random.SeedSequence) -> Random:
    return np.random.Generator(np.random.PCG64(seed))
