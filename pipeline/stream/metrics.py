"""The worker's metrics: each name in one typed list, from which `/metrics` and the documentation are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as Prometheus sees it; `labels` are the names of its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


RECEIVED = Metric(
    "stillwatch_events_received_total", "counter", "Records read from api-calls: accepted, rejected and duplicates."
)
ACCEPTED = Metric("stillwatch_events_accepted_total", "counter", "Events taken into the engine.")
REJECTED = Metric("stillwatch_events_rejected_total", "counter", "Records that could not be used.", ("reason",))
DUPLICATES = Metric("stillwatch_events_duplicate_total", "counter", "Events whose event_id had been counted before.")
REPEATED = Metric(
    "stillwatch_records_repeated_total", "counter", "Records read again after a rebalance and known to this worker."
)
LATE = Metric(
    "stillwatch_events_late_total",
    "counter",
    "Events that came after their windows had closed: scored and kept all the same.",
)
BATCHES = Metric("stillwatch_batches_total", "counter", "Fetched batches processed.")
ENGINE_SECONDS = Metric("stillwatch_engine_seconds_total", "counter", "Time spent decoding and scoring.")
INCIDENTS = Metric("stillwatch_incidents_published_total", "counter", "Changes of incidents acked by the broker.")
SUPPRESSED = Metric(
    "stillwatch_incidents_suppressed_total", "counter", "Incidents that a suppression or a verdict kept from opening."
)
SUPPRESSIONS = Metric("stillwatch_suppressions", "gauge", "Suppressions that engines were handed, verdicts included.")
THRESHOLD_SHIFT = Metric(
    "stillwatch_threshold_shift_nats", "gauge", "How far verdicts move the threshold of incidents."
)
ROWS = Metric("stillwatch_rows_written_total", "counter", "Rows inserted into the store.", ("table",))
STORE_SECONDS = Metric("stillwatch_store_seconds_total", "counter", "Time spent inserting.")
STORE_ERRORS = Metric("stillwatch_store_errors_total", "counter", "Inserts that failed and were tried again.")
STORED_REJECTS = Metric("stillwatch_rejects_stored_total", "counter", "Records of api-calls.rejected put in the table.")
MISSING = Metric(
    "stillwatch_offsets_missing_total", "counter", "Offsets that retention dropped before this group had read them."
)
COLD_STARTS = Metric("stillwatch_engines_cold_total", "counter", "Engines started without any state.")
RESTORED = Metric("stillwatch_engines_restored_total", "counter", "Engines that went on from a state in the store.")
CHECKPOINTS = Metric("stillwatch_checkpoints_total", "counter", "States of engines written to the store.")
CHECKPOINT_BYTES = Metric(
    "stillwatch_checkpoint_bytes_total", "counter", "Size of the states written, as they are stored."
)
CHECKPOINT_AT = Metric(
    "stillwatch_checkpoint_timestamp_seconds",
    "gauge",
    "When the partition's latest state came into the store, epoch seconds.",
    ("partition",),
)
STATE_BYTES = Metric(
    "stillwatch_state_bytes", "gauge", "Size of the partition's state and its changes in the store.", ("partition",)
)
CHECKPOINT_AGE = Metric(
    "stillwatch_checkpoint_age_seconds", "gauge", "Longest time for which events of a partition have been in no state."
)
COMMIT_FAILURES = Metric("stillwatch_commit_failures_total", "counter", "Offset commits that the broker did not take.")
REBALANCES = Metric("stillwatch_rebalances_total", "counter", "Rebalances of the group seen by this worker.")
PARTITIONS = Metric("stillwatch_partitions_assigned", "gauge", "Partitions this worker has now.")
LAG = Metric(
    "stillwatch_lag_records", "gauge", "Records of the partition that are not processed yet.", ("topic", "partition")
)
COMMITTED = Metric("stillwatch_committed_offset", "gauge", "The group's offset.", ("topic", "partition"))
COMMIT_STALLED = Metric(
    "stillwatch_commit_stalled_seconds", "gauge", "Longest time a partition with work has not moved its offset."
)
SILENT = Metric("stillwatch_broker_silent_seconds", "gauge", "Time since the broker last answered a fetch.")
QUEUED_ROWS = Metric("stillwatch_rows_waiting", "gauge", "Rows that wait to be inserted.")
CAMPAIGN_WATERMARK = Metric(
    "stillwatch_campaign_watermark_ms",
    "gauge",
    "Event time up to which campaigns were looked for; -1 before the first.",
)
SIGNALS_LATE = Metric(
    "stillwatch_signals_late",
    "gauge",
    "Signals that came after their hour was done: repetitions, or of an idle partition.",
)
ACCOUNTS = Metric("stillwatch_accounts", "gauge", "Accounts the engines know, in memory or not.")
ACCOUNTS_RESIDENT = Metric("stillwatch_accounts_resident", "gauge", "Accounts whose state is in memory.")
ACCOUNTS_EVICTED = Metric("stillwatch_accounts_evicted_total", "counter", "Times that an idle account left memory.")
ACCOUNTS_RESTORED = Metric(
    "stillwatch_accounts_restored_total", "counter", "Times that an account came back to memory."
)
SILENCE = Metric(
    "stillwatch_partition_silent_seconds",
    "gauge",
    "Time for which the broker has had nothing to read in the partition.",
    ("partition",),
)
SILENT_WINDOWS = Metric(
    "stillwatch_windows_closed_in_silence_total", "counter", "Windows that time closed, and no event (stream.idle_s)."
)
WATERMARK = Metric("stillwatch_watermark_ms", "gauge", "Event time the windows are closed up to.", ("partition",))
REJECT_SHARE = Metric("stillwatch_reject_share", "gauge", "Share of rejects among recent records.")

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))


class Metrics:
    """Values of the metrics; to be used from one thread."""

    def __init__(self) -> None:
        self._values: dict[Metric, dict[tuple[str, ...], float]] = {metric: {} for metric in METRICS}
        for metric in METRICS:
            if metric.kind == "counter" and not metric.labels:
                self._values[metric][()] = 0.0

    def add(self, metric: Metric, amount: float = 1, *labels: str) -> None:
        """Raise a counter."""
        values = self._values[metric]
        values[labels] = values.get(labels, 0.0) + amount

    def put(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge, or a counter that something else counts."""
        self._values[metric][labels] = value

    def clear(self, metric: Metric) -> None:
        """Forget a gauge's values, so that labels which no longer apply go away."""
        self._values[metric].clear()

    def get(self, metric: Metric, *labels: str) -> float:
        """A metric's value; without labels the sum over all of them."""
        values = self._values[metric]
        return values.get(labels, 0.0) if labels else sum(values.values())

    def render(self) -> str:
        """The metrics in Prometheus' text format."""
        return "".join(f"{line}\n" for metric in METRICS for line in self._lines(metric))

    def _lines(self, metric: Metric) -> Iterator[str]:
        values = self._values[metric]
        if not values:
            return
        yield f"# HELP {metric.name} {metric.help}"
        yield f"# TYPE {metric.name} {metric.kind}"
        for labels, value in sorted(values.items()):
            pairs = ",".join(f'{name}="{_escaped(text)}"' for name, text in zip(metric.labels, labels, strict=True))
            number = str(int(value)) if value == int(value) else repr(value)
            yield f"{metric.name}{{{pairs}}} {number}" if pairs else f"{metric.name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
