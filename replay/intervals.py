"""How far a figure would move had the stream had other accounts: bootstrap over accounts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Draws of as many accounts as there are, and the part of them that an interval holds.
DRAWS = 2000
LEVEL = 0.95
_TAIL = (1 - LEVEL) / 2
_SEED = 1


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """The middle 95% of a figure over draws of accounts."""

    low: float
    high: float


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of two runs."""

    a: float
    b: float
    low: float
    """The middle 95% of b - a over draws of accounts."""
    high: float
    p: float
    """How likely so large a difference is where there is none."""


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
    if not accounts:
        return dict.fromkeys(ratios)
    names, table, column = _draws(accounts, ratios.values(), seed)
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


def differences(
    accounts: Sequence[Mapping[str, int]], pairs: Mapping[str, tuple[Ratio, Ratio]], seed: int = _SEED
) -> dict[str, Difference | None]:
    """How far the second ratio of each pair lies from the first, both from the same draws of accounts: a paired bootstrap.

    The p-value is twice the share of draws on the rarer side of no difference (Efron and Tibshirani 1993, chapter 15.4), 1 at
    most. None where one of the ratios has nothing below the line.
    """
    if not accounts:
        return dict.fromkeys(pairs)
    names, table, column = _draws(accounts, [ratio for pair in pairs.values() for ratio in pair], seed)
    totals = dict(zip(names, table.sum(axis=0).tolist(), strict=True))
    found: dict[str, Difference | None] = {}
    for name, (first, second) in pairs.items():
        if not totals[first.under] or not totals[second.under]:
            found[name] = None
            continue
        some = (column[first.under] > 0) & (column[second.under] > 0)
        a, b = (one.factor * column[one.over][some] / column[one.under][some] for one in (first, second))
        low, high = np.quantile(b - a, [_TAIL, 1 - _TAIL]).tolist()
        rarer = min(int((b <= a).sum()), int((b >= a).sum()))
        found[name] = Difference(
            a=first.factor * totals[first.over] / totals[first.under],
            b=second.factor * totals[second.over] / totals[second.under],
            low=low,
            high=high,
            p=min(1.0, 2 * (rarer + 1) / (a.size + 1)),
        )
    return found


def mcnemar(only_a: int, only_b: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947): as many or more would fall to one side, were it a coin's toss.

    `only_a` and `only_b` are those that one of two methods found and the other did not.
    """
    tossed, fewer = only_a + only_b, min(only_a, only_b)
    ways: int = sum(math.comb(tossed, count) for count in range(fewer + 1))
    return min(1.0, math.ldexp(ways, 1 - tossed))


def _draws(
    accounts: Sequence[Mapping[str, int]], ratios: Iterable[Ratio], seed: int
) -> tuple[list[str], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    # The names of the sums, the sums of each account, and those of each draw by name.
    names = sorted({name for ratio in ratios for name in (ratio.over, ratio.under)})
    table = np.array([[one.get(name, 0) for name in names] for one in accounts], np.float64)
    # Accounts with the same sums may stand for each other: how often each sort is drawn is all that matters.
    sorts, counts = np.unique(table, axis=0, return_counts=True)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(accounts), counts / counts.sum(), size=DRAWS) @ sorts
    return names, table, {name: drawn[:, index] for index, name in enumerate(names)}


def _at_edge(ratio: Ratio, over: float, under: float, accounts: int) -> Interval | None:
    if ratio.law == "share" and over in (0, under):
        least = _TAIL ** (1 / accounts)
        return Interval(low=0.0, high=1 - least) if over == 0 else Interval(low=least, high=1.0)
    if ratio.law == "rate" and over == 0:
        return Interval(low=0.0, high=-ratio.factor * math.log(_TAIL) / under)
    return None
