"""Two weeks of real clients of a large language model service: their rates, ten minutes by ten minutes, and their token counts.

ServeGen (alibaba/ServeGen, Apache-2.0) publishes rates and distributions, not requests. Calls are drawn from them, thinned to at
most a few hundred a day and client; so thinned, arrivals within ten minutes are nearly Poisson's, whatever they were.
"""

from __future__ import annotations

import ast
import csv
import heapq
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.detection.real.watch import Seen, needed, watch
from pipeline.event import ApiCall
from replay.scenarios import DECEMBER_2024

_MODELS = ("m-mid", "m-small")
_STEP_S, _DAY_S = 600, 86_400
#: Calls a day of a client, at most in the mean.
_CALLS_A_DAY = 200.0
_NOTE = (
    "real rhythms and token counts; requests are drawn from them and thinned, and taken for honest. The scenarios are fitted "
    "to the same clients, so this is no independent look at sizes, only at how rates move over two weeks"
)
Floats = NDArray[np.float64]


def clients(root: Path) -> Seen:
    """The clients of two models over 14 days."""
    traces = dict(_members(needed(root, "servegen/servegen_traces.tar.xz"), "-trace.csv"))
    tokens = dict(_members(needed(root, "servegen/servegen_token_pdfs.tar.xz"), "-dataset.json"))
    streams = [
        _calls(name.replace("/", "-"), traces[name], json.loads(tokens[name]), np.random.default_rng([702_498, number]))
        for number, name in enumerate(sorted(traces.keys() & tokens.keys()))
    ]
    return watch("ServeGen clients", heapq.merge(*streams, key=lambda call: call.ts), _NOTE)


def _members(path: Path, ending: str) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.name.endswith(ending) else None
            parts = member.name.split("/")
            if content is not None and parts[-2] in _MODELS:
                yield f"{parts[-2]}/{parts[-1].removesuffix(ending)}", content.read().decode()


def _calls(name: str, trace: str, dataset: dict[str, dict[str, str]], random: np.random.Generator) -> Iterator[ApiCall]:
    rows = np.array([[float(row[0]), float(row[1])] for row in csv.reader(io.StringIO(trace))])
    segments = {int(start): one for start, text in dataset.items() if (one := _segment(text)) is not None}
    rates = rows[:, 1]
    if not segments or not rates.any():
        return
    thinned = rates * min(1.0, _CALLS_A_DAY / (rates.mean() * _DAY_S))
    number = 0
    for start_s, count in zip(rows[:, 0], random.poisson(thinned * _STEP_S), strict=True):
        if not count:
            continue
        # The latest distribution there is, or the first one for what came before it.
        known = [at for at in segments if at <= start_s] or [min(segments)]
        tokens_in, tokens_out = (random.choice(values, count, p=weights) for values, weights in segments[max(known)])
        times = np.sort(random.uniform(start_s, start_s + _STEP_S, count))
        for at, prompt, answer in zip(times.tolist(), tokens_in.tolist(), tokens_out.tolist(), strict=True):
            number += 1
            yield ApiCall(
                event_id=f"{name}-{number}",
                ts=DECEMBER_2024 + int(at * 1000),
                account_id=name,
                operation="chat",
                status=200,
                input_tokens=int(prompt),
                output_tokens=int(answer),
            )


def _segment(text: dict[str, Any]) -> list[tuple[Floats, Floats]] | None:
    # Values and weights of input and of output tokens; None where one has none.
    found = []
    for field in ("input_tokens", "output_tokens"):
        weights: dict[float, float] = ast.literal_eval(text[field])
        if not weights:
            return None
        values, shares = np.array(list(weights)), np.array(list(weights.values()))
        found.append((values, shares / shares.sum()))
    return found
