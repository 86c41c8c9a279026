"""Settings from a TOML file, the environment and the command line, with every mistake told at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import msgspec

from pipeline.settings.check import mistakes_in
from pipeline.settings.sections import Settings

DEFAULT_FILE = Path("stillwatch.toml")
PREFIX = "STILLWATCH_"
#: Short names in the environment for what is set most.
SHORTCUTS = {"STILLWATCH_BROKER": "stream.broker", "STILLWATCH_STORE": "store.address"}
#: Variables with the prefix that are not settings: secrets and files.
NOT_SETTINGS = frozenset(
    {
        "STILLWATCH_CONFIG",
        "STILLWATCH_STORE_PASSWORD",
        "STILLWATCH_STORE_PASSWORD_FILE",
        "STILLWATCH_BROKER_PASSWORD",
        "STILLWATCH_BROKER_PASSWORD_FILE",
        "STILLWATCH_HTTP_PASSWORD",
        "STILLWATCH_ADDRESS_KEY",
        "STILLWATCH_SHARED_DATA",
    }
)


class SettingsError(Exception):
    """The settings are wrong; `mistakes` has one line for each mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def load(path: Path | None, overrides: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
    """Read the settings; later sources win: defaults, file, environment, overrides.

    `path` is the file, or None for `stillwatch.toml` in the working folder if it is there. `overrides` has dotted keys
    (``engine.allowed_lateness_s``). Environment variables are `STILLWATCH_` and the key in capitals, two underscores
    for the dot. Raises `SettingsError` with all mistakes.
    """
    mistakes: list[str] = []
    document = _read_file(path, environ, mistakes)
    origins: dict[str, str] = {}
    for key, text, origin in _texts(overrides, environ):
        _put(document, key, text, origin, origins, mistakes)
    values = _section(Settings, document, "", origins, str(path or DEFAULT_FILE), mistakes)
    if mistakes:
        raise SettingsError(mistakes)
    settings: Settings = Settings(**values)
    mistakes.extend(mistakes_in(settings))
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _read_file(path: Path | None, environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Any]:
    named = path or (Path(environ["STILLWATCH_CONFIG"]) if environ.get("STILLWATCH_CONFIG") else None)
    file = named or DEFAULT_FILE
    if named is None and not file.exists():
        return {}
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        mistakes.append(f"{file}: cannot be read: {error.strerror or error}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        mistakes.append(f"{file}: is not TOML: {error}")
    return {}


def _texts(overrides: Mapping[str, str], environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    found = []
    for name in sorted(environ):
        if name in SHORTCUTS:
            found.append((SHORTCUTS[name], environ[name], name))
        elif name.startswith(PREFIX) and "__" in name and name not in NOT_SETTINGS:
            found.append((name[len(PREFIX) :].lower().replace("__", "."), environ[name], name))
    found.extend((key, text, f"--set {key}") for key, text in overrides.items())
    return found


def _put(
    document: dict[str, Any], key: str, text: str, origin: str, origins: dict[str, str], mistakes: list[str]
) -> None:
    *sections, last = key.split(".")
    table: Any = document
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            mistakes.append(f"{origin}: {section} is a value, not a section")
            return
    table[last] = _Text(text)
    origins[key] = origin


class _Text(str):
    """A value that came as text, so that numbers and truth values are read from it."""

    __slots__ = ()


def _section(
    kind: type[msgspec.Struct],
    table: dict[str, Any],
    prefix: str,
    origins: dict[str, str],
    file: str,
    mistakes: list[str],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name, value in table.items():
        key = prefix + name
        origin = origins.get(key, f"{file}: {key}")
        field = fields.get(name)
        if field is None:
            known = ", ".join(sorted(fields))
            mistakes.append(f"{origin}: there is no such setting; {prefix or 'the top level'} has {known}")
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            if isinstance(value, dict):
                values[name] = field.type(**_section(field.type, value, key + ".", origins, file, mistakes))
            else:
                mistakes.append(f"{origin}: is a section, not a value")
        else:
            try:
                values[name] = _convert(value, field.type)
            except msgspec.ValidationError as error:
                mistakes.append(f"{origin}: {error}, got {str(value)[:80]!r}")
            except msgspec.DecodeError as error:
                mistakes.append(f"{origin}: is not JSON: {error}")
    return values


def _convert(value: Any, kind: Any) -> Any:
    if not isinstance(value, _Text):
        return msgspec.convert(value, kind)
    text = str(value)
    if _is_container(kind):
        return msgspec.json.decode(text.encode(), type=kind)
    return msgspec.convert(text, kind, strict=False)


def _is_container(kind: Any) -> bool:
    origin = get_origin(kind)
    if origin is Union:
        return any(_is_container(part) for part in get_args(kind))
    return origin in (tuple, list, dict)
