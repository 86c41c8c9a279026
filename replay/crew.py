"""Who runs the engines: this process, or several others with the partitions shared out, over bounded queues."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from pipeline.stream.embedded import die_with_parent
from replay.chunk import Chunk
from replay.errors import ReplayError
from replay.shard import Orders, Outcome, Shard, Start

#: Chunks that wait for a process at most, and outcomes that wait for the store at most.
QUEUED_CHUNKS, QUEUED_OUTCOMES = 8, 4
#: How often a process that waits looks whether the others are still there.
_LOOK_S = 1.0
_PAUSE_S = 0.05

Tell = Callable[[Outcome], None]


class Crew(Protocol):
    """The engines of all partitions. What they say is told to the callable that the crew was made with, in one thread.

    Of one partition outcomes come in order. Each verb raises what went wrong since the last.
    """

    def take(self, chunk: Chunk) -> None:
        """Hand events over; waits while too much is under way."""

    def save(self, committed: Callable[[], None]) -> None:
        """Have every partition give its state, then call `committed` where outcomes are told."""

    def check(self) -> None:
        """Raise what went wrong, after a moment in which something may be told."""

    def finish(self) -> None:
        """The events have ended: let all of it be told."""

    def close(self) -> None:
        """Let go of everything, finished or not."""


class Alone:
    """The engines in this process."""

    def __init__(self, orders: Orders, starts: Mapping[int, Start], generation: int, tell: Tell) -> None:
        self._shard = Shard(orders, starts, generation)
        self._tell = tell
        self._tell_all(self._shard.open())

    def take(self, chunk: Chunk) -> None:
        """Run the engine."""
        self._tell_all(self._shard.take(chunk))

    def save(self, committed: Callable[[], None]) -> None:
        """Save now."""
        self._tell_all(self._shard.save())
        committed()

    def check(self) -> None:
        """Nothing is under way."""

    def finish(self) -> None:
        """Run the engines on what is left."""
        self._tell_all(self._shard.finish())

    def close(self) -> None:
        """Nothing is held."""

    def _tell_all(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._tell(outcome)


class Processes:
    """The engines in `count` processes of their own; what they say is told in a thread."""

    def __init__(
        self,
        count: int,
        share: Mapping[int, int] | None,
        orders: Orders,
        starts: Mapping[int, Start],
        generation: int,
        tell: Tell,
    ) -> None:
        """`share` gives the process of each partition; one it does not name goes by its number. None when `assign` will."""
        # Spawned, not forked: this process has threads, of the store among others.
        context = multiprocessing.get_context("spawn")
        self._share: Mapping[int, int] = {}
        self._starts = starts
        self._tell = tell
        self._failure: BaseException | None = None
        self._committed: list[Callable[[], None]] = []
        self._unsaved: list[int] = []
        self._finished = 0
        self._closing = False
        self._outbox = context.Queue(QUEUED_OUTCOMES * count)
        self._inboxes = [context.Queue(QUEUED_CHUNKS) for _ in range(count)]
        self._workers = []
        for number, inbox in enumerate(self._inboxes):
            arguments = (number, orders, generation, inbox, self._outbox)
            self._workers.append(context.Process(target=_work, args=arguments, name=f"replay {number}", daemon=True))
        for worker in self._workers:
            worker.start()
        self._listener = threading.Thread(target=self._listen, name="replay outcomes", daemon=True)
        self._listener.start()
        if share is not None:
            self.assign(share)

    def assign(self, share: Mapping[int, int]) -> None:
        """Share the partitions out, once and before anything else; until then the processes get themselves ready."""
        self._share = share
        for number in range(len(self._workers)):
            own = {partition: start for partition, start in self._starts.items() if self._whose(partition) == number}
            self._put(number, ("open", own))

    def take(self, chunk: Chunk) -> None:
        """Hand events to the process that has the partition."""
        self._put(self._whose(chunk.partition), ("take", chunk))

    def save(self, committed: Callable[[], None]) -> None:
        """Ask every process for states."""
        self._committed.append(committed)
        self._unsaved.append(len(self._workers))
        for number in range(len(self._workers)):
            self._put(number, ("save", None))

    def check(self) -> None:
        """Wait a moment for the other processes."""
        self._listener.join(_PAUSE_S)
        self._raise()

    def finish(self) -> None:
        """Wait until all is told."""
        for number in range(len(self._workers)):
            self._put(number, ("finish", None))
        while self._listener.is_alive():
            self._listener.join(_LOOK_S)
        self._raise()

    def close(self) -> None:
        """End the processes."""
        self._closing = True
        self._listener.join()
        for worker in self._workers:
            if worker.is_alive():
                worker.terminate()
            worker.join()
        for one in (*self._inboxes, self._outbox):
            one.cancel_join_thread()
            one.close()

    def _whose(self, partition: int) -> int:
        return self._share.get(partition, partition % len(self._inboxes))

    def _put(self, number: int, order: tuple[str, Any]) -> None:
        while True:
            self._raise()
            try:
                self._inboxes[number].put(order, timeout=_LOOK_S)
                return
            except queue.Full:
                continue

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _listen(self) -> None:
        try:
            while self._finished < len(self._workers) and not self._closing:
                try:
                    kind, what = self._outbox.get(timeout=_LOOK_S)
                except queue.Empty:
                    self._look_after()
                    continue
                self._hear(kind, what)
        except BaseException as error:
            self._failure = error

    def _hear(self, kind: str, what: Any) -> None:
        if kind == "outcome":
            self._tell(what)
        elif kind == "saved":
            self._unsaved[0] -= 1
            if not self._unsaved[0]:
                self._unsaved.pop(0)
                self._committed.pop(0)()
        elif kind == "finished":
            self._finished += 1
        else:
            raise ReplayError(what)

    def _look_after(self) -> None:
        for worker in self._workers:
            if worker.exitcode not in (None, 0):
                raise ReplayError(
                    f"a process of the replay ended with {worker.exitcode}: give it more memory, or fewer --processes"
                )


def _work(number: int, orders: Orders, generation: int, inbox: Any, outbox: Any) -> None:
    # Ctrl-C goes to all processes of the terminal; the one that started these decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Killed in the middle of a message, it leaves this one reading the rest for ever: others hold the pipe open.
    if (end_with_parent := die_with_parent()) is not None:
        end_with_parent()
    try:
        _, starts = _patiently(lambda: inbox.get(timeout=_LOOK_S))
        shard = Shard(orders, starts, generation)
        _tell_all(outbox, shard.open())
        while True:
            kind, what = _patiently(lambda: inbox.get(timeout=_LOOK_S))
            if kind == "take":
                _tell_all(outbox, shard.take(what))
            elif kind == "save":
                _tell_all(outbox, shard.save())
                _send(outbox, ("saved", number))
            else:
                _tell_all(outbox, shard.finish())
                _send(outbox, ("finished", number))
                return
    except Exception as error:
        _send(outbox, ("failed", f"{type(error).__name__}: {error}"))


def _tell_all(outbox: Any, outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        _send(outbox, ("outcome", outcome))


def _send(outbox: Any, message: tuple[str, Any]) -> None:
    _patiently(lambda: outbox.put(message, timeout=_LOOK_S))


def _patiently(attempt: Callable[[], Any]) -> Any:
    parent = multiprocessing.parent_process()
    while True:
        try:
            return attempt()
        except (queue.Empty, queue.Full):
            if parent is not None and not parent.is_alive():
                # Killed; the queues' threads would wait for it for ever.
                os._exit(1)


def shares(weights: Mapping[int, int], processes: int) -> dict[int, int]:
    """The process of each partition, so that each gets about as much: the heaviest first, to who has least."""
    loads = [0] * processes
    found = {}
    for partition, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0])):
        least = loads.index(min(loads))
        found[partition] = least
        loads[least] += weight
    return found


def new_generation(*before: int) -> int:
    """A number for the states of a new life of the engines, above those of earlier ones."""
    return max(time.time_ns() // 1000, *(one + 1 for one in before), 0)
