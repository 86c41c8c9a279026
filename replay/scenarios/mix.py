"""What a scenario is mixed of: who asks for how much of what, and how accounts are dealt out to it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from replay.errors import ReplayError
from replay.scenarios.identity import Random

#: A pool has so many accounts at least.
SMALLEST_POOL = 3
#: Share of the accounts that extract which sit in pools, when others extract too.
_IN_POOLS = 0.6


@dataclass(frozen=True, slots=True)
class Mix:
    """What can be asked of a scenario; None leaves it to the scenario."""

    prevalence: float | None = None
    """Share of the accounts that extract."""
    kinds: tuple[str, ...] | None = None
    """Kinds of extraction."""
    benign: float | None = None
    """Share of the accounts that are made to look alike, beyond what an ordinary population has of them."""
    pool_size: int | None = None
    """Accounts of each pool."""
    pool_rate: tuple[int, int] | None = None
    """Calls a day of a member of a pool, at least and at most."""
    label_benign: bool = False
    """Whether look-alikes are labelled too, as kinds of `replay.truth.LOOK_ALIKES`."""

    def check(self, kinds: Sequence[str], accounts: int) -> None:
        """Raises `ReplayError` for what makes no sense in a scenario with these kinds."""
        for name, share in (("prevalence", self.prevalence), ("benign", self.benign)):
            if share is not None and not 0.0 <= share <= 1.0:
                raise ReplayError(f"--{name} {share:g} is not a share: give a number from 0 to 1")
        if (self.prevalence or 0.0) + (self.benign or 0.0) > 1.0:
            raise ReplayError("--prevalence and --benign are more than 1 together: there are no such accounts")
        unknown = [kind for kind in self.kinds or () if kind not in kinds]
        if unknown or self.kinds == ():
            raise ReplayError(f"--kinds {','.join(unknown)!r} is none of this scenario's: {', '.join(kinds)}")
        if self.pool_size is not None and not SMALLEST_POOL <= self.pool_size < accounts:
            raise ReplayError(
                f"--pool-size {self.pool_size}: give {SMALLEST_POOL} or more, and less than --accounts {accounts}"
            )
        if self.pool_rate is not None and not 1 <= self.pool_rate[0] <= self.pool_rate[1]:
            raise ReplayError(
                f"--pool-rate {self.pool_rate[0]}..{self.pool_rate[1]}: give 1 or more, the smaller first"
            )


def source(*path: int) -> Random:
    """A random stream of its own for each path, so that asking for more of one thing does not change another."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(path)))


@dataclass(frozen=True, slots=True)
class Shares:
    """How many accounts do what."""

    honest: int
    alike: int
    """Honest ones that are made to look like extraction."""
    pooled: int
    alone: int


def shares(accounts: int, pools: int, alone: int, prevalence: float, benign: float, mix: Mix) -> Shares:
    """Deal `accounts` out, given the number of kinds of pools and of others, and the shares unless asked for otherwise.

    Where nothing is asked for, every kind gets an account as long as that is at most a third of all.
    """
    if mix.prevalence is not None:
        extracting = round(mix.prevalence * accounts)
    else:
        least = max(alone / (1.0 - _IN_POOLS) if pools else alone, pools * SMALLEST_POOL / _IN_POOLS)
        extracting = min(max(round(prevalence * accounts), math.ceil(least)), accounts // 3)
    pooled, single = _pooled_and_alone(extracting, pools, alone, mix)
    left = max(0, accounts - pooled - single)
    alike = min(left, round((benign if mix.benign is None else mix.benign) * accounts))
    return Shares(left - alike, alike, pooled, single)


def _pooled_and_alone(extracting: int, pools: int, alone: int, mix: Mix) -> tuple[int, int]:
    if not pools or not extracting:
        return 0, extracting if alone else 0
    seats = round(_IN_POOLS * extracting) if alone else max(extracting, SMALLEST_POOL)
    if mix.pool_size is not None:
        # As many whole pools as fit, one at least.
        seats = max(1, round(seats / mix.pool_size)) * mix.pool_size
        return seats, max(extracting - seats, alone)
    return (seats, extracting - seats if alone else 0) if seats >= SMALLEST_POOL else (0, extracting)


def pool_sizes(seats: int, mix: Mix, random: Random) -> Iterator[int]:
    """Sizes of pools that have `seats` accounts together, small ones more often than large ones."""
    while seats >= SMALLEST_POOL:
        size = mix.pool_size or round(float(np.exp(random.uniform(np.log(SMALLEST_POOL), np.log(seats + 1)))))
        size = seats if seats - size < SMALLEST_POOL else size
        yield min(size, seats)
        seats -= size
