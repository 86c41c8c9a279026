"""`stillwatch replay verify`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from pipeline.command_line.connect import store_of
from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common
from pipeline.command_line.run import DONE, FAILED


def verify(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: Annotated[str | None, Parameter(name="--to")] = None,
    processes: Annotated[int | None, Parameter(name="--processes")] = None,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Prove that a replay gives what the stream wrote, on your own data; print the first difference if there is one.

    Parameters
    ----------
    from_
        Compare from here on, starting with the states that the stream kept before; from its first event by default.
    to
        Compare up to here; all that the stream's newest states hold by default.
    processes
        Processes that run engines: one for each core by default.
    json
        Print JSON.
    """
    from replay.command_line.progress import progress
    from replay.command_line.stopping import asked_to_stop
    from replay.drive import Manner
    from replay.errors import ReplayError
    from replay.verify import verify as verified
    from replay.window import window_of

    try:
        window = window_of(from_, to)
    except ReplayError as error:
        raise Misuse(str(error)) from None
    options = common or Common()
    settings = options.settings()
    with asked_to_stop() as stopped, store_of(options) as store, progress(None) as show:
        manner = Manner(processes, stopped=stopped, progress=show.update)
        found = verified(store, settings, from_ms=window.from_ms, to_ms=window.to_ms, manner=manner)
    if json:
        from pipeline.command_line.show import print_json

        print_json(found)
    elif found.difference is None:
        from pipeline.command_line.show import print_table

        print_table("stream and replay are equal", ("table", "rows"), list(found.rows.items()))
    else:
        from pipeline.event.harmless import harmless

        one = found.difference
        if one.column:
            print(harmless(f"{one.table} {one.key}: {one.column} is {one.live} live, {one.replayed} replayed", 2000))
        else:
            missing, row = ("replay", one.live) if one.replayed is None else ("stream", one.replayed)
            print(harmless(f"{one.table} {one.key}: the {missing} has no such row; the other: {row}", 2000))
    return DONE if found.difference is None else FAILED
