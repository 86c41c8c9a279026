"""`stillwatch migrate` and `stillwatch doctor`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.command_line.options import Common
from pipeline.command_line.show import print_json, print_lines


def migrate(
    *,
    wait: Annotated[float, Parameter(name="--wait")] = 0.0,
    back_to: Annotated[int | None, Parameter(name="--back-to", validator=validators.Number(gte=1))] = None,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Apply the schema to the store; what is applied already is left as it is.

    Parameters
    ----------
    wait
        Seconds to wait for a server that does not answer yet.
    back_to
        Before an older Stillwatch is installed again: the last migration that it knows. Later ones are noted as not applied,
        and nothing is deleted.
    json
        Print the applied migrations as JSON.
    """
    from pipeline.command_line.connect import open_store
    from pipeline.store.migrate import go_back, known_migrations
    from pipeline.store.migrate import migrate as apply_migrations

    settings = (common or Common()).settings()
    with open_store(settings, patience_s=wait, migrated=False) as store:
        if back_to is not None:
            undone = [f"{migration.version:04}_{migration.name}" for migration in go_back(store, back_to)]
            if json:
                print_json({"store": str(store.address), "schema": f"{back_to:04}", "forgotten": undone})
            else:
                print_lines(
                    [
                        f"{store.address}: ready for a Stillwatch of schema {back_to:04}; {len(undone)} later ones noted off"
                    ]
                )
            return 0
        applied = [f"{migration.version:04}_{migration.name}" for migration in apply_migrations(store)]
        newest = f"{known_migrations()[-1].version:04}"
        if json:
            print_json({"store": str(store.address), "schema": newest, "applied": applied})
        else:
            done = f"applied {', '.join(applied)}" if applied else "nothing to apply"
            print_lines([f"{store.address}: {done}; schema {newest}"])
    return 0


def doctor(
    *,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Check settings, store, schema, broker and topics, and how a stream is doing; say what is wrong and how to mend it.

    Of a stream: the group's lag, the latest checkpoints and their size, gaps, and what the worker at the web port says.

    The exit code is 1 when something is wrong.

    Parameters
    ----------
    json
        Print the findings as JSON.
    """
    from pipeline.command_line.diagnosis import diagnose
    from pipeline.command_line.finding import WRONG

    findings = diagnose((common or Common()).settings())
    wrong = [finding for finding in findings if finding.state == WRONG]
    if json:
        print_json({"healthy": not wrong, "checks": findings})
    else:
        width = max(len(finding.check) for finding in findings)
        print_lines(
            f"{finding.state:<5}  {finding.check:<{width}}  {finding.detail}"
            + (f"; to mend: {finding.mend}" if finding.mend else "")
            for finding in findings
        )
    return 1 if wrong else 0
