"""The reference of metrics, made from their list.

``python -m pipeline.stream.metrics_reference > docs/metrics.md`` writes it anew; a test tells when it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.stream.metrics import METRICS

_INTRODUCTION = """# Metrics

What a worker tells on `/metrics`, for Prometheus. Counters begin at 0 when a worker starts; each worker tells of its own
partitions. Dashboards and alert rules that use them: [deployment](deployment.md), [operations](operations.md).

This page is made from `pipeline/stream/metrics.py` by `python -m pipeline.stream.metrics_reference`.

| metric | kind | labels | meaning |
| --- | --- | --- | --- |
"""


def reference() -> str:
    """The whole page, in Markdown."""
    return _INTRODUCTION + "".join(_rows())


def _rows() -> Iterator[str]:
    for metric in METRICS:
        yield f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} |\n"


if __name__ == "__main__":
    print(reference(), end="")
