"""The engine over cached columns, in memory: what a replay would detect, as far as a window's end, then on to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pipeline.campaigns.links import LinkStage
from pipeline.campaigns.stage import CampaignStage
from pipeline.campaigns.tracked import Changes
from pipeline.engine import Engine, Verdicts
from pipeline.event.columns import EventBatch
from pipeline.incidents.incident import Incident
from pipeline.settings import Settings
from replay.evaluation import Detection
from replay.what_if import detection_of

_BATCH = 20_000
#: Campaigns of an hour are found when every partition has passed it, so engines go so far beyond a window's end.
_BEYOND_MS = 6 * 3_600_000

Streams = Mapping[int, EventBatch]
"""The events of each partition, in the order of their offsets."""


class EngineTrial:
    """Engines and campaigns of one set of settings over the events of all partitions."""

    def __init__(self, settings: Settings, streams: Streams, hear: Callable[[Verdicts], None] | None = None) -> None:
        """`hear` gets the verdicts of each batch."""
        self._streams = streams
        self._hear = hear
        self._engines = {number: Engine(settings.engine, number) for number in sorted(streams)}
        self._taken = dict.fromkeys(self._engines, 0)
        self._links = LinkStage(settings.campaigns, range(settings.stream.partitions))
        # Partitions without events tell nothing, and are not waited for.
        self._links.gate.idle.update(set(range(settings.stream.partitions)) - set(streams))
        self._campaigns = CampaignStage(settings.campaigns, settings.engine.allowed_lateness_s)
        self._incidents: dict[str, Incident] = {}
        self._members: dict[str, dict[str, int]] = {}

    def go(self, until_ms: int | None) -> None:
        """Take in the events up to some hours after `until_ms`, or all that are left."""
        for number, batch in self._streams.items():
            newest = np.maximum.accumulate(batch.ts)
            end = len(batch) if until_ms is None else int(np.searchsorted(newest, until_ms + _BEYOND_MS))
            while self._taken[number] < end:
                begin = self._taken[number]
                stop = min(begin + _BATCH, end)
                self._take(self._engines[number].process(batch[begin:stop]))
                self._taken[number] = stop
        if until_ms is None:
            self._links.gate.rest()
            self._follow(self._campaigns.hear(0, self._links.ready()))

    def detections(self) -> list[Detection]:
        """What was detected so far; of a campaign, once for each member."""
        found = []
        for one in self._incidents.values():
            if one.entity_type == "account":
                found.append(detection_of(one))
                continue
            for account_id, joined_at in self._members.get(one.entity_id, {}).items():
                found.append(detection_of(one, account_id, joined_at))
        return sorted(found, key=lambda one: (one.detected_at, one.incident_id, one.account_id))

    def _take(self, verdicts: Verdicts) -> None:
        if self._hear is not None:
            self._hear(verdicts)
        self._incidents.update((one.incident_id, one) for one in verdicts.incidents)
        hours = self._links.hear(verdicts.signals)
        if hours:
            self._follow(self._campaigns.hear(0, hours))

    def _follow(self, changes: Changes) -> None:
        self._incidents.update((one.incident_id, one) for one in changes.incidents)
        for one in changes.members:
            self._members.setdefault(one.campaign_id, {}).setdefault(one.account_id, one.joined_at)
