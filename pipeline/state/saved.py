"""What an engine remembers, or what of it has changed since it was last taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
#: Any dtype of fixed size, records too; an array of objects holds `bytes` only.
Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Saved:
    """What one part of an engine remembers: something of each account, and something that all of them share."""

    rows: Array | None = None
    """(n, …): of the n accounts that were asked for, in their order; None where a part keeps nothing of accounts."""
    shared: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an engine and the settings it depends on: under other settings what it saved means nothing."""

    settings: str
    saved: Saved


@dataclass(frozen=True, slots=True)
class EngineState:
    """The state of a partition's engine, or the changes since the one before it.

    Accounts have numbers (slots). `accounts` are the ids of those from number `first_new` on, `reused` (m,) the numbers before
    that which went to others, `reused_by` (m,) to whom; an empty id means that the number is free. `slots` (n,) are those
    whose rows are in the parts, each once.
    """

    partition: int
    first_new: int
    accounts: list[str]
    slots: Int64
    parts: Mapping[str, Part]
    reused: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    reused_by: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether it stands for itself, and is not a change of an earlier one."""
        return self.first_new == 0
