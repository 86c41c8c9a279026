"""Where a run begins: with engines that know nothing, or from states in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.campaigns.shard import CampaignShard, state_number
from pipeline.campaigns.wire import CAMPAIGNS_AT
from pipeline.features.links import HOUR_MS
from pipeline.settings import Settings
from pipeline.state import EngineState, StateError, decode_state
from pipeline.store.client import Store
from pipeline.store.read import EventRange, event_counts
from pipeline.store.records import LIVE
from pipeline.store.snapshots import Chain, read_chain
from replay.errors import ReplayError
from replay.queries import query
from replay.shard import Start
from replay.window import utc

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
    if not plan.snapshot or plan.from_ms is None:
        return Beginning()
    try:
        return _as_of(store, plan.settings, plan.from_ms)
    except StateError as error:
        raise ReplayError(
            f"the stream's states cannot be used under these settings ({error}): give --warm-up 14d in place of --from-snapshot"
        ) from error


def _as_of(store: Store, settings: Settings, ms: int) -> Beginning:
    """The stream's newest states as of `ms` that hold together.

    The campaigns' stage must have heard all that the shards of link values had told when their states were taken, and a shard all
    that the engines had. So each is looked for as of what the one before it reaches; what lies between is told again, which
    changes nothing.
    """
    left = store.query_rows(query("accounts_left"), {"run_id": LIVE})[0][0]
    if left:
        # Their rows are those of their latest leaving, which may be of after the state.
        raise ReplayError(
            f"{left} accounts have left the stream's memory, and the kept states do not name them: give --warm-up 14d in place "
            "of --from-snapshot (engine.idle_account_s and engine.resident_accounts say who leaves)"
        )
    partitions = settings.stream.partitions
    campaigns: dict[int, EngineState] = {}
    first = _needed(read_chain(store, LIVE, state_number(CAMPAIGNS_AT), ms), "campaigns", ms, settings)
    campaigns[CAMPAIGNS_AT] = decode_state(first.states[-1])
    shard = CampaignShard(settings.campaigns, settings.engine.allowed_lateness_s, partitions, CAMPAIGNS_AT)
    shard.load([campaigns[CAMPAIGNS_AT]])
    assert shard.campaigns is not None
    heard = {number: known[-1].until * HOUR_MS for number, known in shard.campaigns.gate.known.items() if known}
    bound = min(ms, first.as_of)
    for number in range(partitions):
        if number != CAMPAIGNS_AT:
            reach = min(ms, heard.get(number, 0))
            found = _needed(
                read_chain(store, LIVE, state_number(number), reach), f"shard {number} of campaigns", reach, settings
            )
            campaigns[number] = decode_state(found.states[-1])
            bound = min(bound, found.as_of)
    before = event_counts(store, EventRange(partitions, to_ms=bound))
    starts, after = {}, {}
    for number in range(partitions):
        chain = read_chain(store, LIVE, number, bound)
        if chain is not None or number in before:
            chain = _needed(chain, f"partition {number}", bound, settings)
            starts[number], after[number] = Start(chain.states), chain.offset
    return Beginning(starts, campaigns, partitions, after)


def _needed(chain: Chain | None, what: str, ms: int, settings: Settings) -> Chain:
    if chain is None:
        days = settings.stream.states_kept_days
        raise ReplayError(
            f"the stream has kept no state of {what} as of {utc(ms)} (it keeps one of each of the last {days} days, "
            "stream.states_kept_days): begin later, or give --warm-up 14d in place of --from-snapshot"
        )
    return chain


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
