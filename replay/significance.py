"""Whether two runs differ by more than chance; each account is its own control."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from replay.intervals import Difference, Ratio, differences, mcnemar
from replay.outcomes import ALL

Sums = Mapping[str, Mapping[str, int]]


class Significance(msgspec.Struct, frozen=True, kw_only=True):
    """Run `b` against run `a` by the labels."""

    labelled_accounts: int
    """Accounts with a label of extraction that both runs saw."""
    found_by_a_only: int
    found_by_b_only: int
    recall_p: float
    """McNemar's exact test over these accounts; one counts as found when any of its labels was."""
    recall: Difference | None
    leaked: Difference | None
    precision: Difference | None
    false_alerts: Difference | None
    """Per 1,000 account-days."""


def significance(a: Sums, b: Sums) -> Significance:
    """Compare what `outcomes.account_sums` gave for two runs."""
    labelled = [name for name in a if a[name].get(f"labels {ALL}") and b.get(name, {}).get(f"labels {ALL}")]
    found = [(a[name][f"found {ALL}"] > 0, b[name][f"found {ALL}"] > 0) for name in labelled]
    only_a, only_b = (sum(pair == one for pair in found) for one in ((True, False), (False, True)))
    together = [
        {f"a {key}": value for key, value in a.get(name, {}).items()}
        | {f"b {key}": value for key, value in b.get(name, {}).items()}
        for name in sorted({*a, *b})
    ]

    def pair(over: str, under: str, factor: float = 1.0) -> tuple[Ratio, Ratio]:
        return Ratio(f"a {over}", f"a {under}", factor), Ratio(f"b {over}", f"b {under}", factor)

    found_differences = differences(
        together,
        {
            "recall": pair(f"found {ALL}", f"labels {ALL}"),
            "leaked": pair(f"gone {ALL}", f"tokens {ALL}"),
            "precision": pair("true", "alerts"),
            "false_alerts": pair("false", "days", 1000.0),
        },
    )
    return Significance(
        labelled_accounts=len(labelled),
        found_by_a_only=only_a,
        found_by_b_only=only_b,
        recall_p=mcnemar(only_a, only_b),
        **found_differences,
    )
