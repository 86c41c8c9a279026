"""A simulated stream and what a replay of it says: everything that the figures need, per seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import msgspec

from bench.detection.windows import DAY_S, HOUR_S, Windows, windows_of
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.evaluate import Detection, Evaluation, Usage, evaluate, read_detections, read_usage
from replay.queries import query as replay_query
from replay.run import claim, replay
from replay.scenarios import Mix, parts
from replay.scenarios.spool import spooled
from replay.source import Intake, numbered
from replay.truth import HONEST_KINDS
from replay.window import Window

SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated; the same for every seed."""

    scenario: str
    accounts: int
    days: int
    mix: Mix


@dataclass(frozen=True, slots=True)
class Tail:
    """Scores of accounts that do not extract, and how many of them are high."""

    scores: int
    above_99: int
    above_999: int

    def __add__(self, other: Tail) -> Tail:
        return Tail(self.scores + other.scores, self.above_99 + other.above_99, self.above_999 + other.above_999)


@dataclass(frozen=True, slots=True)
class Stream:
    """A seed's truth, and what the replay wrote about it. Account ids begin with the seed, so that seeds can be added up."""

    events: int
    accounts: int
    """Accounts that called."""
    account_days: int
    seconds: float
    """Of the replay, with the simulated calls being made and rows being written."""
    labels: list[Label]
    detections: list[Detection]
    usage: Usage
    """Of labelled accounts."""
    tails: dict[int, Tail]
    """By length of windows in seconds, 0 for calls."""
    account_scores: dict[str, float]
    """How suspicious each account was at most: 1 + the peak of its incidents, else the highest score of an hour."""
    hours: Windows
    days: Windows

    @property
    def extracting(self) -> set[str]:
        """Accounts that extract."""
        return {label.account_id for label in self.labels if label.kind not in HONEST_KINDS}

    def counts_alone(self) -> Stream:
        """The same with one minute of each label that was seen: recall and precision stay, `leaked` means nothing."""
        usage: dict[str, list[tuple[int, int]]] = {}
        for label in self.labels:
            minutes = self.usage.get(label.account_id, ())
            within = next((minute for minute, _ in minutes if label.start - 60_000 < minute <= label.end), None)
            if within is not None:
                usage.setdefault(label.account_id, []).append((within, 0))
        return replace(self, usage=usage)

    def evaluate(self, detections: list[Detection] | None = None) -> Evaluation:
        """Stillwatch's detections, or others, against the truth as `stillwatch replay evaluate` does it."""
        found = self.detections if detections is None else detections
        return evaluate("bench", self.labels, found, self.usage, self.account_days)


@cache
def _sql(name: str) -> str:
    return (SQL / f"{name}.sql").read_text()


def measure(plan: Plan, seed: int, store: Store) -> Stream:
    """Simulate a seed, replay it into the store as `stillwatch replay run` does, and read what it says."""
    settings, run_id, whole = Settings(), f"seed-{seed}", Window()
    made = parts(plan.scenario, accounts=plan.accounts, days=plan.days, seed=seed, mix=plan.mix)
    with spooled(made) as simulation:
        intake = Intake()
        pieces = numbered(simulation.calls(), settings.stream.partitions, whole, intake)
        run = claim(store, run_id, "simulation", whole, settings.engine, overwrite=True)
        report = replay(pieces, intake, store=store, settings=settings, run=run)
        labels = simulation.labels
    return _read(store, run_id, labels, report.events, report.seconds, f"{seed}/")


def _read(store: Store, run_id: str, labels: list[Label], events: int, seconds: float, prefix: str) -> Stream:
    detections = read_detections(store, run_id)
    usage = read_usage(store, run_id, {label.account_id for label in labels})
    days_of = dict(store.query_rows(replay_query("account_days"), {"run_id": run_id, **Window().bounds}))
    extracting = sorted({label.account_id for label in labels if label.kind not in HONEST_KINDS})
    tails = store.query_rows(_sql("calibration"), {"run_id": run_id, "extracting": extracting})
    scores: dict[str, float] = dict(store.query_rows(_sql("hour_peaks"), {"run_id": run_id}))
    for one in detections:
        scores[one.account_id] = max(scores.get(one.account_id, 0.0), 1.0 + one.peak_score)
    hours, days = (
        windows_of(
            (
                (prefix + row[0], *row[1:])
                for row in store.query_rows(_sql("windows"), {"run_id": run_id, "window_s": s})
            ),
            s,
        )
        for s in (HOUR_S, DAY_S)
    )
    return Stream(
        events=events,
        accounts=len(days_of),
        account_days=sum(days_of.values()),
        seconds=seconds,
        labels=[msgspec.structs.replace(one, account_id=prefix + one.account_id) for one in labels],
        detections=[
            msgspec.structs.replace(one, account_id=prefix + one.account_id, incident_id=prefix + one.incident_id)
            for one in detections
        ],
        usage={prefix + account: minutes for account, minutes in usage.items()},
        tails={window_s: Tail(*counts) for window_s, *counts in tails},
        account_scores={prefix + account: score for account, score in scores.items()},
        hours=hours,
        days=days,
    )


def added_up(streams: list[Stream]) -> Stream:
    """All seeds as one; windows are left to each seed's own."""
    lengths = sorted({window_s for one in streams for window_s in one.tails})
    none = Tail(0, 0, 0)
    return Stream(
        events=sum(one.events for one in streams),
        accounts=sum(one.accounts for one in streams),
        account_days=sum(one.account_days for one in streams),
        seconds=sum(one.seconds for one in streams),
        labels=[label for one in streams for label in one.labels],
        detections=[detection for one in streams for detection in one.detections],
        usage={account: minutes for one in streams for account, minutes in one.usage.items()},
        tails={length: sum((one.tails.get(length, none) for one in streams), none) for length in lengths},
        account_scores={account: score for one in streams for account, score in one.account_scores.items()},
        hours=windows_of((), HOUR_S),
        days=windows_of((), DAY_S),
    )
