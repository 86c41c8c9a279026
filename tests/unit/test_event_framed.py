"""Records in a schema registry's framing are the same events as without it."""

import io
import json
from pathlib import Path

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sources_support import CSV_MAP, EXAMPLES, RECEIVED_AT, calls, read

from pipeline.event import ApiCall, EventLimits, Rejected, decode, decode_many, encode
from pipeline.event.framed import AvroSchemaError, check_schemas

V1 = Path(__file__).parents[2] / "schemas" / "api_call" / "api_call.v1.avsc"
SCHEMA = fastavro.parse_schema(json.loads(V1.read_text()))
LIMITS = EventLimits(avro_schemas={"7": str(V1)})
CALL = ApiCall(event_id="e", ts=RECEIVED_AT - 5, account_id="a", temperature=0.5, attributes={"x": "y"})


def framed(body, number=7):
    return b"\0" + number.to_bytes(4, "big") + body


def avro(record, schema=SCHEMA):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, schema, record)
    return stream.getvalue()


def of_avro(call):
    return framed(avro(msgspec.structs.asdict(call)))


def decoded(raw, limits=LIMITS):
    return decode(raw, received_at=RECEIVED_AT, limits=limits)


def test_examples_are_the_same_events_in_every_form():
    found = [call for path in sorted(EXAMPLES.iterdir()) for call in calls(read(path, csv_map=CSV_MAP))]
    assert len(found) >= 20
    forms = [form(call) for call in found for form in (encode, of_avro, lambda call: framed(encode(call), 1))]
    results = decode_many(forms, received_at=[RECEIVED_AT] * len(forms), limits=LIMITS)
    assert results == [call for call in found for _ in range(3)]


TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBER = st.none() | st.integers(0, 10**6)


@settings(max_examples=60)
@given(
    st.builds(
        ApiCall,
        event_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
        ts=st.integers(LIMITS.earliest, RECEIVED_AT),
        account_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256),
        signup_ts=st.none() | st.integers(0, RECEIVED_AT),
        model=TEXT,
        user_agent=TEXT,
        stream=st.none() | st.booleans(),
        temperature=st.none() | st.floats(0, 100),
        latency_ms=st.none() | st.floats(0, 10**6),
        output_tokens=NUMBER,
        asn=NUMBER,
        attributes=st.dictionaries(st.from_regex(r"x[a-z]{1,9}", fullmatch=True), st.text(max_size=20), max_size=3),
    )
)
def test_avro_and_json_give_the_same_call_back(call):
    assert decoded(of_avro(call)) == decoded(encode(call)) == call


@settings(max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 120))
def test_damaged_records_are_rejected_or_events_and_never_raise(noise, cut):
    for raw in (b"\0" + noise, framed(noise), of_avro(CALL)[:cut] + noise):
        result = decoded(raw)
        assert isinstance(result, (ApiCall, Rejected))
        assert isinstance(result, ApiCall) or result.raw == raw


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\0\0", "malformed_avro"),
        (framed(b""), "malformed_avro"),
        (of_avro(CALL) + b"\0", "malformed_avro"),
        (framed(avro(msgspec.structs.asdict(CALL)), 8), "unknown_schema_version"),
        (framed(b"{oops", 8), "malformed_json"),
        (framed(b'{"event_id":"e","ts":1}', 8), "missing_field"),
        (of_avro(msgspec.structs.replace(CALL, account_id="")), "account_invalid"),
        (of_avro(msgspec.structs.replace(CALL, ts=RECEIVED_AT + 10**7)), "time_in_future"),
    ],
)
def test_what_cannot_be_used_is_kept_with_a_reason(raw, reason):
    result = decoded(raw)
    assert (result.reason, result.raw) == (reason, raw)


def test_fields_that_only_the_writer_knows_become_attributes_and_texts_do_not(tmp_path):
    fields = [{"name": name, "type": "string"} for name in ("event_id", "account_id", "tier", "prompt")]
    fields.append({"name": "ts", "type": "long"})
    writer = {"type": "record", "name": "com.example.GatewayCall", "fields": fields}
    (tmp_path / "own.avsc").write_text(json.dumps(writer))
    record = {"event_id": "e", "account_id": "a", "tier": "gold", "prompt": "secret", "ts": RECEIVED_AT}
    limits = EventLimits(avro_schemas={"300": str(tmp_path / "own.avsc")})
    call = decoded(framed(avro(record, fastavro.parse_schema(writer)), 300), limits)
    assert call == ApiCall(event_id="e", ts=RECEIVED_AT, account_id="a", attributes={"tier": "gold"})


def test_schemas_are_checked_before_the_first_record(tmp_path):
    check_schemas(LIMITS.avro_schemas)
    for text in ("{", '{"type": "nothing"}', '"string"', '{"type": "record", "name": "X", "fields": []}'):
        file = tmp_path / f"{len(text)}.avsc"
        file.write_text(text)
        with pytest.raises(AvroSchemaError, match=r"event\.avro_schemas: .*avsc"):
            check_schemas({"1": str(file)})
    with pytest.raises(AvroSchemaError, match="cannot be read"):
        check_schemas({"1": str(tmp_path / "absent")})
    for number in ("one", "07", "-1", str(1 << 32)):
        with pytest.raises(AvroSchemaError, match="no id of a schema"):
            check_schemas({number: str(V1)})
