import json
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import (
    FIELDS,
    RAW_LIMIT,
    ApiCall,
    EventLimits,
    Rejected,
    RejectReason,
    decode,
    decode_many,
    encode,
    from_mapping,
)

NOW = 1_735_000_000_000
LIMITS = EventLimits()
LEAST = {"event_id": "e1", "ts": NOW - 1000, "account_id": "acct-1"}


def decoded(document: object) -> ApiCall | Rejected:
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode(raw, received_at=NOW, limits=LIMITS)


def test_least_event_is_accepted() -> None:
    assert decoded(LEAST) == ApiCall(event_id="e1", ts=NOW - 1000, account_id="acct-1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-12-01T00:00:00Z", 1_733_011_200_000),
        ("2024-12-01T01:00:00.123456+01:00", 1_733_011_200_123),
        ("2024-12-01 00:00:00.9999Z", 1_733_011_200_999),
    ],
)
def test_text_times_become_milliseconds_in_utc(text: str, expected: int) -> None:
    call = decoded(LEAST | {"ts": text, "signup_ts": text})
    assert isinstance(call, ApiCall)
    assert (call.ts, call.signup_ts) == (expected, expected)


def test_unknown_fields_are_kept_as_attributes() -> None:
    call = decoded(LEAST | {"team": "red", "nested": {"a": [1]}, "attributes": {"plan": "pro"}, "nothing": None})
    assert isinstance(call, ApiCall)
    assert call.attributes == {"plan": "pro", "team": "red", "nested": '{"a":[1]}'}


def test_null_is_as_good_as_absent() -> None:
    assert decoded(LEAST | {"model": None, "output_tokens": None}) == decoded(LEAST)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", RejectReason.MALFORMED_JSON),
        (b'{"event_id": "e1", ', RejectReason.MALFORMED_JSON),
        (b"\xff\xfe\x00", RejectReason.MALFORMED_JSON),
        (b'{"event_id": "\xff"}', RejectReason.MALFORMED_JSON),
        (b"[" * 100_000, RejectReason.MALFORMED_JSON),
        (json.dumps(LEAST).encode() + b"{}", RejectReason.MALFORMED_JSON),
        (b"NaN", RejectReason.MALFORMED_JSON),
        ([LEAST], RejectReason.NOT_AN_OBJECT),
        ("text", RejectReason.NOT_AN_OBJECT),
        (LEAST | {"schema_version": 2}, RejectReason.UNKNOWN_SCHEMA_VERSION),
        (LEAST | {"schema_version": True}, RejectReason.UNKNOWN_SCHEMA_VERSION),
        ({"event_id": "e1", "ts": NOW}, RejectReason.MISSING_FIELD),
        (LEAST | {"account_id": None}, RejectReason.MISSING_FIELD),
        (LEAST | {"account_id": ""}, RejectReason.ACCOUNT_INVALID),
        (LEAST | {"account_id": "x" * 257}, RejectReason.ACCOUNT_INVALID),
        (LEAST | {"event_id": "x" * 129}, RejectReason.EVENT_ID_INVALID),
        (LEAST | {"account_id": 7}, RejectReason.WRONG_TYPE),
        (LEAST | {"stream": "yes"}, RejectReason.WRONG_TYPE),
        (LEAST | {"attributes": []}, RejectReason.WRONG_TYPE),
        (LEAST | {"output_tokens": -1}, RejectReason.NUMBER_OUT_OF_RANGE),
        (LEAST | {"output_tokens": 10**30}, RejectReason.NUMBER_OUT_OF_RANGE),
        (LEAST | {"latency_ms": -0.5}, RejectReason.NUMBER_OUT_OF_RANGE),
        (LEAST | {"model": "m" * 257}, RejectReason.TEXT_INVALID),
        (LEAST | {"prompt_simhash": "xyz4567890123456"}, RejectReason.TEXT_INVALID),
        (LEAST | {"prompt_hash": "ab cd"}, RejectReason.TEXT_INVALID),
        (LEAST | {"ts": "yesterday"}, RejectReason.TIME_INVALID),
        (LEAST | {"ts": "2024-12-01T00:00:00"}, RejectReason.TIME_INVALID),
        (LEAST | {"signup_ts": 10**30}, RejectReason.TIME_INVALID),
        (LEAST | {"ts": 0}, RejectReason.TIME_TOO_OLD),
        (LEAST | {"ts": NOW + 601_000}, RejectReason.TIME_IN_FUTURE),
        (LEAST | {"model": "m" * (1 << 20)}, RejectReason.OVERSIZED),
    ],
)
def test_bad_events_are_rejected_with_their_reason(document: object, reason: RejectReason) -> None:
    rejected = decoded(document)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert rejected.received_at == NOW


def test_rejected_event_is_kept_up_to_the_limit() -> None:
    raw = b'{"a": "' + b"x" * (2 << 20) + b'"}'
    rejected = decode(raw, received_at=NOW, limits=LIMITS)
    assert isinstance(rejected, Rejected)
    assert rejected.raw == raw[:RAW_LIMIT]


def test_lax_mapping_reads_text_as_the_field_wants_it() -> None:
    call = from_mapping(
        {"event_id": "e", "ts": str(NOW), "account_id": "a", "output_tokens": "12", "stream": "true", "top_p": "0.5"},
        b"",
        received_at=NOW,
        limits=LIMITS,
        lax=True,
    )
    assert isinstance(call, ApiCall)
    assert (call.ts, call.output_tokens, call.stream, call.top_p) == (NOW, 12, True, 0.5)


@given(st.binary(max_size=300))
def test_any_bytes_are_accepted_or_rejected(raw: bytes) -> None:
    assert isinstance(decode(raw, received_at=NOW, limits=LIMITS), ApiCall | Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), JSON, max_size=12))
def test_any_object_is_accepted_or_rejected_and_what_is_accepted_comes_back(document: dict[str, object]) -> None:
    call = decoded(LEAST | document)
    if isinstance(call, ApiCall):
        assert decode(encode(call), received_at=NOW, limits=LIMITS) == call
    else:
        assert isinstance(call, Rejected)


def test_fields_that_hold_content_are_not_kept() -> None:
    call = decoded(LEAST | {"messages": [{"content": "secret"}], "attributes": {"Prompt": "secret", "plan": "pro"}})
    assert isinstance(call, ApiCall)
    assert call.attributes == {"plan": "pro"}


def _event(change: dict[str, object]) -> bytes:
    return json.dumps(LEAST | change).encode()


SOUND = [_event({"event_id": f"e{index}", "prompt_hash": "abc"[: index % 4]}) for index in range(9)] + [
    _event({"ts": "2024-12-01T00:00:00Z", "signup_ts": 0, "system_prompt_hash": "AB12"}),
    _event({"attributes": {"prompt": "secret", "plan": "pro"}}),
]
ODD = [
    b"",
    b"\xff",
    b"[]",
    _event({"team": "red", "messages": "secret"}),
    _event({"schema_version": 2}),
    _event({"ts": 0}),
    _event({"ts": NOW + 61_000}),
    _event({"signup_ts": -1}),
    _event({"signup_ts": NOW + 61_000}),
    _event({"prompt_hash": "ab cd"}),
    _event({"prompt_hash": "a ", "system_prompt_hash": " b"}),
    _event({"system_prompt_hash": "xy"}),
    _event({"model": "m" * 2000}),
]
NARROW = EventLimits(max_bytes=1500)


@given(st.lists(st.sampled_from(SOUND) | st.sampled_from(ODD), max_size=20), st.integers(1, 4), st.integers(0, 120_000))
def test_many_are_decoded_as_each_is(raws: list[bytes], together: int, spread: int) -> None:
    times = [NOW + (index * 7919) % (spread + 1) for index in range(len(raws))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("pipeline.event.decode"), "_TOGETHER", together)
        found = decode_many(raws, received_at=times, limits=NARROW)
    assert found == [decode(raw, received_at=moment, limits=NARROW) for raw, moment in zip(raws, times, strict=True)]
