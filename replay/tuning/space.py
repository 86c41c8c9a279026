"""What is searched: settings by their dotted keys, each with the values it may take."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from pipeline.detectors.build import DetectorError, build_detectors
from pipeline.settings import Settings, SettingsError
from pipeline.settings.check import mistakes_in
from replay.errors import ReplayError

if TYPE_CHECKING:
    import optuna

Value: TypeAlias = bool | int | float | str
_RANGE = re.compile(r"\s*(-?[\d.]+(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)\s*(log)?\s*")
_DETECTORS = "engine.detectors."
#: Settings that what-if can change: all of `engine.incident` that the tracker reads.
_DECIDING = frozenset(
    f"engine.incident.{name}"
    for name in (
        "alerts_per_1000_account_days",
        "open_at",
        "open_at_most",
        "unknown_past",
        "close_at",
        "quiet_s",
        "minimum_calls",
        "threshold_shift",
    )
)


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its values: a range, or a list of choices."""

    key: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    """Whether only whole numbers of the range count."""
    choices: tuple[Value, ...] = ()

    def suggest(self, trial: optuna.Trial) -> Value:
        """A value for a trial."""
        if self.choices:
            chosen = trial.suggest_categorical(self.key, list(self.choices))
            assert chosen is not None
            return chosen
        if self.whole:
            return trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)


def dimension(text: str) -> Dimension:
    """Read ``KEY=LOW..HIGH``, ``KEY=LOW..HIGH log`` or ``KEY=A,B,C``. Raises `ReplayError`, one line."""
    key, equals, values = text.partition("=")
    key = key.strip()
    if not equals or not key or not values.strip():
        raise ReplayError(f"--search {text}: write KEY=LOW..HIGH or KEY=A,B,C")
    found = _RANGE.fullmatch(values)
    if found is None:
        return Dimension(key=key, choices=tuple(_value(one) for one in values.split(",")))
    try:
        low, high = float(found[1]), float(found[2])
    except ValueError:
        raise ReplayError(f"--search {text}: {values} is no range of numbers") from None
    if low >= high:
        raise ReplayError(f"--search {text}: {found[1]} is not below {found[2]}")
    if found[3] and low <= 0:
        raise ReplayError(f"--search {text}: a range in logarithms begins above 0")
    whole = not any(mark in found[1] + found[2] for mark in ".e")
    return Dimension(key=key, low=low, high=high, log=bool(found[3]), whole=whole)


def dimensions_of_file(path: Path) -> list[Dimension]:
    """The table ``[search]`` of a TOML file: keys in quotes, values as after ``=`` on the command line, or lists."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ReplayError(f"{path}: cannot be read as a search space: {error}") from None
    table = document.get("search")
    if not isinstance(table, dict) or not table:
        raise ReplayError(f"{path}: has no table [search] with keys and values")
    found = []
    for key, value in table.items():
        if isinstance(value, list) and value and all(isinstance(one, Value) for one in value):
            found.append(Dimension(key=key, choices=tuple(value)))
        elif isinstance(value, str):
            found.append(dimension(f"{key}={value}"))
        else:
            raise ReplayError(f'{path}: {key} must be "LOW..HIGH" or a list of values')
    return found


def check_space(settings: Settings, space: Iterable[Dimension]) -> list[Dimension]:
    """The space, if each key is one that can be set, once. Raises `ReplayError`."""
    checked: dict[str, Dimension] = {}
    for one in space:
        if one.key in checked:
            raise ReplayError(f"--search {one.key}: is given twice")
        document = _document(settings)
        before = _get(document, one.key)
        # A range of whole numbers for a setting that takes any is one of any.
        is_whole = one.whole and isinstance(before, int) and not isinstance(before, bool)
        checked[one.key] = msgspec.structs.replace(one, whole=is_whole)
        ends = (int(one.low), int(one.high)) if is_whole else (one.low, one.high)
        for value in one.choices or ends:
            _put(document, one.key, value)
            _converted(document, one.key)
            document = _document(settings)
    if not checked:
        raise ReplayError("there is nothing to search: give --search KEY=LOW..HIGH")
    return list(checked.values())


def applied(settings: Settings, values: Mapping[str, Value]) -> Settings:
    """The settings with values by dotted key. Raises `SettingsError` or `DetectorError` when they do not go together.

    Below ``engine.detectors.NAME`` are the fields of the detector of that name, ``parameters.P``, ``features.F`` (true or false)
    and ``enabled``.
    """
    document = _document(settings)
    for key, value in values.items():
        _put(document, key, value)
    kept = [one for one in document["engine"]["detectors"] if one.pop("enabled", True)]
    document["engine"]["detectors"] = kept
    try:
        changed = msgspec.json.decode(msgspec.json.encode(document), type=Settings)
    except msgspec.ValidationError as error:
        raise SettingsError([str(error)]) from None
    mistakes = list(mistakes_in(changed))
    if mistakes:
        raise SettingsError(mistakes)
    build_detectors(changed.engine.detectors)
    return changed


def only_decides(space: Iterable[Dimension]) -> bool:
    """Whether incidents can be decided anew from evidence for every point of the space."""
    return all(one.key in _DECIDING for one in space)


def _document(settings: Settings) -> Any:
    # By way of JSON, so that what is a list can be changed.
    return msgspec.json.decode(msgspec.json.encode(settings))


def _converted(document: dict[str, Any], key: str) -> None:
    # Whether the value itself can be; what must fit others is seen when a trial has them all.
    for one in document["engine"]["detectors"]:
        one.pop("enabled", None)
    try:
        changed = msgspec.json.decode(msgspec.json.encode(document), type=Settings)
        if key.startswith(_DETECTORS):
            build_detectors(changed.engine.detectors)
    except (msgspec.ValidationError, DetectorError) as error:
        raise ReplayError(f"--search {key}: {error}") from None


def _get(document: dict[str, Any], key: str) -> Any:
    table, last = _place(document, key)
    if last == "enabled" and key.startswith(_DETECTORS):
        return True
    if isinstance(table, list):
        return last in table
    if last not in table and not key.partition(".parameters.")[1]:
        raise ReplayError(f"--search {key}: there is no such setting; there are {', '.join(sorted(table))}")
    return table.get(last, 0.0)


def _put(document: dict[str, Any], key: str, value: Value) -> None:
    table, last = _place(document, key)
    if not isinstance(table, list):
        table[last] = value
    elif value and last not in table:
        table.append(last)
    elif not value and last in table:
        table.remove(last)


def _place(document: dict[str, Any], key: str) -> tuple[Any, str]:
    # The table, or the list of features, that holds what the key names last.
    *sections, last = key.split(".")
    table: Any = document
    for at, section in enumerate(sections):
        if section == "detectors" and at == 1:
            continue
        if at == 2 and sections[1] == "detectors":
            named = {one["name"]: one for one in document["engine"]["detectors"]}
            if section not in named:
                raise ReplayError(f"--search {key}: there is no detector {section}; there are {', '.join(named)}")
            table = named[section]
        elif isinstance(table, dict) and section in table:
            table = table[section]
        else:
            raise ReplayError(f"--search {key}: there is no setting {section}; see docs/settings.md")
    if not isinstance(table, dict | list):
        raise ReplayError(f"--search {key}: there is no such setting; see docs/settings.md")
    return table, last


def _value(text: str) -> Value:
    text = text.strip()
    if text in ("true", "on"):
        return True
    if text in ("false", "off"):
        return False
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
