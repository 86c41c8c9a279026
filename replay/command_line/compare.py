"""`stillwatch replay compare`: runs side by side."""

from __future__ import annotations

from pipeline.command_line.connect import store_of
from pipeline.command_line.options import Common
from replay.command_line.replay import Json


def compare(a: str, b: str, /, *, json: Json = False, common: Common | None = None) -> int:
    """Compare two runs: counts, incidents gained and lost, earlier and later, and how far scores moved.

    Parameters
    ----------
    a
        Name of the run to compare with; live is the stream.
    b
        Name of the run that is compared.
    json
        Print JSON.
    """
    from replay.compare import load_and_compare

    with store_of(common) as store:
        found = load_and_compare(store, a, b)
    if json:
        from pipeline.command_line.show import print_json

        print_json(found)
    else:
        from replay.command_line.figures import print_comparison

        print_comparison(found)
    return 0
