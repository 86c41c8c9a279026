"""Where a run begins: with engines that know nothing, or from states in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.campaigns.shard import state_number
from pipeline.state import EngineState, decode_state
from pipeline.store.client import Store
from pipeline.store.records import LIVE
from pipeline.store.snapshots import read_chain
from replay.queries import query
from replay.shard import Start

if TYPE_CHECKING:
    from replay.plan import Plan


@dataclass(frozen=True, slots=True)
class Beginning:
    """Cold where nothing is given."""

    starts: Mapping[int, Start] = field(default_factory=dict)
    """By partition."""
    campaigns: Mapping[int, EngineState] = field(default_factory=dict)
    """By shard of link values."""
    shards: int = 1
    """Shards of link values; as many as partitions where the states are the stream's."""
    after: Mapping[int, int] = field(default_factory=dict)
    """The last offset that is in the state, by partition."""
    counts: bool = False
    """Whether the states are of the same run."""
    generations: tuple[int, ...] = ()


def begin(store: Store, plan: Plan) -> Beginning:
    """Where a new run begins. Raises `ReplayError` when the stream's states that it needs are not there."""
    return Beginning()


def resumed(store: Store, run_id: str, plan: Plan) -> Beginning:
    """Where the run was at its last checkpoint; where it began, as far as it had none."""
    first = begin(store, plan)
    starts, campaigns, after = dict(first.starts), dict(first.campaigns), dict(first.after)
    generations = list(first.generations)
    counts = False
    for number in range(plan.settings.stream.partitions):
        if (chain := read_chain(store, run_id, number)) is not None:
            starts[number] = Start(chain.states, counts=True)
            after[number] = chain.offset
            generations.append(chain.generation)
        if (chain := read_chain(store, run_id, state_number(number))) is not None:
            campaigns[number] = decode_state(chain.states[-1])
            generations.append(chain.generation)
            counts = True
    return Beginning(starts, campaigns, first.shards, after, counts, tuple(generations))


def forget_states(store: Store, run_id: str) -> None:
    """Delete the states of a run that needs them no more."""
    if run_id == LIVE:
        raise ValueError("the states of the live run are not deleted")
    store.command(query("forget_states"), {"run_id": run_id})
