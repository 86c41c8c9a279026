"""Whether scores are exceeded as often as they say, on accounts that nobody calls extracting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from pipeline.store.client import Store
from replay.queries import query
from replay.window import Window

_COUNTS = ("scores", "above_9", "above_99", "above_999")


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of calls, or of windows of one length."""

    what: str
    """`calls`, or `windows of N s`."""
    scores: int
    above_9: float
    """Share of scores above 0.9; 0.1 if they keep their word. Likewise the others."""
    above_99: float
    above_999: float


def read_calibration(store: Store, run_id: str, extracting: Iterable[str], window: Window) -> tuple[Calibration, ...]:
    """The shares of a run's scores above 0.9, 0.99 and 0.999, accounts that are labelled as extracting left out."""
    within = {"run_id": run_id, **window.bounds}
    counts = _counts(store, within, [])
    wanted = sorted(extracting)
    for at in range(0, len(wanted), 1000):
        for window_s, some in _counts(store, within, wanted[at : at + 1000]).items():
            counts[window_s].subtract(some)
    return tuple(
        Calibration(
            what=f"windows of {window_s} s" if window_s else "calls",
            scores=some["scores"],
            above_9=some["above_9"] / some["scores"],
            above_99=some["above_99"] / some["scores"],
            above_999=some["above_999"] / some["scores"],
        )
        for window_s, some in sorted(counts.items())
        if some["scores"] > 0
    )


def _counts(store: Store, within: dict[str, object], accounts: list[str]) -> dict[int, Counter[str]]:
    rows = store.query_records(query("calibration"), {**within, "accounts": accounts})
    return {row["window_s"]: Counter({name: row[name] for name in _COUNTS}) for row in rows}
