"""Labels and replays: small tables that people and programs write row by row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import pyarrow as pa

from pipeline.store.client import Store
from pipeline.store.queries import query
from pipeline.store.rows import TIME, Column

LIVE = "live"
#: Tables with `run_id`, whose rows belong to a run.
RESULT_TABLES = (
    "call_scores",
    "account_windows",
    "account_daily_scores",
    "incidents",
    "incident_triage",
    "suppressed_incidents",
    "campaigns",
    "campaign_members",
    "model_snapshots",
    "account_states",
)

_RUN_TEXTS = ("run_id", "source", "config", "plan", "code_version", "metrics", "status")


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an account for a span of time; times are epoch milliseconds."""

    account_id: str
    start: int
    end: int
    kind: str
    campaign_id: str = ""
    source: str = "analyst"
    note: str = ""
    evidence: float = 0.0
    """Most evidence that incidents of the account had shown in this time when it was labelled, ln(1 + odds); 0 for none."""


class ReplayRun(msgspec.Struct, frozen=True, kw_only=True):
    """A replay; times are epoch milliseconds, `config` and `metrics` JSON."""

    run_id: str
    created_at: int
    source: str
    from_ms: int | None
    to_ms: int | None
    config: str
    code_version: str
    metrics: str = "{}"
    status: str = "running"
    """`running`, `done`, `interrupted` or `failed`."""
    plan: str = ""
    """All that the run was told, JSON; empty where it cannot be gone on with."""


def write_labels(store: Store, labels: Sequence[Label]) -> None:
    """Record labels; one with the account, kind, source and start of an earlier one replaces it."""
    if not labels:
        return
    names = ("account_id", "start", "end", "kind", "campaign_id", "source", "note")
    columns: dict[str, Column] = {
        name: pa.array([getattr(label, name) for label in labels], TIME if name in ("start", "end") else pa.string())
        for name in names
    }
    columns["evidence"] = pa.array([label.evidence for label in labels], pa.float64())
    columns["recorded_at"] = pa.array([_now()] * len(labels), TIME)
    store.insert_arrow("labels", pa.table(columns))


def read_labels(store: Store, source: str | None = None) -> list[Label]:
    """All labels, or those of one source, by account and start."""
    return [Label(**record) for record in store.query_records(query("labels"), {"source": source or ""})]


def save_run(store: Store, run: ReplayRun) -> None:
    """Write the row of a replay anew, with its status and metrics as they are now."""
    text = {name: [getattr(run, name)] for name in _RUN_TEXTS}
    times = {"created_at": run.created_at, "from": run.from_ms, "to": run.to_ms, "updated_at": _now()}
    columns: dict[str, Column] = {name: pa.array(values, pa.string()) for name, values in text.items()}
    columns |= {name: pa.array([value], TIME) for name, value in times.items()}
    store.insert_arrow("replay_runs", pa.table(columns))


def read_runs(store: Store) -> list[ReplayRun]:
    """All replays, the newest first."""
    return [ReplayRun(**record) for record in store.query_records(query("replay_runs"))]


def delete_run(store: Store, run_id: str) -> None:
    """Delete everything that a replay wrote, so that its name can be used again. Raises `ValueError` for `live`."""
    if run_id == LIVE:
        raise ValueError("the live run is not deleted")
    for table in (*RESULT_TABLES, "replay_runs"):
        # mutations_sync: gone when the call returns, or what is inserted next could be deleted with it.
        store.command(
            f"ALTER TABLE {table} DELETE WHERE run_id = {{run_id:String}}", {"run_id": run_id}, {"mutations_sync": 2}
        )


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
