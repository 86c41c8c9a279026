"""Stillwatch on the corpus: one detector of the program with its defaults, each series an account of its own, row by row."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.detection.nab.corpus import Series
from bench.detection.nab.scoring import Float64
from pipeline.detectors.novelty import NoveltyDetector

#: The anomaly score from which on a row is a detection, whatever the corpus: evidence of half a nat.
SHIPPED_THRESHOLD = 0.4


#: Each constant of the detector halved and doubled.
VARIED: dict[str, tuple[float, float]] = {
    "memory": (64, 256),
    "half_life": (500.0, 2000.0),
    "refractory": (25.0, 100.0),
    "habituation": (0.05, 0.2),
    "learning": (50, 200),
}


def create_detector(**varied: Any) -> NoveltyDetector:
    """`stillwatch.Novelty` as the settings make it when they give no parameters, or `varied` ones."""
    return NoveltyDetector("nab", 1, fill_zeros=False, **varied)


def anomaly_scores(values: Float64, detector: NoveltyDetector | None = None, slot: int = 0) -> Float64:
    """Scores (N,) in [0, 1) of values (N,), each made before the detector learns the value: 1 - exp(-evidence)."""
    detector = detector or create_detector()
    slots = np.full(values.size, slot)
    judged = detector.judge(slots, values[:, None], np.zeros_like(slots))
    return -np.expm1(-judged.raw)


def detect(corpus: Sequence[Series], **varied: Any) -> tuple[list[Float64], float]:
    """The anomaly scores of each series, and seconds per row; `varied` are other constants of the detector."""
    # Compiled loops are loaded before the clock runs.
    anomaly_scores(np.arange(10.0))
    detector = create_detector(**varied)
    begin = time.perf_counter()
    scores = [anomaly_scores(one.values, detector, slot) for slot, one in enumerate(corpus)]
    return scores, (time.perf_counter() - begin) / sum(one.values.size for one in corpus)
