"""What workers say of themselves: their pages `/health` and `/metrics`, read and added up."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.stream import metrics as m
from pipeline.stream.metrics import Metric

PATIENCE_S = 3.0
#: Of which the largest tells; everything else is added up.
_LARGEST = frozenset({m.CHECKPOINT_AGE, m.COMMIT_STALLED, m.SILENT, m.REJECT_SHARE})
_LINE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What the workers said at one time."""

    at: float
    """Monotonic seconds."""
    states: Mapping[str, str]
    """Of each address: the worker's state, or why there is none."""
    problems: Sequence[str] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    """Of each metric that some worker has, by name."""
    rejects: Mapping[str, float] = field(default_factory=dict)
    """Rejects by reason."""
    watermark_ms: float | None = None
    """Event time up to which the windows of the slowest partition are closed."""
    answered: int = 0

    def get(self, metric: Metric) -> float:
        """A metric's value over all workers; 0 where none has it."""
        return self.values.get(metric.name, 0.0)


def read_workers(addresses: Sequence[str]) -> Sample:
    """Ask every worker; one that does not answer is told by its state."""
    states: dict[str, str] = {}
    problems: list[str] = []
    values: dict[str, float] = {}
    rejects: dict[str, float] = defaultdict(float)
    watermarks: list[float] = []
    answered = 0
    largest = {metric.name for metric in _LARGEST}
    for address in addresses:
        try:
            health = json.loads(_body(f"{address}/health"))
            lines = list(parse(_body(f"{address}/metrics").decode()))
            states[address] = str(health["state"])
            problems += [str(problem) for problem in health["problems"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            states[address] = f"no worker answers ({getattr(error, 'reason', error)})"
            continue
        answered += 1
        summed: dict[str, float] = defaultdict(float)
        for name, labels, value in lines:
            summed[name] += value
            if name == m.REJECTED.name:
                rejects[labels.get("reason", "")] += value
            elif name == m.WATERMARK.name and value > 0:
                watermarks.append(value)
        for name, value in summed.items():
            before = values.get(name, 0.0)
            values[name] = max(before, value) if name in largest else before + value
    return Sample(
        time.monotonic(),
        states,
        tuple(dict.fromkeys(problems)),
        values,
        dict(rejects),
        min(watermarks, default=None),
        answered,
    )


def rate(before: Sample | None, now: Sample, metric: Metric) -> float | None:
    """How much a counter grew a second between two samples; None without two, or where a worker began anew."""
    if before is None or not before.answered or before.answered != now.answered or now.at <= before.at:
        return None
    grown = now.get(metric) - before.get(metric)
    return grown / (now.at - before.at) if grown >= 0 else None


def parse(text: str) -> Iterable[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each line in Prometheus' text format; lines that are none are left out."""
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        try:
            value = float(found["value"])
        except ValueError:
            continue
        yield found["name"], dict(_LABEL.findall(found["labels"] or "")), value


def _body(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return bytes(answer.read(_MOST_BYTES))
    except urllib.error.HTTPError as unwell:
        # A worker with problems says which with a status that is an error.
        return bytes(unwell.read(_MOST_BYTES))
