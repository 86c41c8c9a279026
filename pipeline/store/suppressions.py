"""Suppressions and what verdicts change, as the store has them, for engines to be handed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from pipeline.incidents.feedback import Sighting, Totals, Verdict, judge, threshold_shift
from pipeline.incidents.suppression import Suppression
from pipeline.settings import IncidentSettings
from pipeline.store.client import Store
from pipeline.store.queries import query
from pipeline.store.rows import TIME, Column

#: Most suppressions, and most verdicts, that are looked at: those that end last, and the latest.
MOST = 10_000
#: Verdicts move the threshold by what a run has seen in so many days.
DAYS = 90
_SURE = 1.0 - 1e-15


def write_suppressions(store: Store, listed: Sequence[Suppression]) -> None:
    """Record suppressions; one of the pattern, start and kinds of an earlier one replaces it."""
    if not listed:
        return
    columns: dict[str, Column] = {
        name: pa.array([getattr(one, name) for one in listed], pa.string()) for name in ("account", "note")
    }
    columns |= {name: pa.array([getattr(one, name) for one in listed], TIME) for name in ("since", "until")}
    columns["kinds"] = pa.array([list(one.kinds) for one in listed], pa.list_(pa.string()))
    columns["above"] = pa.array([one.above for one in listed], pa.float64())
    columns["recorded_at"] = pa.array([datetime.now(UTC)] * len(listed), TIME)
    store.insert_arrow("suppressions", pa.table(columns))


def read_suppressions(store: Store) -> list[Suppression]:
    """All that hold for some time, the latest to end first."""
    found = store.query_records(query("suppressions"), {"limit": MOST})
    return msgspec.convert(found, list[Suppression])


def lift(store: Store, account: str, kinds: Sequence[str], at: int) -> list[Suppression]:
    """End those of a pattern that would hold at the event time `at` or later, of some kinds or of any; how they are now."""
    lifted = [
        msgspec.structs.replace(one, until=max(at, one.since))
        for one in read_suppressions(store)
        if one.account == account and one.until > at and (not kinds or one.kinds == tuple(sorted(kinds)))
    ]
    write_suppressions(store, lifted)
    return lifted


def read_verdicts(store: Store) -> list[Verdict]:
    """The labels that people gave, the latest first."""
    return [Verdict(**record) for record in store.query_records(query("verdicts"), {"limit": MOST})]


def read_shift(store: Store, run_id: str, verdicts: Sequence[Verdict], settings: IncidentSettings) -> float:
    """Nats by which verdicts move the threshold of a run."""
    if not verdicts or not settings.verdict_gain:
        return 0.0
    totals = Totals(**store.query_records(query("verdict_totals"), {"run_id": run_id, "days": DAYS})[0])
    seen = store.query_records(query("verdict_sightings"), {"run_id": run_id})
    return threshold_shift(judge(verdicts, [Sighting(**one) for one in seen], totals.since), totals, settings)


def evidence_shown(store: Store, account: str, start: int, end: int) -> float:
    """Most evidence, ln(1 + odds), that incidents of an account have shown between two times; 0 when there was none."""
    score = store.query_rows(query("evidence_shown"), {"account": account, "start": start, "end": end})[0][0]
    return -math.log(1.0 - min(score or 0.0, _SURE))
