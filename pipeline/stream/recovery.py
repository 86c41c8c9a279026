"""The engine of a partition as a worker finds it: gone on from the state in the store, or new."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pipeline.state import EngineState, StateError, decode_state
from pipeline.store.client import Store
from pipeline.store.snapshots import Chain, read_chain


class Remembering(Protocol):
    """What goes on from states."""

    def load(self, states: Iterable[EngineState]) -> list[str]:
        """Go on where a saved one was; the parts that begin anew. Raises `StateError`."""


E = TypeVar("E", bound=Remembering)


@dataclass(slots=True)
class OpenedEngine(Generic[E]):
    """An engine ready for the event at `next_offset`, and the generation that its own states will have."""

    engine: E
    next_offset: int
    generation: int
    restored: bool = False
    remarks: list[str] = field(default_factory=list)
    """What an operator should know, one line each."""


def open_engine(
    new: Callable[[], E], store: Store, run_id: str, partition: int, start: int, *, fresh: bool
) -> OpenedEngine[E]:
    """The engine, made by `new`, for a partition whose next event to be read is at the offset `start`.

    A `fresh` one has no past in this log, so states that are there belong to another. A state that is ahead of `start` is the
    normal case after a crash: events before its offset are in it and their rows in the store, so they are skipped. Raises the
    errors of the store.
    """
    # Newer than all generations before, also those of a worker that does not know yet that it has lost the partition.
    generation = time.time_ns() // 1000
    chain = read_chain(store, run_id, partition)
    if chain is not None:
        generation = max(generation, chain.generation + 1)
    opened = OpenedEngine(new(), start, generation)
    if fresh or chain is None:
        if not fresh:
            opened.remarks.append(f"no state in the store: a new engine begins at offset {start}")
        return opened
    try:
        anew = opened.engine.load(map(decode_state, chain.states))
    except StateError as error:
        opened.engine = new()
        opened.remarks.append(f"the state in the store cannot be used ({error}): a new engine begins at offset {start}")
        return opened
    opened.restored = True
    if anew:
        opened.remarks.append(f"begins anew, since its settings are others now: {', '.join(anew)}")
    opened.remarks += _gap(chain, start)
    opened.next_offset = max(start, chain.offset + 1)
    return opened


def _gap(chain: Chain, start: int) -> list[str]:
    missing = start - chain.offset - 1
    if missing <= 0:
        return []
    return [f"the state ends at offset {chain.offset} and reading begins at {start}: {missing} events are in no state"]
