"""One partition of `account-signals`: its share of the link values and, at one of the partitions, the campaigns."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from pipeline.campaigns.links import LinkedHour, LinkStage
from pipeline.campaigns.stage import CampaignStage
from pipeline.campaigns.state import load_campaigns, load_links, save_campaigns, save_links
from pipeline.campaigns.tracked import Changes
from pipeline.campaigns.wire import CAMPAIGNS_AT, Told
from pipeline.features.links import HOUR_MS
from pipeline.features.signals import Signals
from pipeline.settings import CampaignSettings
from pipeline.state import EngineState, Part, StateError


def state_number(shard: int) -> int:
    """The number under which a shard's states are kept, below those of the partitions of `api-calls`."""
    return -1 - shard


class CampaignShard:
    """Everything kept for one partition of the topic. Pure; records heard again change nothing."""

    def __init__(
        self,
        settings: CampaignSettings,
        allowed_lateness_s: int,
        partitions: int,
        shard: int,
        shards: int | None = None,
    ) -> None:
        """`partitions` are those of `api-calls`; there are as many `shards` unless it is said, as the topic has."""
        self.shard = shard
        self.links = LinkStage(settings, range(partitions))
        self.campaigns: CampaignStage | None = None
        if shard == CAMPAIGNS_AT:
            self.campaigns = CampaignStage(settings, allowed_lateness_s, range(shards or partitions))
        self._settings = f"{msgspec.json.encode(settings).decode()}, {allowed_lateness_s} s, {partitions} partitions"

    @property
    def watermark(self) -> int:
        """Event time in epoch milliseconds up to which hours are complete; -1 before the first."""
        hour = self.links.gate.next_hour
        return hour * HOUR_MS if hour >= 0 else -1

    @property
    def found_until(self) -> int:
        """The same for campaigns, where they are kept."""
        hour = self.campaigns.gate.next_hour if self.campaigns is not None else -1
        return hour * HOUR_MS if hour >= 0 else -1

    def hear(self, record: Signals | Told) -> tuple[list[Told], Changes]:
        """Take a record in: what is to be told to the place of campaigns, and what became of campaigns."""
        if isinstance(record, Signals):
            return self._told(self.links.hear(record)), Changes()
        if self.campaigns is None:
            return [], Changes()
        return [], self.campaigns.hear(record.shard, record.hours)

    def blocked_by(self) -> frozenset[int]:
        """The partitions of `api-calls` that hours wait for which others have passed."""
        return self.links.gate.blocked_by()

    def rest(self, partitions: Iterable[int]) -> list[Told]:
        """Wait for these no longer, until they tell something again."""
        self.links.gate.idle.update(partitions)
        return self._told(self.links.ready())

    def save(self, *, whole: bool) -> EngineState:
        """All that is remembered; it is small, so never only the changes."""
        parts = {"links": Part(self._settings, save_links(self.links))}
        if self.campaigns is not None:
            parts["campaigns"] = Part(self._settings, save_campaigns(self.campaigns))
        return EngineState(state_number(self.shard), 0, [], np.empty(0, np.int64), parts)

    def load(self, states: Iterable[EngineState]) -> list[str]:
        """Go on where a saved shard was, of whose states the last counts. Raises `StateError` when it is of other settings."""
        *_, state = states
        for name in ("links", "campaigns") if self.campaigns is not None else ("links",):
            part = state.parts.get(name)
            if part is None or part.settings != self._settings:
                raise StateError(f"the state of {name} is missing or of other settings")
            if self.campaigns is not None and name == "campaigns":
                load_campaigns(self.campaigns, part.saved)
            else:
                load_links(self.links, part.saved)
        return []

    def _told(self, hours: list[LinkedHour]) -> list[Told]:
        return [Told(self.shard, hours)] if hours else []
