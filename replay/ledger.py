"""What becomes of what the engines say: rows in the store, signals to campaigns, states that hold together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.campaigns.tracked import Changes
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.store.rows import rejected_table
from pipeline.store.write import Writer
from pipeline.stream.checkpoint import Checkpoint, forget_replaced
from replay.beginning import Beginning
from replay.campaigns import CampaignReplay, tables_of, taken
from replay.shard import Counts, Orders, Outcome
from replay.source import Intake

if TYPE_CHECKING:
    from replay.drive import RunReport

#: Tables whose rows the store's aggregates add up, so that a block must not come twice.
ADDED_UP = frozenset({"call_scores", "account_windows"})


class Ledger:
    """Takes the outcomes of all partitions, one after the other.

    A block of scores or windows is made of one batch and named by it, so a run that goes on from a checkpoint sends the same
    blocks again, which the store drops before it adds them up once more. Rows of which it adds nothing up are few and gathered.
    A checkpoint is written in this order: the rows of all that is in it, the campaigns' state, then each partition's. After a
    crash in between, campaigns are ahead of engines, which tell them the same signals again; that changes nothing.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        orders: Orders,
        generation: int,
        beginning: Beginning,
        last_hour: int | None = None,
        table: Callable[[str], str] = str,
    ) -> None:
        """`last_hour` and `table` as for `replay.drive.Manner`."""
        self.partitions = settings.stream.partitions
        self._store = store
        self._table = table
        self._orders = orders
        self._writer = Writer(
            store, max_rows=settings.store.insert_max_rows, retry_max_seconds=settings.store.retry_max_seconds
        )
        self._gathered = Writer(store, retry_max_seconds=settings.store.retry_max_seconds)
        self._campaigns = CampaignReplay(settings, orders.since_ms, beginning.shards, last_hour)
        self._campaigns.load(beginning.campaigns, counts=beginning.counts)
        self._checkpoints = self._campaigns.checkpoints(orders.run_id, generation)
        self._states: list[tuple[pa.Table, Checkpoint]] = []
        self._counts: dict[int, Counts] = {}

    def tell(self, outcome: Outcome) -> None:
        """Write what a batch gave; hold a state until all partitions' are there."""
        self._counts[outcome.partition] = outcome.counts
        if outcome.state is not None and outcome.checkpoint is not None:
            self._states.append((outcome.state, outcome.checkpoint))
        for table, rows in outcome.rows:
            if table in ADDED_UP:
                self._writer.add(self._table(table), rows, outcome.key)
            else:
                self._gather(table, rows)
        if outcome.signals is not None:
            self._add(self._campaigns.hear(outcome.signals))
        self._writer.flush()
        if self._gathered.due():
            self._gathered.flush()

    def keep(self, intake: Intake) -> None:
        """Store what could not be used."""
        if intake.rejects:
            # Named by content, since a run that goes on hands them over in other pieces.
            self._writer.add("rejected_events", rejected_table(intake.rejects))
            intake.rejects.clear()
            self._writer.flush()

    def commit(self) -> None:
        """Write the states that were told, as one checkpoint."""
        states, self._states = self._states, []
        if not states:
            return
        self._gathered.flush()
        of_campaigns = taken(self._checkpoints)
        for checkpoint in of_campaigns:
            self._write(checkpoint.rows(), checkpoint)
            checkpoint.done(checkpoint.size)
        for rows, checkpoint in states:
            self._write(rows, checkpoint)

    def finish(self) -> None:
        """The events have ended."""
        self._add(self._campaigns.finish())
        self._gathered.flush()

    def count(self, report: RunReport) -> None:
        """Put the counts so far into the report."""
        for one in fields(report):
            if one.name in Counts.__struct_fields__:
                setattr(report, one.name, sum(getattr(counts, one.name) for counts in list(self._counts.values())))
        report.campaigns = self._campaigns.campaigns
        report.incidents += self._campaigns.incidents

    def _add(self, changes: Changes) -> None:
        for table, rows in tables_of(changes, self._orders.run_id):
            self._gather(table, rows)

    def _gather(self, table: str, rows: pa.Table) -> None:
        if name := self._table(table):
            if self._gathered.full:
                self._gathered.flush()
            self._gathered.add(name, rows)

    def _write(self, rows: pa.Table, checkpoint: Checkpoint) -> None:
        self._writer.add("model_snapshots", rows)
        self._writer.flush()
        forget_replaced(self._store, [checkpoint])
