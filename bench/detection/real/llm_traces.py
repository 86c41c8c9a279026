"""Traces of large language model services. They have no accounts: each is one, a service's whole hour, among simulated others."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.detection.real.watch import Seen, needed, watch
from pipeline.event import ApiCall
from replay.scenarios import DECEMBER_2024, Mix, generate

_COMPANY, _DAYS, _SEED, _ON_DAY = 200, 7, 702_499, 5
_DAY_MS, _TEN_O_CLOCK_MS = 86_400_000, 36_000_000
_NOTE = (
    "one hour of all users of a service as one account that nobody has seen before: very large and new, which honest accounts "
    "seldom are"
)


def traces_among_others(root: Path) -> list[Seen]:
    """Azure's traces of 2023 (CC-BY-4.0, Microsoft) and Mooncake's conversations (Apache-2.0), each on a week's sixth day."""
    found = {
        f"azure-{kind}": _azure(needed(root, f"llm_traces/AzureLLMInferenceTrace_{kind}.csv.gz"))
        for kind in ("code", "conv")
    }
    found["mooncake"] = _mooncake(needed(root, "llm_traces/mooncake_conversation_trace.jsonl.gz"))
    ordinary = generate("late-2024", accounts=_COMPANY, days=_DAYS, seed=_SEED, mix=Mix(prevalence=0.0)).calls()
    calls = sorted(
        [*ordinary, *(call for name, rows in found.items() for call in _calls(name, rows))], key=lambda one: one.ts
    )
    return [watch(f"trace {name}", calls, _NOTE, among=frozenset({name})) for name in found]


def _calls(name: str, rows: Iterator[tuple[int, int, int]]) -> Iterator[ApiCall]:
    for number, (of_day_ms, tokens_in, tokens_out) in enumerate(rows):
        yield ApiCall(
            event_id=f"{name}-{number}",
            ts=DECEMBER_2024 + _ON_DAY * _DAY_MS + of_day_ms,
            account_id=name,
            operation="chat",
            status=200,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
        )


def _azure(path: Path) -> Iterator[tuple[int, int, int]]:
    with gzip.open(path, "rt") as stream:
        for row in csv.DictReader(stream):
            moment = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC)
            of_day_ms = int(moment.timestamp() * 1000) % _DAY_MS
            yield of_day_ms, int(row["ContextTokens"]), int(row["GeneratedTokens"])


def _mooncake(path: Path) -> Iterator[tuple[int, int, int]]:
    with gzip.open(path, "rt") as stream:
        for line in stream:
            row = json.loads(line)
            yield _TEN_O_CLOCK_MS + int(row["timestamp"]), int(row["input_length"]), int(row["output_length"])
