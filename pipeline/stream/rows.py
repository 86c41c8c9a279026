"""What a batch gives as rows, table by table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.campaigns.tracked import Changes
from pipeline.event import Rejected
from pipeline.store.rows import (
    account_windows_table,
    call_scores_table,
    campaign_members_table,
    campaigns_table,
    incidents_table,
    rejected_table,
    stored_calls,
    suppressed_incidents_table,
)
from pipeline.stream.lane import Processed

Rows = list[tuple[str, pa.Table]]


def rows_of_batch(done: Processed, *, topic: str, partition: int, run_id: str) -> Rows:
    """The events that counted and all verdicts on them; rejects go by their topic."""
    if done.verdicts is None:
        return []
    verdicts = done.verdicts
    rows: Rows = []
    if done.events is not None:
        calls = stored_calls(
            done.events, received_at=done.received_at, topic=topic, partition=partition, offsets=done.offsets
        )
        rows.append(("api_calls", calls))
    return [
        *rows,
        ("call_scores", call_scores_table(verdicts.call_scores, run_id=run_id)),
        ("account_windows", account_windows_table(verdicts.account_windows, run_id=run_id)),
        ("incidents", incidents_table(verdicts.incidents, run_id=run_id)),
        ("suppressed_incidents", suppressed_incidents_table(verdicts.suppressed, run_id=run_id)),
    ]


def rows_of_campaigns(changes: Changes, *, run_id: str) -> Rows:
    """What became of campaigns."""
    return [
        ("campaigns", campaigns_table(changes.campaigns, run_id=run_id)),
        ("campaign_members", campaign_members_table(changes.members, run_id=run_id)),
        ("incidents", incidents_table(changes.incidents, run_id=run_id)),
    ]


def rows_of_rejects(rejects: Sequence[Rejected]) -> Rows:
    """Rejected events, whoever rejected them."""
    return [("rejected_events", rejected_table(rejects))]
