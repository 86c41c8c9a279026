"""Which incidents of two runs are one and the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from replay.evaluate import Detection


class MatchedIncident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that both runs have: the same entity at overlapping times."""

    entity_id: str
    detected_a: int
    detected_b: int

    @classmethod
    def of(cls, a: Detection, b: Detection) -> MatchedIncident:
        """The pair of the first run's and the second's."""
        return cls(entity_id=a.entity_id, detected_a=a.detected_at, detected_b=b.detected_at)

    @property
    def later_ms(self) -> int:
        """How much later the second run detected it; negative when earlier."""
        return self.detected_b - self.detected_a


def match(
    before: Sequence[Detection], after: Sequence[Detection]
) -> tuple[list[tuple[Detection, Detection]], list[Detection], list[Detection]]:
    """Pair incidents of the same entity that overlap in time, earliest first; the rest of each side."""
    waiting: dict[tuple[str, str], list[Detection]] = defaultdict(list)
    for one in sorted(after, key=lambda one: one.opened_at):
        waiting[one.entity_type, one.entity_id].append(one)
    pairs, lost = [], []
    for one in sorted(before, key=lambda one: one.opened_at):
        candidates = waiting[one.entity_type, one.entity_id]
        partner = next(
            (other for other in candidates if other.opened_at <= one.ended_at and one.opened_at <= other.ended_at), None
        )
        if partner is None:
            lost.append(one)
        else:
            candidates.remove(partner)
            pairs.append((one, partner))
    gained = [one for candidates in waiting.values() for one in candidates]
    return pairs, sorted(gained, key=lambda one: one.detected_at), lost
