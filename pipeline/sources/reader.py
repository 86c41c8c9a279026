"""What the reader of a log format must offer, and what readers share."""

from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any, Protocol

import msgspec

from pipeline.sources.field_map import FieldMap, table
from pipeline.sources.timestamps import parse_time

Record = Mapping[str, Any]
#: ApiCall's names -> values; `pipeline.event.from_mapping` checks them.
Fields = dict[str, object]


class NotACallError(Exception):
    """A record of the format that is about something else than a call of an API; the text says what."""


class Reader(Protocol):
    """The reader of one format. It trusts nothing: every record, however odd, comes back from each of these."""

    def records(self, document: object) -> Iterator[object]:
        """The records of a JSON document; what is no record stays as it is, to be rejected."""
        ...

    def fields(self, record: Record) -> Fields:
        """The fields of the call that `record` tells of; NotACallError where it tells of none."""
        ...

    def kept(self, record: object) -> bytes:
        """What a rejected event keeps of `record`: never a prompt, a completion or a secret."""
        ...

    def kept_unread(self, raw: bytes) -> bytes:
        """What a rejected event keeps of bytes that are no record."""
        ...


def alone_or_listed(document: object, *keys: str) -> Iterator[object]:
    """`document` itself, or its elements where it is a list, or those of a list under one of `keys`."""
    if isinstance(document, dict):
        for key in keys:
            if isinstance(document.get(key), list):
                document = document[key]
                break
    if isinstance(document, list):
        yield from document
    else:
        yield document


def time_at(field_map: FieldMap, record: Record, name: str, zone: tzinfo) -> int | None:
    """The epoch milliseconds at `name`; None where there is no time."""
    value = parse_time(field_map.get(record, name), zone)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def between(start: object, end: object) -> int | None:
    """Milliseconds from `start` to `end`; None where either is no time or they are the wrong way round."""
    if isinstance(start, int) and isinstance(end, int) and end >= start:
        return end - start
    return None


def status_of(error: object) -> int | None:
    """The HTTP status of an error's name as clients report it, or of a status given as text."""
    if isinstance(error, int) and not isinstance(error, bool):
        error = str(error)
    if not isinstance(error, str):
        return None
    if error.isascii() and error.isdigit() and len(error) == 3:
        return int(error)
    known: Mapping[str, int] = table("errors")["status"]
    return known.get(error.rpartition(".")[2])


def encoded(record: object) -> bytes:
    """`record` as JSON."""
    return msgspec.json.encode(record)
