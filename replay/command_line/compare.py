"""`stillwatch replay compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common, Json

if TYPE_CHECKING:
    from replay.account_changes import AccountChange
    from replay.compare import Comparison

#: Accounts that are listed; JSON has more.
_MOST_LISTED = 10


def compare(
    a: str,
    b: str,
    /,
    *more: str,
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Compare runs: incidents gained and lost, earlier and later, whose evidence moved and by what, and how far scores moved.

    Parameters
    ----------
    a
        Name of the run to compare with; live is the stream.
    b
        Name of the run that is compared.
    more
        Further runs, each of which is compared with the first.
    labels
        CSV of labels to judge all by, with tests of whether a difference is more than chance.
    json
        Print JSON; of more than two runs a list.
    """
    others = (b, *more)
    if len({a, *others}) <= len(others):
        raise Misuse(f"replay compare: {', '.join((a, *others))}: name each run once")
    from replay.compare import load_and_compare
    from replay.truth import labels_of_file

    truth = None if labels is None else labels_of_file(labels)
    with store_of(common) as store:
        found = [load_and_compare(store, a, other, truth) for other in others]
    if json:
        from pipeline.command_line.show import print_json

        print_json(found if more else found[0])
    else:
        for one in found:
            _print(one)
    return 0


def _print(found: Comparison) -> None:
    from pipeline.command_line.show import print_lines, print_table
    from replay.command_line.figures import print_comparison, print_sides

    print_comparison(found)
    if found.accounts:
        rows = [
            (
                one.account_id,
                one.incidents,
                one.hours_changed,
                round(one.peak_a, 2),
                round(one.peak_b, 2),
                _by(one),
            )
            for one in found.accounts[:_MOST_LISTED]
        ]
        headings = (
            "account",
            "incident",
            "hours that differ",
            f"peak of {found.a}",
            f"peak of {found.b}",
            "by, in nats",
        )
        print_table(
            f"accounts that {found.b} sees differently ({found.accounts_changed} by their evidence)",
            headings,
            rows,
            [False, False, True, True, True, False],
        )
    if found.evaluation_a is None or found.evaluation_b is None or found.significance is None:
        return
    print_sides([(found.a, found.evaluation_a), (found.b, found.evaluation_b)])
    tested = found.significance
    lines = [
        f"of {tested.labelled_accounts} labelled accounts {tested.found_by_a_only} found by {found.a} only, "
        f"{tested.found_by_b_only} by {found.b} only: p = {tested.recall_p:.3f} (McNemar, exact)"
    ]
    lines += [
        f"{name} {100 * (one.b - one.a):+.1f} points ({100 * one.low:+.1f}..{100 * one.high:+.1f}), "
        f"p = {one.p:.3f} (paired bootstrap)"
        for name, one in (("leaked", tested.leaked), ("precision", tested.precision))
        if one is not None
    ]
    print_lines(lines)


def _by(account: AccountChange) -> str:
    if account.features:
        return ", ".join(f"{each.feature} {each.nats:+.1f}" for each in account.features)
    return "too little to have reasons" if account.hours_changed else "thresholds alone"
