"""Records as clients of a schema registry write them: a zero byte, the schema's id in four bytes, and the body.

The framing is Confluent's wire format; the body is Avro where the settings have the writer's schema of that id, else JSON.
"""

import io
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from pipeline.event.api_call import REQUIRED_FIELDS
from pipeline.event.reject import RejectReason

#: Bytes before the body.
FRAME: Final = 5
_ZERO: Final = b"\0"
_HIGHEST_ID: Final = (1 << 32) - 1


class AvroSchemaError(Exception):
    """A schema of `event.avro_schemas` cannot be used; the text is one line."""


class UnframedError(Exception):
    """The record cannot be taken out of its frame."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def is_framed(raw: bytes) -> bool:
    """Whether it begins as a framed record does, and no JSON document can."""
    return raw[:1] == _ZERO


def unframed(raw: bytes, schemas: Mapping[str, str]) -> bytes | dict[str, Any]:
    """The body of a framed record: JSON as it is, Avro as the names and values that its writer's schema says.

    `schemas` has the file of each id. Raises `UnframedError`, and `AvroSchemaError` for a file that `check_schemas` would
    refuse.
    """
    if len(raw) < FRAME:
        raise UnframedError(RejectReason.MALFORMED_AVRO, f"{len(raw)} bytes, a schema's id alone needs {FRAME}")
    number = int.from_bytes(raw[1:FRAME], "big")
    file = schemas.get(str(number))
    body = raw[FRAME:]
    if file is not None:
        return _avro(body, file)
    if body.lstrip()[:1] == b"{":
        return body
    detail = f"schema id {number} is not in event.avro_schemas, and the body is no JSON object"
    raise UnframedError(RejectReason.UNKNOWN_SCHEMA_VERSION, detail)


def check_schemas(schemas: Mapping[str, str]) -> None:
    """Raise `AvroSchemaError` unless every id is one and its file holds the schema of a record."""
    for number, file in schemas.items():
        if not (number.isascii() and number.isdigit()) or str(int(number)) != number or int(number) > _HIGHEST_ID:
            raise AvroSchemaError(f"event.avro_schemas: {number!r} is no id of a schema, write it in decimal")
        _schema(file)


def _avro(body: bytes, file: str) -> dict[str, Any]:
    from fastavro import schemaless_reader

    schema = _schema(file)
    stream = io.BytesIO(body)
    try:
        found = schemaless_reader(stream, schema, None)
    except Exception as error:
        # Whatever the parser trips over: indices of unions, lengths, dates, encodings have an exception each.
        raise UnframedError(RejectReason.MALFORMED_AVRO, f"no record of {file}: {type(error).__name__}") from None
    if stream.tell() < len(body):
        left = len(body) - stream.tell()
        raise UnframedError(RejectReason.MALFORMED_AVRO, f"{left} bytes follow the record of {file}")
    return dict(found)  # type: ignore[arg-type]


@lru_cache
def _schema(file: str) -> Any:
    try:
        from fastavro import parse_schema
    except ImportError:
        raise AvroSchemaError("event.avro_schemas needs fastavro: pip install 'stillwatch[avro]'") from None
    try:
        given = json.loads(Path(file).read_text(encoding="utf-8"))
        schema = parse_schema(given)
    except OSError as error:
        raise AvroSchemaError(f"event.avro_schemas: {file} cannot be read: {error.strerror or error}") from None
    except Exception as error:
        raise AvroSchemaError(f"event.avro_schemas: {file} is no Avro schema: {error}") from None
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise AvroSchemaError(f"event.avro_schemas: {file} is not the schema of a record")
    missing = sorted(set(REQUIRED_FIELDS) - {field["name"] for field in schema["fields"]})
    if missing:
        raise AvroSchemaError(f"event.avro_schemas: {file} has no field {', '.join(missing)}, which every event needs")
    return schema
