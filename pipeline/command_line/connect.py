"""From the options of a command to an open store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.command_line.options import Common
    from pipeline.settings import Settings
    from pipeline.store.client import Store


def open_store(
    settings: Settings, *, patience_s: float = 0.0, migrated: bool = True, through_holder: bool = False
) -> Store:
    """Open the store that the settings name; with `migrated` it must have this program's schema.

    With `through_holder` an embedded store that a worker holds is asked through that worker.

    Raises `StoreError`, one line, when it cannot be opened or used.
    """
    from pipeline.store.address import parse_address
    from pipeline.store.client import connect
    from pipeline.store.errors import SchemaError
    from pipeline.store.migrate import require_schema

    folder = parse_address(settings.store.address).folder
    if migrated and folder is not None and not folder.exists():
        # Opening would make an empty one wherever a mistyped path points.
        raise SchemaError(f"there is no store in {folder}: run `stillwatch migrate`, or mend --store")
    store = connect(
        settings.store.address,
        password_file=settings.store.password_file,
        patience_s=patience_s,
        waiting=lambda line: print(f"stillwatch: {line}", file=sys.stderr),
        through_holder=through_holder,
    )
    try:
        if migrated:
            require_schema(store)
    except BaseException:
        store.close()
        raise
    return store


def store_of(common: Common | None) -> Store:
    """Open the store for a command that reads it, or records what people say."""
    from pipeline.command_line.options import Common

    return open_store((common or Common()).settings(), through_holder=True)
