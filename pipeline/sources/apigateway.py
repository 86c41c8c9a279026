"""Amazon API Gateway access logs, as JSON or in the common log format."""

import hashlib
import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final

from pipeline.sources.content import withheld_bytes
from pipeline.sources.field_map import field_map, fold
from pipeline.sources.reader import Fields, Record, alone_or_listed, encoded
from pipeline.sources.timestamps import parse_time

#: $context.identity.sourceIp caller user [requestTime] "httpMethod resourcePath protocol" status responseLength requestId
COMMON_LOG: Final = re.compile(
    rb"(?P<ip>\S+) (?P<caller>\S+) (?P<user>\S+) \[(?P<requestTime>[^\]]+)\]"
    rb' "(?P<httpMethod>\S+) (?P<path>\S+(?: \S+)?) (?P<protocol>\S+)" (?P<status>\d{3}|-) (?P<responseLength>\d+|-)'
    rb"(?: (?P<requestId>\S+))?(?: (?P<extendedRequestId>\S+))?\s*"
)
_SECRET_NOTE: Final = "[API key withheld]"
_SECRET_NAME: Final = re.compile(rb"api_?key(?!_?id)", re.IGNORECASE)
_DEPTH: Final = 6


class ApiGateway:
    """Reads access logs; `$context.accountId` owns the API, it is never the caller."""

    def __init__(self, zone: tzinfo, account_attribute: str | None) -> None:
        self._zone = zone
        self._map = field_map("apigateway").with_account(account_attribute)
        self._secrets = frozenset(map(fold, self._map.tables["secrets"]["names"]))
        self._paths: dict[str, str] = self._map.tables["paths"]

    def records(self, document: object) -> Iterator[object]:
        """The records of a document."""
        return alone_or_listed(document)

    def line(self, raw: bytes) -> Record | None:
        """The record of a line in the common log format; None where it is none."""
        found = COMMON_LOG.fullmatch(raw)
        if found is None:
            return None
        return {name: value.decode("utf-8", "replace") for name, value in found.groupdict().items() if value}

    def fields(self, record: Record) -> Fields:
        """The call of one record."""
        flat: dict[str, Any] = {}
        _flatten(record, "", flat, 0)
        fields = self._map.read(flat)
        fields["ts"] = parse_time(fields.get("ts"), self._zone)
        secret = next((flat[name] for name in self._secrets if isinstance(flat.get(name), str)), None)
        if secret not in (None, "", "-"):
            stand_in = "key:" + hashlib.sha256(str(secret).encode("utf-8", "replace")).hexdigest()[:32]
            fields.setdefault("api_key_id", stand_in)
            fields.setdefault("account_id", stand_in)
        method, path = self._text(flat, "httpMethod"), self._path(flat)
        if path:
            fields["endpoint"] = f"{method} {path}"[:1024] if method and not path.startswith(method) else path[:1024]
            bare = path.partition("?")[0].rstrip("/")
            fields["operation"] = next((name for end, name in self._paths.items() if bare.endswith(end)), method)
        return fields

    def kept(self, record: object) -> bytes:
        """The whole record but for API keys."""
        return encoded(self._without_secrets(record, "", 0))

    def kept_unread(self, raw: bytes) -> bytes:
        """The bytes, or their length where one of the keys' names is among them."""
        return withheld_bytes(raw) if _SECRET_NAME.search(raw) else raw

    def _path(self, flat: Record) -> str | None:
        names = ("path", "resourcePath", "routeKey")
        return next((text for name in names if (text := self._text(flat, name)) is not None), None)

    def _text(self, flat: Record, name: str) -> str | None:
        value = self._map.get(flat, name)
        return value if isinstance(value, str) else None

    def _without_secrets(self, value: object, path: str, depth: int) -> object:
        if isinstance(value, dict) and depth < _DEPTH:
            return {key: self._without_secrets(item, path + fold(str(key)), depth + 1) for key, item in value.items()}
        return _SECRET_NOTE if path in self._secrets and value not in (None, "", "-") else value


def _flatten(record: Record, prefix: str, flat: dict[str, Any], depth: int) -> None:
    for key, value in record.items():
        name = prefix + fold(str(key))
        if isinstance(value, dict) and depth < _DEPTH:
            _flatten(value, name, flat, depth + 1)
        else:
            flat.setdefault(name, value)
