"""`stillwatch replay what-if`: other thresholds on stored evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from pipeline.command_line.connect import open_store
from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common, Json

if TYPE_CHECKING:
    from replay.what_if import WhatIf


def what_if(
    run_id: str,
    /,
    *,
    open_at: Annotated[float | None, Parameter(name="--open-at")] = None,
    open_at_most: Annotated[float | None, Parameter(name="--open-at-most")] = None,
    budget: Annotated[float | None, Parameter(name="--budget")] = None,
    unknown_past: Annotated[float | None, Parameter(name="--unknown-past")] = None,
    close_at: Annotated[float | None, Parameter(name="--close-at")] = None,
    quiet_s: Annotated[int | None, Parameter(name="--quiet-s")] = None,
    minimum_calls: Annotated[int | None, Parameter(name="--minimum-calls")] = None,
    shift: Annotated[float | None, Parameter(name="--shift")] = None,
    suppress: Annotated[tuple[str, ...], Parameter(name="--suppress", negative=())] = (),
    above: Annotated[float | None, Parameter(name="--above")] = None,
    suppressions: Annotated[bool, Parameter(name="--suppressions")] = True,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    labels: Annotated[Path | None, Parameter(name="--labels")] = None,
    json: Json = False,
    common: Common | None = None,
) -> int:
    """Decide a run's account incidents anew, by other thresholds on its stored evidence; no model runs.

    Parameters
    ----------
    run_id
        Name of the run; live is the stream.
    open_at
        engine.incident.open_at, the least evidence that opens an incident, in nats; the run's own unless given, as all others.
    open_at_most
        engine.incident.open_at_most, the most that the budget may ask for.
    budget
        engine.incident.alerts_per_1000_account_days.
    unknown_past
        engine.incident.unknown_past, how much more an account must show that was there from the beginning.
    close_at
        engine.incident.close_at.
    quiet_s
        engine.incident.quiet_s.
    minimum_calls
        engine.incident.minimum_calls.
    shift
        engine.incident.threshold_shift.
    suppress
        An account or a pattern of accounts to leave alone all the time; may be repeated.
    above
        Evidence from which --suppress does not hold.
    suppressions
        Whether to keep what the run suppressed.
    from_
        Incidents detected from here on are told of; all hours before are taken in all the same.
    to
        Incidents detected before this time are told of.
    labels
        CSV of labels to judge by, before and after.
    json
        Print JSON.
    """
    changes: dict[str, Any] = {
        "open_at": open_at,
        "open_at_most": open_at_most,
        "alerts_per_1000_account_days": budget,
        "unknown_past": unknown_past,
        "close_at": close_at,
        "quiet_s": quiet_s,
        "minimum_calls": minimum_calls,
        "threshold_shift": shift,
        "suppressions": None if suppressions else (),
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if above is not None and not suppress:
        raise Misuse("--above is for --suppress: name an account or a pattern to leave alone")
    settings = (common or Common()).settings()
    from replay.errors import ReplayError
    from replay.recorded import engine_settings_of
    from replay.truth import labels_of_file
    from replay.what_if import changed_settings
    from replay.what_if import what_if as decide_anew
    from replay.window import window_of

    try:
        window = window_of(from_, to)
    except ReplayError as error:
        raise Misuse(str(error)) from None
    truth = None if labels is None else labels_of_file(labels)
    with open_store(settings) as store:
        engine = engine_settings_of(store, run_id, settings)
        incident = changed_settings(engine, changes, suppress, above)
        bounded = None if from_ is None and to is None else window
        found = decide_anew(store, run_id, engine, incident, window=bounded, labels=truth)
    if json:
        from pipeline.command_line.show import print_json

        print_json(found)
    else:
        _print(found)
    return 0


def _print(found: WhatIf) -> None:
    from pipeline.command_line.show import print_lines, print_table
    from pipeline.event.harmless import harmless
    from replay.command_line.figures import print_difference, print_sides

    changed = ", ".join(f"{name} = {value}" for name, value in found.changed.items()) or "nothing changed"
    print_lines([f"run {found.run_id}, what if {harmless(changed, 300)}"])
    counts = [("account incidents", found.incidents_before, found.incidents), ("suppressed", None, found.suppressed)]
    print_table("", ("", "as it was", "what if"), counts)
    if found.before is not None and found.after is not None:
        print_sides([("as it was", found.before), ("what if", found.after)])
    print_difference("what if", found.matched, found.gained, found.lost)
