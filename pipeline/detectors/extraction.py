"""How much an account's latest hours look like extraction: evidence against its own past and against its peers, added up.

For each closed hour of an account the sums and mixes of `pipeline.features.behaviour` decay into those of its latest hours and
become the quantities of `pipeline.detectors.evidence`. Each line of evidence is a number of tokens drawn in a way beyond what
is usual for the account, or a quantity seen among its peers; ranked among those of all accounts (conformal p-values, Vovk et
al. 2005), it is worth -ln(p) nats. The weighted sum is the log-odds of extraction (weights of evidence, Good 1985). What an
account has been like all along counts half, so that an honest account that looks odd stays as it is.

A new account's usual is that of its peers; its own past gains weight with each hour (empirical Bayes, as `PeerLocationScale`).
Hours that surprise are learnt less, so that what is wrong does not soon become usual, and never enter what peers are compared
with. What is usual follows a ramp that is slow enough; growth since the account's first days does not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.base import Float64, Int64, Judgement
from pipeline.detectors.compiled import with_room
from pipeline.detectors.evidence import EVIDENCE, PRIOR_LOG_ODDS, QUANTITY_NAMES
from pipeline.detectors.extraction_loop import PEERS, judge_hours
from pipeline.features.behaviour import BINS, MIXES, SUMS
from pipeline.state import Saved, StateError
from pipeline.state.saved import Array

QUANTITIES = len(QUANTITY_NAMES)
LINES = len(EVIDENCE)

ACCOUNT = np.dtype(
    [
        # Of the latest hours: sums, mixes, and the day's output tokens of fresh prompts, decayed.
        ("sums", np.float32, SUMS),
        ("mix", np.float32, (MIXES, BINS)),
        ("day", np.float32),
        # The usual mix: hours count alike, however much was drawn in them.
        ("usual_mix", np.float32, (MIXES, BINS)),
        # Mean and variance of each quantity, and the hours they rest on.
        ("mean", np.float32, QUANTITIES),
        ("variance", np.float32, QUANTITIES),
        ("weight", np.float32),
        # Usual log-odds and the hours they rest on.
        ("usual", np.float32),
        ("usual_weight", np.float32),
        # A bit for each of the latest 24 hours with calls; hours since peers were last told of the account, -1 for a new one.
        ("hours", np.uint32),
        ("since_told", np.int32),
        # Of the logarithm of the day's output: that of the first days, the latest days', and hours since the first.
        ("early", np.float32),
        ("lately", np.float32),
        ("age", np.int32),
    ]
)


class ExtractionDetector:
    """A `pipeline.detectors.base.Detector` on hours of behaviour; `Judgement.raw` is ln(1 + odds), which for odds above 10 is
    log-odds."""

    def __init__(self, name: str, **weights: float) -> None:
        """`weights` replace those of `EVIDENCE`, by name; `prior_log_odds` may be among them. Raises ValueError for others."""
        known = {one.name: one.weight for one in EVIDENCE} | {"prior_log_odds": PRIOR_LOG_ODDS}
        unknown = sorted(weights.keys() - known)
        if unknown:
            raise ValueError(f"no such evidence: {', '.join(unknown)}; there are {', '.join(known)}")
        chosen = {key: float(value) for key, value in (known | weights).items()}
        if any(not math.isfinite(value) for value in chosen.values()):
            raise ValueError("weights must be finite numbers")
        self.name = name
        self._prior = chosen.pop("prior_log_odds")
        self._weights = np.array(list(chosen.values()))
        self._accounts: NDArray[np.void] = np.zeros(0, ACCOUNT)
        self._make_room(64)
        # Weight, means and variances of peers; then of each line the latest `PEERS` values, in order of arrival and
        # sorted, and of them the number, the place of the next, and the accounts they came from.
        self._peers = (np.zeros(1), np.zeros(QUANTITIES), np.zeros(QUANTITIES))
        self._ranks = (
            np.zeros((LINES, PEERS), np.float32),
            np.zeros((LINES, PEERS), np.float32),
            np.zeros(3, np.int64),
        )

    def judge(self, slots: Int64, values: Float64, empty_before: Int64) -> Judgement:
        """Score and learn hours; `values` (N, BEHAVIOURS) are those of `BEHAVIOUR_NAMES`. See `Detector`."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        count = slots.size
        raw = np.zeros(count)
        observed, expected, weight = (np.zeros((count, QUANTITIES)) for _ in range(3))
        nats = np.zeros((count, LINES))
        columns = tuple(self._accounts[name] for name in ACCOUNT.names or ())
        judge_hours(
            slots,
            np.ascontiguousarray(values),
            empty_before,
            columns,
            self._peers,
            self._ranks,
            self._weights,
            self._prior,
            (raw, observed, expected, weight, nats),
        )
        return Judgement(raw, expected, weight, QUANTITY_NAMES, observed)

    def save(self, slots: Int64) -> Saved:
        """What is remembered of `slots` and of the peers; see `Detector`."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        weight, mean, variance = self._peers
        latest, _, status = self._ranks
        return Saved(
            self._accounts[slots],
            {
                "weight": weight.copy(),
                "mean": mean.copy(),
                "variance": variance.copy(),
                "latest": latest.copy(),
                "status": status.copy(),
            },
        )

    def load(self, slots: Int64, saved: Saved) -> None:
        """Put that back; see `Detector`."""
        shared = saved.shared
        latest, ordered, status = self._ranks
        if saved.rows is None or saved.rows.dtype != ACCOUNT or shared["latest"].shape != latest.shape:
            raise StateError(f"the state of detector {self.name} is of another kind")
        self.restore(slots, saved.rows)
        for name, array in zip(("weight", "mean", "variance"), self._peers, strict=True):
            array[...] = shared[name]
        latest[...], status[...] = shared["latest"], shared["status"]
        known = int(status[0])
        ordered[:, :known] = np.sort(latest[:, :known], axis=1)

    def restore(self, slots: Int64, rows: Array) -> None:
        """Put the rows of some accounts back; see `Detector`."""
        self._make_room(int(slots.max(initial=-1)) + 1)
        self._accounts[slots] = rows

    def _make_room(self, slots: int) -> None:
        old = self._accounts.size
        self._accounts = with_room(self._accounts, slots)
        self._accounts["since_told"][old:] = -1
