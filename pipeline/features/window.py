"""Features of a closed window, computed for many windows at once from its sums and distinct counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.features.extract import ClosedWindows
from pipeline.features.layout import DISTINCT_NAMES, SUM_NAMES

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowFeature:
    """A feature of a window: what it would show, and how it comes from the windows' columns."""

    shows: str
    compute: Callable[[ClosedWindows], Float64]


def _sum(windows: ClosedWindows, name: str) -> Float64:
    column: Float64 = windows.sums[:, SUM_NAMES.index(name)]
    return column


def _log_sum(name: str) -> Callable[[ClosedWindows], Float64]:
    return lambda windows: np.log1p(_sum(windows, name))


def _log_distinct(name: str) -> Callable[[ClosedWindows], Float64]:
    index = DISTINCT_NAMES.index(name)
    return lambda windows: np.log1p(windows.distinct[:, index])


def _share(part: str, whole: str) -> Callable[[ClosedWindows], Float64]:
    return lambda windows: _sum(windows, part) / np.maximum(_sum(windows, whole), 1.0)


WINDOW_FEATURES = {
    "log_calls": WindowFeature("ln(1 + calls): volume", _log_sum("calls")),
    "log_input_tokens": WindowFeature("ln(1 + input tokens): volume sent", _log_sum("input_tokens")),
    "log_output_tokens": WindowFeature("ln(1 + output tokens): volume drawn", _log_sum("output_tokens")),
    "log_reasoning_tokens": WindowFeature(
        "ln(1 + reasoning tokens): elicitation of reasoning", _log_sum("reasoning_tokens")
    ),
    "log_output_tokens_max": WindowFeature(
        "ln(1 + largest output of a call): answers drawn out to the limit", _log_sum("output_tokens_max")
    ),
    "log_distinct_prompts": WindowFeature(
        "ln(1 + distinct prompts): breadth of what is asked", _log_distinct("distinct_prompts")
    ),
    "log_distinct_families": WindowFeature(
        "ln(1 + distinct families of near-equal prompts): templates in use", _log_distinct("distinct_families")
    ),
    "log_distinct_models": WindowFeature("ln(1 + distinct models): sampling several", _log_distinct("distinct_models")),
    "log_distinct_keys": WindowFeature("ln(1 + distinct keys): rotation", _log_distinct("distinct_keys")),
    "log_distinct_addresses": WindowFeature(
        "ln(1 + distinct addresses): a shared or stolen account", _log_distinct("distinct_addresses")
    ),
    "log_distinct_user_agents": WindowFeature(
        "ln(1 + distinct user agents): several programs at once", _log_distinct("distinct_user_agents")
    ),
    "error_share": WindowFeature("share of calls with status 400 or more", _share("errors", "calls")),
    "throttled_share": WindowFeature("share of calls with status 429", _share("throttled", "calls")),
    "logprobs_share": WindowFeature("share of calls that ask for log-probabilities", _share("logprobs_calls", "calls")),
    "reasoning_share": WindowFeature(
        "reasoning tokens over output tokens", _share("reasoning_tokens", "output_tokens")
    ),
}


def window_features(windows: ClosedWindows, names: tuple[str, ...]) -> Float64:
    """The features `names` of each window: shape (M, len(names))."""
    if not names:
        return np.empty((len(windows), 0))
    return np.column_stack([WINDOW_FEATURES[name].compute(windows) for name in names])
