"""How a worker is: its gauges brought up to date, and what an operator should look at."""

from __future__ import annotations

import time

from pipeline.stream import metrics as m
from pipeline.stream.worker import StreamWorker

#: A worker is degraded when a partition with work has not moved its offset for this long.
STALLED_S = 60.0
#: And when the broker has not answered a fetch for this long; it answers at least twice a second, with nothing.
SILENT_S = 10.0


def checkpoint_s_ago(worker: StreamWorker) -> float | None:
    """Seconds since the partition whose state is oldest had its last checkpoint; None before the first of any."""
    times = [lane.checkpoints.written_at for lane in worker.lanes.values() if lane.checkpoints.written_at]
    return round(time.time() - min(times), 1) if times else None


def problems(worker: StreamWorker) -> list[str]:
    """What an operator should look at, one line each; empty when all is well."""
    stalled, silent = worker.consumer.stalled_s(), worker.consumer.silent_s()
    found = [worker.failure, worker.sink.problem]
    if silent > SILENT_S:
        found.append(f"the broker has not answered for {silent:.0f} s")
    if stalled > max(STALLED_S, 2 * worker.settings.stream.checkpoint_s):
        found.append(f"committed offsets have not moved for {stalled:.0f} s though there is work")
    if worker.consumer.missing_offsets:
        found.append(f"{worker.consumer.missing_offsets} records were dropped by retention before they were read")
    return [line for line in found if line]


def refresh(worker: StreamWorker) -> None:
    """Bring the gauges up to date."""
    consumer, metrics = worker.consumer, worker.metrics
    for gauge in (m.LAG, m.COMMITTED, m.WATERMARK, m.STATE_BYTES, m.CHECKPOINT_AT, m.SILENCE):
        metrics.clear(gauge)
    api_calls = worker.settings.stream.api_calls_topic
    for tp, end in consumer.ends.items():
        lane = worker.lanes.get(tp.partition) if tp.topic == api_calls else None
        ledger = consumer.ledgers.get(tp)
        done = lane.next_offset if lane else (ledger.committed if ledger else None)
        metrics.put(m.LAG, max(0, end - (done or 0)), tp.topic, str(tp.partition))
    for tp, ledger in consumer.ledgers.items():
        if ledger.committed is not None:
            metrics.put(m.COMMITTED, ledger.committed, tp.topic, str(tp.partition))
    for partition, lane in worker.lanes.items():
        metrics.put(m.WATERMARK, lane.engine.watermark, str(partition))
        metrics.put(m.STATE_BYTES, lane.checkpoints.state_bytes, str(partition))
        metrics.put(m.CHECKPOINT_AT, lane.checkpoints.written_at, str(partition))
    for partition, silence in worker.silence.items():
        metrics.put(m.SILENCE, silence.seconds, str(partition))
    ages = [lane.checkpoints.age_s for lane in worker.lanes.values()]
    metrics.put(m.CHECKPOINT_AGE, max(ages, default=0.0))
    metrics.put(m.CAMPAIGN_WATERMARK, worker.campaigns.watermark)
    metrics.put(m.SIGNALS_LATE, worker.campaigns.late)
    metrics.put(m.ACCOUNTS, sum(lane.engine.accounts for lane in worker.lanes.values()))
    metrics.put(m.ACCOUNTS_RESIDENT, sum(lane.engine.resident for lane in worker.lanes.values()))
    metrics.put(m.PARTITIONS, len(consumer.ledgers))
    metrics.put(m.COMMIT_STALLED, consumer.stalled_s())
    metrics.put(m.SILENT, consumer.silent_s())
    metrics.put(m.COMMIT_FAILURES, consumer.commit_failures)
    metrics.put(m.MISSING, consumer.missing_offsets)
    metrics.put(m.STORE_ERRORS, worker.sink.store_retries)
    metrics.put(m.REBALANCES, worker.app.rebalancing_count)
    metrics.put(m.SUPPRESSIONS, len(worker.feedback.newest.suppressions))
    metrics.put(m.THRESHOLD_SHIFT, worker.feedback.newest.shift)
    metrics.put(m.REJECT_SHARE, worker.guard.share)
