"""The worker's pages: `/metrics` for Prometheus, `/health` for people and probes."""

from __future__ import annotations

from typing import Any

from pipeline.stream import metrics as m
from pipeline.stream.health import checkpoint_s_ago, problems, refresh
from pipeline.stream.worker import StreamWorker

PROMETHEUS = "text/plain; version=0.0.4"
UNWELL = 503


def add_pages(worker: StreamWorker) -> None:
    """Add the pages to the worker's app."""

    @worker.app.page("/metrics")
    async def metrics(view: Any, request: Any) -> Any:
        """All metrics in Prometheus' text format."""
        refresh(worker)
        return view.text(worker.metrics.render(), content_type=PROMETHEUS)

    @worker.app.page("/health")
    async def health(view: Any, request: Any) -> Any:
        """State and problems as JSON; status 503 when there are problems."""
        report = health_of(worker)
        return view.json(report, status=UNWELL if report["problems"] else 200)


def health_of(worker: StreamWorker) -> dict[str, Any]:
    """The worker's state: `starting`, `rebalancing`, `ok`, `degraded` or `stopping`, its problems and main counts."""
    refresh(worker)
    found = problems(worker)
    app, metrics = worker.app, worker.metrics
    state = "degraded" if found else "ok"
    if app.should_stop:
        state = "stopping"
    elif app.rebalancing:
        state = "rebalancing"
    elif not worker.consumer.ledgers:
        state = "starting"
    return {
        "state": state,
        "problems": found,
        "partitions": sorted(worker.lanes),
        "lag": int(metrics.get(m.LAG)),
        "commit_stalled_s": round(metrics.get(m.COMMIT_STALLED), 1),
        "checkpoint_s_ago": checkpoint_s_ago(worker),
        "state_bytes": int(metrics.get(m.STATE_BYTES)),
        "missing": int(metrics.get(m.MISSING)),
        "received": int(metrics.get(m.RECEIVED)),
        "accepted": int(metrics.get(m.ACCEPTED)),
        "rejected": int(metrics.get(m.REJECTED)),
        "duplicates": int(metrics.get(m.DUPLICATES)),
    }
