"""Everything that crosses a boundary: event schemas, table definitions, field maps and examples, as package data."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def resource(*path: str) -> Traversable:
    """Return the packaged file or folder at `path` below `schemas/`, for example ``resource("clickhouse")``."""
    return files(__name__).joinpath(*path)
