"""Options that most commands take, and the settings they make."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

from cyclopts import Parameter

from pipeline.command_line.errors import Misuse

if TYPE_CHECKING:
    from pipeline.settings import Settings


#: The option `--json`: machine-readable output.
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative=())]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Common:
    """Where the settings come from, and the two addresses."""

    broker: Annotated[str | None, Parameter(name="--broker")] = None
    """Kafka: kafka://host:9092, or embedded."""
    store: Annotated[str | None, Parameter(name="--store")] = None
    """ClickHouse: chdb:FOLDER, clickhouse://user@host:8123/stillwatch, or clickhouses:// with TLS."""
    config: Annotated[Path | None, Parameter(name="--config")] = None
    """Settings file; stillwatch.toml in the working folder by default."""
    set: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = ()
    """One setting, KEY=VALUE with a dotted key; may be repeated."""

    def settings(self) -> Settings:
        """The settings from file, environment and options. Raises `SettingsError`, or `Misuse` for a `--set` without "="."""
        from pipeline.settings import load

        overrides = pairs(self.set, "--set")
        if self.broker is not None:
            overrides["stream.broker"] = self.broker
        if self.store is not None:
            overrides["store.address"] = self.store
        return load(self.config, overrides, os.environ)


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Split KEY=VALUE texts. Raises `Misuse` where there is no "="."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise Misuse(f"{option} {text}: write it as KEY=VALUE")
        found[key.strip()] = value
    return found
