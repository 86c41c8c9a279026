"""The calls of one account, from its identity, times and workload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replay.scenarios.identity import Identity, Random
from replay.scenarios.workload import Columns, Workload, draw


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls that belong together: one identity's, with one workload, at `times` (ascending, epoch milliseconds)."""

    identity: Identity
    times: NDArray[np.int64]
    columns: Columns
    workload: Workload
    choices: NDArray[np.int64]
    """(calls, 4): which key, address, user agent and model each call uses."""


def new_stream(identity: Identity, times: NDArray[np.int64], workload: Workload, random: Random) -> Stream:
    """Draw what the calls at `times` carry. Keys are used one after the other, the rest at random, the first most."""
    count = times.size
    keys = np.arange(count) * len(identity.key_ids) // max(count, 1)
    others = [
        np.minimum(random.geometric(0.6, size=count) - 1, len(choices) - 1)
        for choices in (identity.addresses, identity.user_agents, identity.models)
    ]
    return Stream(
        identity,
        times,
        draw(workload, times, random),
        workload,
        np.column_stack([keys, *others]).astype(np.int64),
    )
