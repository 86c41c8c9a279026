"""Parameters fitted to real traces by `bench/fit_traffic.py`; the JSON names its sources and their licences."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

#: ServeGen's groups of clients whose traces go over days, so that their daily profile means something.
_WITH_DAYS = ("m-mid", "m-small")


class Client(msgspec.Struct, frozen=True):
    """A real API client of ServeGen."""

    rate: float
    """Mean calls per second."""
    cv: float
    """Coefficient of variation of the gaps between calls."""
    weibull: float
    profile: tuple[float, ...]
    """Rate of each hour of the day over the mean."""
    input: tuple[int, ...]
    """Quantiles of input tokens at `Traffic.grid`."""
    output: tuple[int, ...]
    reasoning: float
    """Share of output that is reasoning; 0 where the model does not reason."""


class Traffic(msgspec.Struct, frozen=True):
    """All that was fitted."""

    sources: dict[str, str]
    grid: tuple[float, ...]
    """Probabilities of the quantiles."""
    servegen: dict[str, tuple[Client, ...]]
    azure_code: dict[str, tuple[float, ...]]
    azure_conv: dict[str, tuple[float, ...]]
    mooncake: dict[str, tuple[float, ...]]

    @property
    def clients(self) -> tuple[Client, ...]:
        """All clients, by group."""
        return tuple(client for name in sorted(self.servegen) for client in self.servegen[name])

    @property
    def clients_with_days(self) -> tuple[Client, ...]:
        """Clients whose profile over the day comes from two weeks."""
        return tuple(client for name in _WITH_DAYS for client in self.servegen[name])

    @property
    def reasoning_shares(self) -> tuple[float, ...]:
        """Reasoning over output of the clients of a reasoning model."""
        return tuple(client.reasoning for client in self.clients if client.reasoning > 0.0)


@cache
def traffic() -> Traffic:
    """The fitted parameters."""
    return msgspec.json.decode(resources.files(__package__).joinpath("traffic.json").read_bytes(), type=Traffic)
