"""Parameters fitted to real traces by `bench/fit_traffic.py`; the JSON names its sources and their licences."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec


class Rates(msgspec.Struct, frozen=True):
    """How clients call: burstiness, spread of rates among clients, the shape of a day."""

    clients: int
    variation_quantiles: tuple[float, ...]
    """Coefficient of variation of the gaps between calls: 5, 25, 50, 75 and 95% of clients."""
    log_rate_deviation: float
    hour_profile: tuple[float, ...]
    """Rate of each hour over the mean; the hour is the server's."""
    hour_swing_quantiles: tuple[float, ...]


class Tokens(msgspec.Struct, frozen=True):
    """Mean and deviation of ln(input) and ln(output) of a client, and how they spread among clients."""

    clients: int
    columns: tuple[str, ...]
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    smallest: tuple[float, ...]
    largest: tuple[float, ...]
    reasoning_share_quantiles: tuple[float, ...]


class Traffic(msgspec.Struct, frozen=True):
    """All that was fitted."""

    sources: tuple[dict[str, str], ...]
    rates: Rates
    tokens: Tokens
    workloads: dict[str, dict[str, tuple[float, float]]]
    """Per kind of workload: mean and deviation of ln(tokens), input and output."""


@cache
def traffic() -> Traffic:
    """The fitted parameters."""
    return msgspec.json.decode(resources.files(__package__).joinpath("clients.json").read_bytes(), type=Traffic)
