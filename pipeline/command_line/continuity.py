"""The checks of `stillwatch doctor` on a stream at work: its lag, its states, what it has missed, and its worker's own word."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from pipeline.command_line.finding import NOTE, OK, WRONG, Finding

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from pipeline.stream.security import Security

WORKER_PATIENCE_S = 3.0
_REDO = "ingest those events again from the gateway's logs (an event_id counts once); raise stream.retention_hours"


def store_findings(store: Store, settings: Settings) -> list[Finding]:
    """States and gaps, of the live run."""
    from pipeline.store.continuity import read_gaps, read_states
    from pipeline.store.records import LIVE

    states = read_states(store, LIVE)
    if not states.partitions:
        found = [Finding("checkpoints", NOTE, "none yet: the next worker begins with new engines")]
    else:
        detail = (
            f"of {states.partitions} partitions, the latest {_ago(states.newest_s)}, the oldest {_ago(states.oldest_s)}; "
            f"{_size(states.bytes)}"
        )
        found = [Finding("checkpoints", OK, detail)]
    gaps = read_gaps(store, LIVE, settings.stream.group, settings.stream.retention_hours * 3600)
    if not gaps.gaps:
        return [*found, Finding("gaps", OK, "retention took nothing before it was read")]
    detail = f"{gaps.gaps} (table offset_gaps), {gaps.records} records at most, the latest found {gaps.latest} UTC"
    return [*found, Finding("gaps", WRONG, detail, _REDO) if gaps.recent else Finding("gaps", NOTE, detail)]


def lag_findings(settings: Settings, servers: list[str], partitions: int, security: Security) -> list[Finding]:
    """How far the group is behind. Raises `kafka.errors.KafkaError`."""
    from pipeline.stream.progress import group_progress

    stream = settings.stream
    check = f"group {stream.group}"
    progress = group_progress(servers, stream.group, stream.api_calls_topic, partitions, security)
    lag = sum(one.lag for one in progress)
    most = max(progress, key=lambda one: one.lag)
    where = f", most of it {most.lag} in partition {most.partition}" if lag else ""
    begun = sum(one.committed is not None for one in progress)
    detail = f"lag {lag} records{where}; offsets committed in {begun} of {len(progress)} partitions"
    missing = [one for one in progress if one.missing]
    if not missing:
        return [Finding(check, OK, detail)]
    first = missing[0]
    gone = (
        f"{sum(one.missing for one in missing)} records of {len(missing)} partitions are gone before they were read "
        f"(partition {first.partition}: offsets {first.committed} to {first.beginning - 1})"
    )
    return [Finding(check, WRONG, f"{gone}; {detail}", _REDO)]


def worker_findings(settings: Settings) -> list[Finding]:
    """What the worker at the settings' web port says of itself; a note where none answers."""
    stream = settings.stream
    if not stream.web_port:
        return []
    url = f"http://{stream.web_host}:{stream.web_port}/health"
    try:
        health = _health(url)
    except (OSError, ValueError) as error:
        return [Finding("worker", NOTE, f"none answers at {url} ({getattr(error, 'reason', error)})")]
    detail = (
        f"{url}: {health['state']}, {len(health['partitions'])} partitions, lag {health['lag']}, "
        f"last checkpoint {_ago(health['checkpoint_s_ago'])}, states {_size(health['state_bytes'])}, "
        f"{health['missing']} records missing"
    )
    if health["problems"]:
        mend = "see docs/operations.md for each"
        return [Finding("worker", WRONG, f"{detail}; {'; '.join(health['problems'])}", mend)]
    return [Finding("worker", OK, detail)]


def _health(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=WORKER_PATIENCE_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as unwell:
        body = unwell.read()
    found = json.loads(body)
    if not isinstance(found, dict) or "checkpoint_s_ago" not in found:
        raise ValueError("what answers is no worker")
    return found


def _ago(seconds: float | None) -> str:
    return "not yet" if seconds is None else f"{seconds:.0f} s ago"


def _size(count: float) -> str:
    return f"{count / (1 << 20):.1f} MiB"
