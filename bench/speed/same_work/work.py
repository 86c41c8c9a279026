"""The work on an event, and the clock around it."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid

import msgspec
from river.anomaly import HalfSpaceTrees


class Call(msgspec.Struct):
    """The fields that the work reads."""

    account_id: str
    input_tokens: int | None = None
    output_tokens: int | None = None


#: The parameters of each account's model.
MODEL = {"n_trees": 5, "height": 5, "seed": 7}


class Models:
    """One half-space tree model per account over two features, which lie in [0, 1)."""

    def __init__(self) -> None:
        self._models: dict[str, HalfSpaceTrees] = {}

    def score(self, account_id: str, input_tokens: int | None, output_tokens: int | None) -> float:
        """Score, then learn."""
        model = self._models.get(account_id)
        if model is None:
            model = self._models[account_id] = new_model()
        return score_and_learn(model, input_tokens, output_tokens)


def new_model() -> HalfSpaceTrees:
    return HalfSpaceTrees(**MODEL)


def score_and_learn(model: HalfSpaceTrees, input_tokens: int | None, output_tokens: int | None) -> float:
    inputs, outputs = input_tokens or 0, output_tokens or 0
    features = {"input": inputs / (inputs + 1000), "output": outputs / (outputs + 1000)}
    score = float(model.score_one(features))
    model.learn_one(features)
    return score


class Stopwatch:
    """Runs from the first event, or batch of them, to the last, then prints what it saw and ends the process."""

    def __init__(self, events: int) -> None:
        self._events = events
        self._seen = 0
        self._began = self._cpu = 0.0

    def start(self) -> None:
        """An event comes; the first one starts the clock."""
        if not self._began:
            self._began, self._cpu = time.perf_counter(), time.process_time()

    def done(self, events: int = 1) -> None:
        """An event is done, or several."""
        self._seen += events
        if self._seen >= self._events:
            seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
            result = json.dumps({"events": self._seen, "seconds": seconds, "cpu_seconds": cpu})
            # Faust replaces sys.stdout.
            os.write(1, f"{result}\n".encode())
            os._exit(0)


def arguments() -> tuple[str, str, int]:
    """Server, topic and number of events, as given on the command line."""
    server, topic, events = sys.argv[1:4]
    return server, topic, int(events)


def new_group(name: str) -> str:
    """A consumer group that nobody has used."""
    return f"bench-{name}-{uuid.uuid4().hex[:8]}"
