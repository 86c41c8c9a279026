"""The SQL of the console: one file each, bound parameters only."""

from functools import cache
from importlib import resources


@cache
def query(name: str) -> str:
    """The text of `name`.sql."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_text()
