"""Field maps: which name of a log format holds which field of ApiCall, read from `schemas/field_maps/*.toml`."""

import math
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from pipeline.event import FIELDS
from schemas import resource

#: Values by which logs say that there is none.
ABSENT: Final = (None, "", "-")
WHOLE_NUMBERS: Final = frozenset(
    {
        *("n", "max_tokens", "tools", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens"),
        *("request_bytes", "response_bytes", "status", "asn"),
    }
)
DECIMALS: Final = frozenset({"temperature", "top_p", "latency_ms", "ttft_ms"})
TRUTHS: Final = frozenset({"stream", "logprobs"})
TIMES: Final = frozenset({"ts", "signup_ts"})
TEXTS: Final = frozenset(FIELDS) - WHOLE_NUMBERS - DECIMALS - TRUTHS - TIMES - {"attributes", "schema_version"}
#: Long texts that are cut rather than cost the event.
_CUT: Final = {"user_agent": 1024, "endpoint": 1024, "error_type": 256}
_TRUE: Final = frozenset({"true", "1", "yes"})
_FALSE: Final = frozenset({"false", "0", "no"})

#: Characters kept of an attribute.
ATTRIBUTE_TEXT: Final = 256

Lookup = Callable[[Mapping[str, Any], str], object]


class FieldMap:
    """The field map of one format.

    `fields` and `attributes` name, for each field or attribute, where a record may hold it, in the order of search;
    `tables` is the whole file, for what only that format's reader needs.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        addressing: str = tables["addressing"]
        self._lookup: Lookup = by_path if addressing == "path" else by_name
        self._fold = fold if addressing == "folded" else str
        self.tables = tables
        self.fields = self._places(tables["fields"])
        self.attributes = self._places(tables.get("attributes", {}))
        self._values: Mapping[str, Mapping[str, str]] = tables.get("values", {})
        also_read = tables.get("also_read", {}).get("names", ())
        #: Every name the map reads: texts elsewhere in a record may be content.
        self.known = frozenset(
            name for places in (*self.fields.values(), *self.attributes.values()) for name in places
        ) | frozenset(map(self._fold, also_read))

    def with_account(self, place: str | None) -> "FieldMap":
        """The same map with `place` alone as where the account stands; itself where `place` is None."""
        if place is None:
            return self
        return FieldMap({**self.tables, "fields": {**self.tables["fields"], "account_id": [place]}})

    def read(self, record: Mapping[str, Any]) -> dict[str, object]:
        """What `record` holds, as a mapping with ApiCall's names and types; `attributes` is always there."""
        mapping: dict[str, object] = {}
        for field, places in self.fields.items():
            value = self._first(record, places)
            if value is None:
                continue
            translated = self._values.get(field)
            if translated is not None and isinstance(value, str):
                value = translated.get(value, value)
            mapping[field] = coerce(field, value)
        attributes: dict[str, object] = {}
        for name, places in self.attributes.items():
            value = _short(self._first(record, places))
            if value is not None:
                attributes[name] = value
        mapping["attributes"] = attributes
        return mapping

    def get(self, record: Mapping[str, Any], name: str) -> object:
        """What `record` holds at `name`, None where it holds nothing."""
        value = self._lookup(record, self._fold(name))
        return None if _is_absent(value) else value

    def _first(self, record: Mapping[str, Any], places: tuple[str, ...]) -> object:
        for place in places:
            value = self._lookup(record, place)
            if not _is_absent(value) and not isinstance(value, dict):
                return value
        return None

    def _places(self, table: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
        return {name: tuple(dict.fromkeys(map(self._fold, places))) for name, places in table.items()}


@cache
def field_map(name: str) -> FieldMap:
    """The packaged field map `name`."""
    return FieldMap(table(name))


@cache
def table(name: str) -> dict[str, Any]:
    """The packaged TOML file `name` of `schemas/field_maps/`."""
    return tomllib.loads(resource("field_maps", f"{name}.toml").read_text("utf-8"))


def by_path(record: Mapping[str, Any], path: str) -> object:
    """What stands at a dotted path; a key that itself has the dots comes first."""
    if path in record:
        return record[path]
    value: object = record
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def by_name(record: Mapping[str, Any], name: str) -> object:
    """What stands under a key."""
    return record.get(name)


def fold(name: str) -> str:
    """The letters and digits of a key in lower case, without `$context.` in front."""
    return "".join(filter(str.isalnum, name.removeprefix("$context.").casefold()))


def coerce(field: str, value: object) -> object:
    """Bring `value` to the type of ApiCall's `field` where that loses nothing; otherwise leave it to the event's checks."""
    if field in TEXTS:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and field in _CUT:
            return value[: _CUT[field]]
        return value
    if field in TRUTHS:
        text = str(value).casefold()
        return True if text in _TRUE else False if text in _FALSE else value
    if field in WHOLE_NUMBERS or field in DECIMALS:
        return _number(value, whole=field in WHOLE_NUMBERS)
    return value


def _number(value: object, *, whole: bool) -> object:
    number = value
    if isinstance(value, str) and len(value) <= 40:
        try:
            number = int(value)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                return value
    if isinstance(number, float):
        if not math.isfinite(number):
            return -1  # No count and no duration: rejected as out of range, which NaN would not be.
        if whole and number.is_integer():
            return int(number)
    return number


def _short(value: object) -> object:
    """What of `value` may be an attribute: a number, a truth value, a short text, or some short texts joined."""
    if isinstance(value, list):
        texts = [item for item in value[:16] if isinstance(item, str) and len(item) <= 64]
        return ",".join(texts) or None
    if isinstance(value, str):
        return value[:ATTRIBUTE_TEXT]
    return value if isinstance(value, (bool, int, float)) else None


def _is_absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and value in ABSENT)
