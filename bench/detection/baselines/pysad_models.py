"""Two models of PySAD, each one model for all accounts: their windows hold more rows than an account has days."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.detection.windows import FEATURES, NO_SCORE, Float64, Windows

_SEED = 42
#: Rows that are only learnt: the first window of xStream.
_WARM_UP = 256


def x_stream(windows: Windows) -> Float64:
    """xStream (Manzoor et al. 2018) with PySAD's defaults."""
    from pysad import models

    return _scored(windows, models.xStream(random_state=_SEED))


def rs_hash(windows: Windows) -> Float64:
    """RS-Hash (Sathe and Aggarwal 2016) with PySAD's defaults, within the features' bounds."""
    from pysad import models

    least, most = np.array(list(FEATURES.values())).T
    return _scored(windows, models.RSHash(feature_mins=least, feature_maxes=most, random_state=_SEED))


def _scored(windows: Windows, model: Any) -> Float64:
    # Scores a row, then learns it.
    scores = np.array([float(model.fit_score_partial(row)) for row in windows.features])
    scores[:_WARM_UP] = NO_SCORE
    return scores
