"""What baselines see: closed windows of accounts as columns, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

HOUR_S, DAY_S = 3600, 86_400
#: The score of a window that a detector says nothing about.
NO_SCORE = -np.inf
#: Features of a window that multivariate baselines get, and the bounds within which they lie.
FEATURES = {
    "log_calls": (0.0, 15.0),
    "log_input_tokens": (0.0, 20.0),
    "log_output_tokens": (0.0, 20.0),
    "reasoning_share": (0.0, 1.0),
    "logprobs_share": (0.0, 1.0),
    "log_families": (0.0, 10.0),
}


@dataclass(frozen=True, slots=True)
class Windows:
    """N closed windows of one length, by their end and within it by account."""

    window_s: int
    account_id: Sequence[str]
    """By code."""
    account: Int64
    """(N,) codes."""
    end_ms: Int64
    """(N,) epoch milliseconds."""
    output_tokens: Float64
    """(N,)."""
    features: Float64
    """(N, len(FEATURES))."""

    def __len__(self) -> int:
        return int(self.account.size)

    def __getitem__(self, part: slice) -> Windows:
        return Windows(
            self.window_s,
            self.account_id,
            self.account[part],
            self.end_ms[part],
            self.output_tokens[part],
            self.features[part],
        )


def windows_of(rows: Iterable[tuple[Any, ...]], window_s: int) -> Windows:
    """Lay out rows of `sql/windows.sql`."""
    table = list(rows)
    account_id, account = np.unique([row[0] for row in table], return_inverse=True)
    numbers = np.array([row[1:] for row in table], np.float64).reshape(-1, 7)
    end_ms, calls, tokens_in, tokens_out, reasoning, logprobs, families = numbers.T
    features = (
        np.log1p(calls),
        np.log1p(tokens_in),
        np.log1p(tokens_out),
        reasoning / np.maximum(tokens_out, 1.0),
        logprobs / np.maximum(calls, 1.0),
        np.log1p(families),
    )
    return Windows(
        window_s,
        account_id.tolist(),
        account.astype(np.int64),
        end_ms.astype(np.int64),
        tokens_out,
        np.column_stack(features),
    )
