"""Incidents decided anew from stored evidence: other thresholds, budget and suppressions, and no model runs.

The tracker is the engine's own, fed with the same hours in the same order, so what comes out is what a replay with these
settings would give.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.incidents.incident import Incident
from pipeline.incidents.tracker import IncidentTracker, JudgedHours
from pipeline.settings import IncidentSettings
from replay.hours import Hours


class _Partition:
    """A tracker and the slots of its accounts, given out as they come."""

    def __init__(self, settings: IncidentSettings) -> None:
        self.tracker = IncidentTracker(settings)
        self._slots: dict[int, int] = {}

    def slots_of(self, accounts: NDArray[np.uint64]) -> NDArray[np.int64]:
        encoded: Any = pc.dictionary_encode(pa.array(accounts))
        known = self._slots
        of_code = [known.setdefault(one, len(known)) for one in encoded.dictionary.to_pylist()]
        slots: NDArray[np.int64] = np.array(of_code, np.int64)[encoded.indices.to_numpy()]
        return slots


def decide(hours: Iterable[Hours], settings: IncidentSettings) -> list[Incident]:
    """The newest version of each account incident, suppressed ones included, in the order of detection."""
    partitions: dict[int, _Partition] = {}
    newest: dict[str, Incident] = {}
    for some in hours:
        partition = partitions.get(some.partition)
        if partition is None:
            partition = partitions[some.partition] = _Partition(settings)
        judged = JudgedHours(
            slot=partition.slots_of(some.account),
            account_id=some.account_id,
            start=some.start,
            evidence=some.evidence,
            output_tokens=some.output_tokens,
            account_calls=some.account_calls,
            closed_by=some.closed_by,
            reasons=some.reasons,
        )
        newest.update((one.incident_id, one) for one in partition.tracker.follow(judged))
    return sorted(newest.values(), key=lambda one: (one.detected_at, one.incident_id))
