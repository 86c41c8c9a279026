"""What the evaluation of a window rests on and no setting changes: labels, tokens by minute, days on which accounts called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from pipeline.engine.verdicts import AccountWindows
from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.errors import ReplayError
from replay.evaluate import read_usage
from replay.evaluation import Detection, Evaluation, evaluate
from replay.outcomes import clipped
from replay.queries import query
from replay.window import Window

_MINUTE_S, _DAY_MS = 60, 86_400_000


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Of one window."""

    window: Window
    labels: list[Label]
    usage: dict[str, list[tuple[int, int]]]
    account_days: int
    days: int

    def judge(self, name: str, detections: Iterable[Detection]) -> Evaluation:
        """Evaluate what was detected within the window, and before it."""
        return evaluate(
            name, self.labels, list(detections), self.usage, self.account_days, days=self.days, window=self.window
        )


def ground_of_store(store: Store, run_id: str, labels: Sequence[Label], window: Window) -> Ground:
    """From the windows of a stored run. Raises `ReplayError` where it has none."""
    within = {"run_id": run_id, **window.bounds}
    days_of = dict(store.query_rows(query("account_days"), within))
    accounts = {label.account_id for label in clipped(labels, window)}
    return _checked(
        Ground(
            window=window,
            labels=list(labels),
            usage=read_usage(store, run_id, accounts, window),
            account_days=sum(days_of.values()),
            days=store.query_rows(query("run_days"), within)[0][0],
        )
    )


class Minutes:
    """Gathers what closed windows say: tokens by minute of labelled accounts, and who called on which day."""

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labelled = {label.account_id for label in labels}
        self._tokens: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._days: set[tuple[str, int]] = set()

    def add(self, windows: AccountWindows) -> None:
        """Take windows of an engine in."""
        for row in np.flatnonzero(windows.window_s == _MINUTE_S).tolist():
            account, start = windows.account_id[row], int(windows.window_start[row])
            self._days.add((account, start // _DAY_MS))
            if account in self._labelled:
                self._tokens[account].append((start, int(windows.output_tokens[row])))

    def ground(self, labels: Sequence[Label], window: Window) -> Ground:
        """What a window rests on; windows begin and end with days for `account_days` to be exact."""
        days = [(account, day) for account, day in self._days if day * _DAY_MS in window]
        usage = {
            account: [(at, count) for at, count in minutes if at in window] for account, minutes in self._tokens.items()
        }
        return _checked(
            Ground(
                window=window,
                labels=list(labels),
                usage=usage,
                account_days=len(days),
                days=len({day for _, day in days}),
            )
        )


def _checked(ground: Ground) -> Ground:
    if not ground.account_days:
        raise ReplayError(f"--window {ground.window}: there are no calls in it")
    if not ground.judge("", ()).kinds[-1].labels:
        raise ReplayError(
            f"--window {ground.window}: no label is of an account that called in it; nothing could be found"
        )
    return ground
