"""What an operator without models would do: a daily limit for all, and a daily z-score for each account."""

from __future__ import annotations

import numpy as np

from bench.detection.baselines.per_account import rows_by_account
from bench.detection.windows import NO_SCORE, Float64, Int64, Windows

_DAY_MS = 86_400_000
#: Days with calls that an account must have behind it before it has a usual day.
_LEAST_DAYS = 5
#: Deviations are never taken to be less than this share of the median, nor less than a thousand tokens.
_LEAST_DEVIATION = (0.05, 1000.0)


def daily_tokens(windows: Windows) -> Float64:
    """Output tokens (N,) of the account's day (UTC) so far: a limit on it stops an account within the day."""
    scores = np.zeros(len(windows))
    for rows in rows_by_account(windows):
        scores[rows] = _so_far(windows, rows)[0]
    return scores


def robust_z_score(windows: Windows) -> Float64:
    """Modified z-scores (N,) of the day's output tokens so far: 0.6745 (x - median) / MAD over the account's past days with calls
    (Iglewicz and Hoaglin 1993)."""
    scores = np.full(len(windows), NO_SCORE)
    for rows in rows_by_account(windows):
        so_far, day = _so_far(windows, rows)
        past: list[float] = []
        median = deviation = 0.0
        for place, row in enumerate(rows.tolist()):
            if place and day[place] != day[place - 1]:
                past.append(float(so_far[place - 1]))
                median = float(np.median(past))
                spread = float(np.median(np.abs(np.array(past) - median)))
                deviation = max(spread, _LEAST_DEVIATION[0] * median, _LEAST_DEVIATION[1])
            if len(past) >= _LEAST_DAYS:
                scores[row] = 0.6745 * (so_far[place] - median) / deviation
    return scores


def _so_far(windows: Windows, rows: Int64) -> tuple[Float64, Int64]:
    # Tokens of the day up to and with each row of one account, and the day.
    day = (windows.end_ms[rows] - 1) // _DAY_MS
    total = np.cumsum(windows.output_tokens[rows])
    begins = np.searchsorted(day, day, side="left")
    before = np.concatenate([[0.0], total])[begins]
    return total - before, day
