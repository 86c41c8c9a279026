"""The tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.detection.comparison import Compared
from bench.detection.real import Seen
from bench.detection.targets import ALONE, POOL_RATE, Figure

_REACHED = {None: "", True: "reached", False: "not reached"}


def show_figures(figures: Sequence[Figure], title: str, console: Console) -> None:
    """Print target, measured, and whether it is reached."""
    table = Table(title=title, title_justify="left")
    for heading in ("what", "target", "measured", "of", ""):
        table.add_column(heading, justify="right" if heading in ("target", "measured") else "left")
    for one in figures:
        table.add_row(one.name, _target(one), _number(one.measured, one.percent), one.of, _REACHED[one.reached])
    console.print(table)


def show_comparison(rows: Sequence[Compared], console: Console) -> None:
    """Print baselines beside Stillwatch: at equal false alerts, then whatever the threshold."""
    kinds = [kind for kind in (*ALONE, "broad") if kind in rows[0].recall]
    table = Table(title="Recall at no more false alerts than Stillwatch made", title_justify="left")
    table.add_column("")
    for heading in ("alone", *kinds, "pools", "precision", "false per 1,000"):
        table.add_column(heading.replace("_", " "), justify="right")
    for one in rows:
        recalls = (_number(one.recall.get(kind)) for kind in ("alone", *kinds, "pools"))
        table.add_row(one.name, *recalls, _number(one.precision), _number(one.false_alerts_per_1000_account_days))
    console.print(table)
    table = Table(
        title="Leaked at that threshold; order of accounts; best threshold with hindsight", title_justify="left"
    )
    for heading in (
        "",
        "sees",
        "leaked, alone",
        "leaked, pools",
        "ROC-AUC",
        "PR-AUC",
        "best F1",
        "false per 1,000",
        "CPU s",
    ):
        table.add_column(heading, justify="left" if heading in ("", "sees") else "right")
    for one in rows:
        table.add_row(
            one.name,
            one.sees,
            *(_number(one.leaked.get(group), percent=True) for group in ("alone", "pools")),
            *(_number(value) for value in ((one.ranking.roc_auc, one.ranking.pr_auc) if one.ranking else (None, None))),
            _number(one.best.f1 if one.best else None),
            _number(one.best.false_alerts_per_1000_account_days if one.best else None),
            f"{one.seconds:.0f}" if one.seconds is not None else "",
        )
    console.print(table)


def show_real(rows: Sequence[Seen], console: Console) -> None:
    """Print what was seen in real traffic."""
    table = Table(title="Real traffic", title_justify="left")
    for heading in (
        "what",
        "calls",
        "accounts",
        "account-days",
        "alerts",
        "on attackers",
        "false",
        "attacks seen",
        "calls > 0.99",
        "of attackers",
    ):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for one in rows:
        attacks = f"{one.attackers_seen} of {one.attackers}" if one.attackers else "none in it"
        table.add_row(
            one.name,
            f"{one.calls:,}",
            str(one.accounts),
            str(one.account_days),
            str(one.alerts),
            str(one.alerts - one.false_alerts),
            str(one.false_alerts),
            attacks,
            _number(one.high_of_others, percent=True),
            _number(one.high_of_attackers, percent=True),
        )
    console.print(table)
    for one in rows:
        console.print(f"{one.name}: {one.note}", highlight=False, soft_wrap=True)


def heading(scenario: str, seeds: Sequence[int], accounts: int, extracting: int, account_days: int) -> str:
    """What the first table is about."""
    rates = f"pools of {POOL_RATE[0]} to {POOL_RATE[1]} calls a day"
    return (
        f"{scenario}, seeds {', '.join(map(str, seeds))}: {accounts:,} accounts that called, "
        f"{100 * extracting / max(accounts, 1):.1f}% extracting, {rates}, {account_days:,} account-days"
    )


def _target(one: Figure) -> str:
    if one.least is not None and one.most is not None:
        return f"{_number(one.least, one.percent)} to {_number(one.most, one.percent)}"
    if one.least is not None:
        return f">= {_number(one.least, one.percent)}"
    return f"<= {_number(one.most, one.percent)}" if one.most is not None else ""


def _number(value: float | None, percent: bool = False) -> str:
    if value is None:
        return "-"
    if percent:
        return f"{100 * value:.3f}%" if 0.0 < value < 0.002 else f"{100 * value:.2f}%"
    return f"{value:.2f}"
