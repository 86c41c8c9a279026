"""Runs calls through the engines and counts alerts: on accounts that attack, and on others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.detection.nab.corpus import DataError
from pipeline.engine import Engine
from pipeline.event import ApiCall, partition_of
from pipeline.event.columns import EventBatch
from pipeline.settings import Settings
from replay.shard import BATCH_EVENTS

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in some traffic. An alert is an incident on an account."""

    name: str
    calls: int
    accounts: int
    account_days: int
    alerts: int
    false_alerts: int
    attackers: int
    """Accounts that attack, or from which somebody does."""
    attackers_seen: int
    alerted: tuple[str, ...]
    """Accounts with an alert."""
    high_of_attackers: float | None
    """Share of the calls of attackers, from the attack's begin on, that score above 0.99; None where there are none."""
    high_of_others: float
    """And of all other calls."""
    note: str


def watch(
    name: str,
    calls: Iterable[ApiCall],
    note: str,
    *,
    attacks: Mapping[str, int] | None = None,
    among: frozenset[str] | None = None,
) -> Seen:
    """Take calls in by time, then let a day pass in silence, as a worker does when nothing comes any more.

    `attacks` has each account that attacks and when it began to, epoch milliseconds. With `among` only these accounts count; the
    others are company.
    """
    attacks = attacks or {}
    settings = Settings()
    waiting: dict[int, list[ApiCall]] = defaultdict(list)
    engines: dict[int, Engine] = {}
    first_alerts: list[tuple[str, int]] = []
    days: set[tuple[str, int]] = set()
    high: dict[bool, list[bool]] = {True: [], False: []}
    count = newest = 0

    def process(partition: int) -> None:
        events, waiting[partition] = waiting[partition], []
        engine = engines.setdefault(partition, Engine(settings.engine, partition))
        verdicts = engine.process(EventBatch.from_calls(events, [-1] * len(events), partition))
        first_alerts.extend((one.entity_id, one.detected_at) for one in verdicts.incidents if one.version == 1)
        scores = verdicts.call_scores
        for account, ts, score in zip(scores.account_id, scores.ts.tolist(), scores.score.tolist(), strict=True):
            if among is None or account in among:
                high[account in attacks and ts >= attacks[account]].append(score > 0.99)

    for call in calls:
        partition = partition_of(call.account_id, settings.stream.partitions)
        waiting[partition].append(call)
        newest = max(newest, call.ts)
        if among is None or call.account_id in among:
            count += 1
            days.add((call.account_id, call.ts // _DAY_MS))
        if len(waiting[partition]) >= BATCH_EVENTS:
            process(partition)
    for partition in sorted(waiting):
        process(partition)
        passed = engines[partition].advance(newest + _DAY_MS)
        first_alerts.extend((one.entity_id, one.detected_at) for one in passed.incidents if one.version == 1)
    alerts = [one for one in first_alerts if among is None or one[0] in among]
    right = [account for account, at in alerts if account in attacks and at >= attacks[account]]
    return Seen(
        name=name,
        calls=count,
        accounts=len({account for account, _ in days}),
        account_days=len(days),
        alerts=len(alerts),
        false_alerts=len(alerts) - len(right),
        attackers=len(attacks),
        attackers_seen=len(set(right)),
        alerted=tuple(sorted({account for account, _ in alerts})),
        high_of_attackers=sum(high[True]) / len(high[True]) if high[True] else None,
        high_of_others=sum(high[False]) / max(1, len(high[False])),
        note=note,
    )


def needed(root: Path, name: str) -> Path:
    """A file of the public data. Raises `DataError` when it is absent."""
    path = root / name
    if not path.exists():
        raise DataError(f"no {path}: give the folder of the data with --data or STILLWATCH_DATA")
    return path
