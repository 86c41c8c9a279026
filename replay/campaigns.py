"""Campaigns of a replay: the shards of link values as the stream has them, all in one place, heard in any order."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipeline.campaigns.shard import CampaignShard, state_number
from pipeline.campaigns.tracked import Changes
from pipeline.campaigns.wire import CAMPAIGNS_AT, Told, by_shard
from pipeline.features.signals import Signals
from pipeline.settings import Settings
from pipeline.state import EngineState, Part, Saved
from pipeline.store.rows import campaign_members_table, campaigns_table, incidents_table
from pipeline.stream.checkpoint import Checkpoint, Checkpoints
from replay.shard import COUNTS, changed_at


class CampaignReplay:
    """Finds campaigns in the signals of all partitions."""

    def __init__(
        self, settings: Settings, since_ms: int | None = None, shards: int = 1, last_hour: int | None = None
    ) -> None:
        """What changed before `since_ms`, in the warm-up, is not told; hours from `last_hour` on are not looked at.

        The number of `shards` changes nothing but the states.
        """
        partitions = settings.stream.partitions
        lateness_s = settings.engine.allowed_lateness_s
        self.shards = [CampaignShard(settings.campaigns, lateness_s, partitions, one, shards) for one in range(shards)]
        self.campaigns = 0
        self.incidents = 0
        self._since_ms = since_ms
        self._last_hour = last_hour

    def hear(self, signals: Signals) -> Changes:
        """Take a partition's signals in; what became of campaigns."""
        changes = Changes()
        parts = by_shard(signals, len(self.shards)) if len(self.shards) > 1 else {0: signals}
        for shard, part in parts.items():
            self._follow(self.shards[shard].hear(part)[0], changes)
        return self._counted(changes)

    def finish(self) -> Changes:
        """The events have ended: partitions without any are not waited for."""
        changes = Changes()
        for shard in self.shards:
            known = shard.links.gate.known
            self._follow(shard.rest([source for source in shard.links.gate.sources if not known.get(source)]), changes)
        return self._counted(changes)

    def load(self, states: Mapping[int, EngineState], *, counts: bool) -> None:
        """Go on where saved shards were; `counts` when the states are of the same run. Raises `pipeline.state.StateError`."""
        for number, state in states.items():
            self.shards[number].load([state])
            if counts and COUNTS in state.parts:
                self.campaigns, self.incidents = state.parts[COUNTS].saved.shared["counts"].tolist()

    def checkpoints(self, run_id: str, generation: int) -> list[Checkpoints]:
        """The checkpoints of the shards."""
        return [Checkpoints(_Counted(self, shard), run_id, generation, 0.0) for shard in self.shards]

    def _follow(self, told: list[Told], changes: Changes) -> None:
        for one in told:
            if self._last_hour is not None:
                one = Told(one.shard, [hour for hour in one.hours if hour.hour < self._last_hour])
            changes.extend(self.shards[CAMPAIGNS_AT].hear(one)[1])

    def _counted(self, changes: Changes) -> Changes:
        since = self._since_ms
        if since is not None:
            changes.campaigns = [one for one in changes.campaigns if max(one.detected_at, one.last_seen_at) >= since]
            changes.members = [one for one in changes.members if one.joined_at >= since]
            changes.incidents = [one for one in changes.incidents if changed_at(one) >= since]
        self.campaigns += sum(one.version == 1 for one in changes.campaigns)
        self.incidents += sum(one.version == 1 for one in changes.incidents)
        return changes


class _Counted:
    """A shard whose states have the replay's counts in them."""

    def __init__(self, campaigns: CampaignReplay, shard: CampaignShard) -> None:
        self._campaigns = campaigns
        self._shard = shard

    @property
    def watermark(self) -> int:
        """The shard's."""
        return self._shard.watermark

    def save(self, *, whole: bool) -> EngineState:
        """The shard's state, and the counts beside the campaigns."""
        state = self._shard.save(whole=whole)
        if self._shard.shard != CAMPAIGNS_AT:
            return state
        counts = np.array([self._campaigns.campaigns, self._campaigns.incidents], np.int64)
        parts = {**state.parts, COUNTS: Part("", Saved(shared={"counts": counts}))}
        return EngineState(state.partition, state.first_new, state.accounts, state.slots, parts)


def tables_of(changes: Changes, run_id: str) -> list[tuple[str, pa.Table]]:
    """Rows of what became of campaigns."""
    return [
        ("campaigns", campaigns_table(changes.campaigns, run_id=run_id)),
        ("campaign_members", campaign_members_table(changes.members, run_id=run_id)),
        ("incidents", incidents_table(changes.incidents, run_id=run_id)),
    ]


def taken(checkpoints: list[Checkpoints]) -> list[Checkpoint]:
    """A checkpoint of every shard."""
    return [one.take(state_number(shard), 0) for shard, one in enumerate(checkpoints)]
