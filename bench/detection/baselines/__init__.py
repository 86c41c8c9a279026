"""Plain detectors of anomalies over the closed windows of accounts, each strictly online: a row is scored with nothing known of
later rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.detection.baselines.forests import random_cut_forest
from bench.detection.baselines.limits import daily_tokens, robust_z_score
from bench.detection.baselines.pysad_models import rs_hash, x_stream
from bench.detection.baselines.river_models import half_space_trees, loda
from bench.detection.windows import DAY_S, HOUR_S, Float64, Windows


@dataclass(frozen=True, slots=True)
class Baseline:
    """A detector that gives each window a score; the higher, the stranger."""

    name: str
    sees: str
    """What it looks at, and whether accounts have models of their own."""
    window_s: int
    score: Callable[[Windows], Float64]
    """Raises ImportError when its library is not installed."""


BASELINES = (
    Baseline("static limit", "tokens of the day so far, one limit for all", HOUR_S, daily_tokens),
    Baseline("robust z-score", "tokens of the day so far, per account", HOUR_S, robust_z_score),
    Baseline("River HalfSpaceTrees", "hours, per account", HOUR_S, half_space_trees),
    Baseline("River LODA", "hours, per account", HOUR_S, loda),
    Baseline("rrcf", "days, per account", DAY_S, random_cut_forest),
    Baseline("PySAD xStream", "days, one model for all", DAY_S, x_stream),
    Baseline("PySAD RSHash", "days, one model for all", DAY_S, rs_hash),
)
