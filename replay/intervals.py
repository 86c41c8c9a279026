"""How far a figure would move had the stream had other accounts: bootstrap over accounts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

#: Draws of as many accounts as there are, and the part of them that an interval holds.
DRAWS = 2000
LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_SEED = 1


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The middle 95% of a figure over draws of accounts."""

    low: float
    high: float


class Ratio(msgspec.Struct, frozen=True):
    """A figure that is one sum over accounts by another."""

    over: str
    under: str
    factor: float = 1.0
    law: Literal["share", "rate", ""] = ""
    """What holds where draws say nothing, since all or none of the accounts count: a share of things, or a rate of events."""


def bootstrap(
    accounts: Sequence[Mapping[str, int]], ratios: Mapping[str, Ratio], seed: int = _SEED
) -> dict[str, Interval | None]:
    """Percentile intervals of ratios of sums, drawing accounts with replacement (Efron and Tibshirani 1993, chapter 13).

    An account is drawn with all that it has, since its labels, alerts and tokens depend on each other (cluster bootstrap, Field
    and Welsh 2007). Draws in which nothing is below the line do not count; None where none is left. Seeded: equal for equal sums.
    A share of 0 or 1, and a rate of 0, are the same in every draw: there the exact intervals of the binomial (Clopper and Pearson
    1934, accounts being the trials) and the Poisson law (Garwood 1936) stand in.
    """
    names = sorted({name for ratio in ratios.values() for name in (ratio.over, ratio.under)})
    if not accounts:
        return dict.fromkeys(ratios)
    table = np.array([[one.get(name, 0) for name in names] for one in accounts], np.float64)
    # Accounts with the same sums may stand for each other: how often each sort is drawn is all that matters.
    sorts, counts = np.unique(table, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(accounts), counts / counts.sum(), size=DRAWS) @ sorts
    column = {name: drawn[:, index] for index, name in enumerate(names)}
    found: dict[str, Interval | None] = {}
    for name, ratio in ratios.items():
        some = column[ratio.under] > 0
        values = ratio.factor * column[ratio.over][some] / column[ratio.under][some]
        if values.size:
            low, high = np.quantile(values, [_TAIL, 1 - _TAIL]).tolist()
            over, under = (table[:, names.index(one)] for one in (ratio.over, ratio.under))
            found[name] = _at_edge(ratio, over.sum(), under.sum(), int((under > 0).sum())) or Interval(
                low=low, high=high
            )
        else:
            found[name] = None
    return found


def _at_edge(ratio: Ratio, over: float, under: float, accounts: int) -> Interval | None:
    if ratio.law == "share" and over in (0, under):
        least = _TAIL ** (1 / accounts)
        return Interval(low=0.0, high=1 - least) if over == 0 else Interval(low=least, high=1.0)
    if ratio.law == "rate" and over == 0:
        return Interval(low=0.0, high=-ratio.factor * math.log(_TAIL) / under)
    return None
