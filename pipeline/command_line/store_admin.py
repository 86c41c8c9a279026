"""`stillwatch migrate` and `stillwatch doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from pipeline.command_line.errors import Failure
from pipeline.command_line.options import Common
from pipeline.command_line.show import print_json, print_lines

if TYPE_CHECKING:
    from pipeline.settings import Settings
    from pipeline.store.client import Store
    from pipeline.store.migrate import Migration


def migrate(
    *,
    wait: Annotated[float, Parameter(name="--wait")] = 0.0,
    roles: Annotated[bool, Parameter(name="--roles", negative=())] = False,
    back_to: Annotated[int | None, Parameter(name="--back-to", validator=validators.Number(gte=1))] = None,
    json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    common: Common | None = None,
) -> int:
    """Apply the schema to the store; what is applied already is left as it is.

    Parameters
    ----------
    wait
        Seconds to wait for a server that does not answer yet.
    roles
        Also make the roles stillwatch_reader and stillwatch_writer on a ClickHouse server, with their limits and quotas.
    back_to
        Before an older Stillwatch is installed again: the last migration that it knows. Later ones are noted as not applied,
        and nothing is deleted.
    json
        Print the applied migrations as JSON.
    """
    from pipeline.command_line.connect import open_store
    from pipeline.store.migrate import go_back, known_migrations

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
        applied = [f"{migration.version:04}_{migration.name}" for migration in _applied(store, settings, roles)]
        newest = f"{known_migrations()[-1].version:04}"
        if json:
            print_json({"store": str(store.address), "schema": newest, "applied": applied})
        else:
            done = f"applied {', '.join(applied)}" if applied else "nothing to apply"
            print_lines([f"{store.address}: {done}; schema {newest}"])
    return 0


def _applied(store: Store, settings: Settings, roles: bool) -> list[Migration]:
    from pipeline.store.migrate import migrate as apply_migrations
    from pipeline.store.roles import make_roles

    cluster = settings.store.cluster
    if cluster and store.address.embedded:
        raise Failure(f"store {store.address} is no cluster: take store.cluster out, or name a ClickHouse server")
    applied = apply_migrations(store, cluster=cluster)
    if roles:
        make_roles(store, cluster)
    return applied


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
