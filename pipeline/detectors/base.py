"""What the engine asks of a detector, and what it hears back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature added to a raw score."""

    feature: str
    observed: float
    expected: float
    weight: float
    """Any non-negative scale; only its share among the contributions counts."""


class Detector(Protocol):
    """A model for each account slot, or one for all. Deterministic; raw scores are finite and larger when stranger.

    `values` are the features that the settings name, in their order. The engine calls `score`, then perhaps `explain`, then
    `learn`, in the order of events within an account.
    """

    name: str

    def score(self, slot: int, values: tuple[float, ...]) -> float:
        """The raw score of `values` before they are learnt: 0 for nothing strange, no upper limit."""

    def explain(self, slot: int, values: tuple[float, ...]) -> list[Contribution]:
        """Which features made the raw score, largest first."""

    def learn(self, slot: int, values: tuple[float, ...], empty_before: int) -> None:
        """Learn `values`, after `empty_before` windows without a call."""
