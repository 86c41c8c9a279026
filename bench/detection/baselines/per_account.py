"""A model for each account, one account after the other, so that one model at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.detection.windows import DAY_S, HOUR_S, NO_SCORE, Float64, Int64, Windows

#: Rows of an account that are only learnt, by length of windows: a day of hours with calls, a week of days.
WARM_UP = {HOUR_S: 24, DAY_S: 7}


def rows_by_account(windows: Windows) -> Iterator[Int64]:
    """The rows of each account, in order of time."""
    order = np.argsort(windows.account, kind="stable")
    bounds = np.flatnonzero(np.diff(windows.account[order])) + 1
    yield from (rows for rows in np.split(order, bounds) if rows.size)


def scored_per_account(windows: Windows, create: Callable[[], Callable[[Float64], float]]) -> Float64:
    """Scores (N,) of windows. `create` makes an account's model: a function that scores a row of features and learns it.

    The first rows of an account have no score: these models call anything strange until they have seen something.
    """
    scores = np.full(len(windows), NO_SCORE)
    warm_up = WARM_UP[windows.window_s]
    for rows in rows_by_account(windows):
        score_and_learn = create()
        for number, row in enumerate(rows.tolist()):
            score = score_and_learn(windows.features[row])
            if number >= warm_up:
                scores[row] = score
    return scores
