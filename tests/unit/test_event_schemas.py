"""The JSON Schema and the Avro schema of ApiCall say what `pipeline.event` does."""

import io
import json
from datetime import UTC, datetime

import fastavro
import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_support import CSV_MAP, EXAMPLES, RECEIVED_AT, calls, read

from pipeline.event import FIELDS, REQUIRED_FIELDS, SCHEMA_VERSION, ApiCall, EventLimits, decode, encode
from schemas import resource

SCHEMA = json.loads(resource("api_call", "api_call.v1.schema.json").read_text("utf-8"))
AVRO = fastavro.parse_schema(json.loads(resource("api_call", "api_call.v1.avsc").read_text("utf-8")))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BASE = {"event_id": "e", "ts": 1_733_130_847_000, "account_id": "a"}
LIMITS = EventLimits()


def accepted(event) -> bool:
    return isinstance(decode(json.dumps(event).encode(), received_at=RECEIVED_AT, limits=LIMITS), ApiCall)


def example_calls() -> list[ApiCall]:
    return [call for path in sorted(EXAMPLES.iterdir()) for call in calls(read(path, csv_map=CSV_MAP))]


def test_the_schemas_are_valid_and_list_every_field_in_order():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert tuple(SCHEMA["properties"]) == FIELDS
    assert tuple(field["name"] for field in AVRO["fields"]) == FIELDS
    assert tuple(SCHEMA["required"]) == REQUIRED_FIELDS
    assert tuple(field["name"] for field in AVRO["fields"] if "default" not in field) == REQUIRED_FIELDS
    assert SCHEMA["properties"]["schema_version"]["enum"] == [SCHEMA_VERSION, None]


def test_both_schemas_describe_every_field_alike():
    for field in AVRO["fields"]:
        assert field["doc"] == SCHEMA["properties"][field["name"]].get("description", field["doc"])
        assert field["doc"].endswith((".", "..."))


def test_every_example_is_an_event_under_every_schema():
    found = example_calls()
    assert len(found) >= 20
    for call in found:
        document = json.loads(encode(call))
        VALIDATOR.validate(document)
        assert decode(encode(call), received_at=RECEIVED_AT, limits=LIMITS) == call
        assert from_avro(to_avro(call)) == call


def test_native_examples_as_written_are_valid():
    for line in (EXAMPLES / "native.jsonl").read_text().splitlines():
        VALIDATOR.validate(json.loads(line))


@pytest.mark.parametrize("name", FIELDS)
def test_an_absent_field_is_allowed_unless_it_is_required(name):
    for event in ({key: value for key, value in BASE.items() if key != name}, {**BASE, name: None}):
        assert VALIDATOR.is_valid(event) is accepted(event) is (name not in REQUIRED_FIELDS)


def edges(name):
    schema = SCHEMA["properties"][name]
    yield from (True, False, "x", 1, 0.5, -1, [], {}, "", "0" * 16, 1_733_130_847_000)
    for bound in ("minimum", "maximum"):
        if bound in schema:
            yield from (schema[bound] - 1, schema[bound], schema[bound] + 1)
    for length in (16, 128, 256, 1024):
        yield from ("a" * (length - 1), "a" * length, "a" * (length + 1), "ä" * length, "g" * length)
    yield from ("2024-12-02T09:14:07Z", "2024-12-02T09:14:07.25+01:00", "2024-12-02T09:14:07", "2024-12-02", "soon")


@pytest.mark.parametrize(
    "name", [name for name in FIELDS if name not in ("attributes", "schema_version", "ts", "signup_ts")]
)
def test_schema_and_decoder_agree_at_every_edge(name):
    for value in edges(name):
        event = {**BASE, name: value}
        assert VALIDATOR.is_valid(event) is accepted(event), (name, value)


@pytest.mark.parametrize("name", ["ts", "signup_ts"])
def test_schema_and_decoder_agree_on_times(name):
    for value in edges(name):
        event = {**BASE, name: value}
        # How far a time may be off is the settings' to say, not the schema's.
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value != 0.5 and value < 10**12:
            continue
        assert VALIDATOR.is_valid(event) is accepted(event), (name, value)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC)))
def test_rfc_3339_is_accepted_by_both(moment):
    event = {**BASE, "ts": moment.isoformat()}
    assert VALIDATOR.is_valid(event)
    assert accepted(event)


def test_unknown_fields_are_allowed_and_versions_are_not():
    assert VALIDATOR.is_valid({**BASE, "novel": {"deep": 1}}) is accepted({**BASE, "novel": {"deep": 1}}) is True
    for version in (0, 1, 2, "1", None, True, 1.5):
        event = {**BASE, "schema_version": version}
        assert VALIDATOR.is_valid(event) is accepted(event) is (version in (1, None) and version is not True)


def to_avro(call: ApiCall) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, AVRO, msgspec.structs.asdict(call))
    return stream.getvalue()


def from_avro(data: bytes) -> ApiCall:
    record = fastavro.schemaless_reader(io.BytesIO(data), AVRO)
    return msgspec.convert(record, ApiCall)
