"""The full mix: every kind of extraction that was reported from 2024 to 2026, and the honest accounts that look alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from replay.scenarios.bystanders import bystanders
from replay.scenarios.elicitation import broad, logprob, pivot, reasoning, varied
from replay.scenarios.extraction import heavy, ramp, stolen_key
from replay.scenarios.identity import Random
from replay.scenarios.market import Market, adopting, new_market
from replay.scenarios.mix import Mix, Shares, pool_sizes, shares, source
from replay.scenarios.pool import PoolPlan, pool
from replay.scenarios.population import Span, population
from replay.scenarios.simulation import Part

_SCENARIO = 0x313ED
#: First step of the path of each random stream.
_HONEST, _MARKET, _ALIKE, _SIZES, _POOLS, _ALONE, _ADOPTION = range(7)
_PREVALENCE, _BENIGN = 0.05, 0.25
#: Calls a day of a member of a pool, as reported.
_POOL_RATE = (13, 730)

ALONE: dict[str, Callable[[Random, Span, Market], Part]] = {
    "heavy": lambda random, span, market: varied(heavy(random, span), random),
    "ramp": lambda random, span, market: varied(ramp(random, span), random),
    "stolen_key": lambda random, span, market: stolen_key(random, span),
    "logprob": lambda random, span, market: varied(logprob(random, span, market), random),
    "reasoning": lambda random, span, market: varied(reasoning(random, span, market), random),
    "pivot": lambda random, span, market: varied(pivot(random, span, market), random),
    "broad": broad,
}
POOLS = ("pool", "template_pool")
KINDS = (*ALONE, *POOLS)


def mixed(accounts: int, span: Span, seed: int, mix: Mix) -> Iterator[Part]:
    """About `accounts` accounts: a twentieth extract and a quarter look alike, unless asked for otherwise.

    Each account, and each pool, draws from a random stream of its own.
    """
    chosen = mix.kinds or KINDS
    alone, pools = ([kind for kind in kinds if kind in chosen] for kinds in (ALONE, POOLS))
    dealt = shares(accounts, len(pools), len(alone), _PREVALENCE, _BENIGN, mix)
    path = (_SCENARIO, seed)
    market = new_market(source(*path, _MARKET), span)
    yield from _honest(dealt, path, span, market)
    yield from bystanders(dealt.alike, (*path, _ALIKE), span, market)
    for number, size in enumerate(pool_sizes(dealt.pooled, mix, source(*path, _SIZES))):
        random = source(*path, _POOLS, number)
        yield from pool(_plan(pools[number % len(pools)], size, mix, random), random, span)
    for number in range(dealt.alone):
        yield ALONE[alone[number % len(alone)]](source(*path, _ALONE, number), span, market)


def _honest(dealt: Shares, path: tuple[int, ...], span: Span, market: Market) -> Iterator[Part]:
    seeds = (np.random.SeedSequence((*path, _HONEST, index)) for index in range(dealt.honest))
    for index, part in enumerate(population(seeds, span)):
        yield adopting(part, market, source(*path, _ADOPTION, index))


def _plan(kind: str, size: int, mix: Mix, random: Random) -> PoolPlan:
    low, high = mix.pool_rate or _POOL_RATE
    # Somewhat within the bounds, since days differ.
    least, most = low * 1.15, max(high * 0.85, low)
    rate = float(np.exp(random.uniform(np.log(min(least, most)), np.log(most))))
    unrelated = float(np.exp(random.uniform(np.log(0.02), np.log(0.8))))
    disguised = kind == "template_pool"
    return PoolPlan(
        size,
        counts_replaced=True,
        kind=kind,
        rate=(rate / (1.0 + unrelated), rate / (1.0 + unrelated)),
        most=high,
        most_unrelated=min(high - 1, math.ceil(high * unrelated / (1.0 + unrelated))),
        unrelated=(0.7 * unrelated, 1.3 * unrelated),
        accounts_per_payment=(2, int(random.integers(4, 41))),
        addresses=(2, 4 + int(size ** random.uniform(0.2, 0.9))),
        banned=float(random.uniform(0.0, 0.6 if size >= 10 else 0.2)),
        timing=str(random.choice(["turn", "waves", "own"], p=[0.25, 0.25, 0.5] if disguised else [0.5, 0.3, 0.2])),
        disguised=disguised,
    )
