import json

import pytest
from sources_support import EXAMPLES, calls, read, read_records, reasons, rejects, write

HELLO = ("185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969", "a7b6eda801e5347d")
NEW = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 20,
}


def span(attributes, **changes):
    return {
        "name": "chat gpt-4o",
        "context": {"trace_id": "0x0af7651916cd43dd8448eb211c80319c", "span_id": "0xb7ad6b7169203331"},
        "start_time": "2024-12-02T09:14:08.310000Z",
        "end_time": "2024-12-02T09:14:10.310000Z",
        "status": {"status_code": "UNSET"},
        "attributes": attributes,
        "resource": {"attributes": {"service.name": "gateway"}},
        **changes,
    }


def only(folder, record, **choices):
    (result,) = read_records(folder, [record], format="otel", **choices)
    return result


def typed(value):
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [typed(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
        case _:
            return {"stringValue": value}


def pairs(attributes):
    return [{"key": key, "value": typed(value)} for key, value in attributes.items()]


def test_new_and_old_names_give_the_same_call(tmp_path):
    old = {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 20,
    }
    open_inference = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 20,
    }
    user = {"user.id": "acct-1"}
    expected = only(tmp_path, span({**NEW, **user}))
    assert (expected.input_tokens, expected.output_tokens, expected.latency_ms) == (10, 20, 2000)
    assert only(tmp_path, span({**old, **user})) == expected
    assert only(tmp_path, span({**open_inference, **user})) == expected


def test_every_shape_gives_the_same_call(tmp_path):
    attributes = {**NEW, "user.id": "acct-1", "gen_ai.request.temperature": 0.5, "gen_ai.request.stream": True}
    expected = only(tmp_path, span(attributes))
    otlp = {
        "traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "b7ad6b7169203331",
        "name": "chat gpt-4o",
        "startTimeUnixNano": "1733130848310000000",
        "endTimeUnixNano": "1733130850310000000",
        "attributes": pairs(attributes),
        "status": {},
    }
    resource = {"attributes": pairs({"service.name": "gateway"})}
    for scopes in ("scopeSpans", "instrumentationLibrarySpans"):
        document = {"resourceSpans": [{"resource": resource, scopes: [{"spans": [otlp]}]}]}
        assert read(write(tmp_path, json.dumps(document))) == [expected]
        assert read(write(tmp_path, json.dumps(document, indent=2))) == [expected]
        assert read(write(tmp_path, [document, document])) == [expected, expected]
    assert only(tmp_path, {**otlp, "attributes": attributes, "resource": resource}) == expected
    flat = {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", **attributes}
    times = {"start_time": 1_733_130_848_310, "end_time": 1_733_130_850_310, "service.name": "gateway"}
    assert only(tmp_path, {**flat, **times}) == expected


def test_a_call_as_span_and_as_log_record_counts_once(tmp_path):
    both = read(EXAMPLES / "otel_spans.json", EXAMPLES / "otel_logs.json", EXAMPLES / "otel_flat.jsonl")
    ids = [call.event_id for call in calls(both)]
    assert len(ids) == 6
    assert len(set(ids)) == 3


def test_attributes_of_the_resource_stand_below_those_of_the_span(tmp_path):
    resource = {"resource": {"attributes": {"user.id": "from-resource", "service.name": "gateway"}}}
    assert only(tmp_path, span(NEW, **resource)).account_id == "from-resource"
    assert only(tmp_path, span({**NEW, "user.id": "from-span"}, **resource)).account_id == "from-span"


def test_the_account_is_searched_in_the_documented_order_or_where_told(tmp_path):
    attributes = {**NEW, "user.id": "u", "enduser.id": "e", "tenant": 42}
    assert only(tmp_path, span(attributes)).account_id == "e"
    assert only(tmp_path, span(attributes), account_attribute="user.id").account_id == "u"
    assert only(tmp_path, span(attributes), account_attribute="tenant").account_id == "42"
    assert only(tmp_path, span(attributes), account_attribute="absent").reason == "no_account"
    assert only(tmp_path, span(NEW)).reason == "no_account"
    assert only(tmp_path, span(NEW), account="all").account_id == "all"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({}, None, None),
        ({"error.type": "429"}, 429, "429"),
        ({"error.type": "openai.RateLimitError"}, 429, "openai.RateLimitError"),
        ({"error.type": "timeout"}, 500, "timeout"),
        ({"error.type": "timeout", "http.response.status_code": 504}, 504, "timeout"),
        ({"http.status_code": "200"}, 200, None),
    ],
)
def test_outcome(change, status, error, tmp_path):
    call = only(tmp_path, span({**NEW, "user.id": "u", **change}))
    assert (call.status, call.error_type) == (status, error)


@pytest.mark.parametrize("code", [2, "ERROR", "STATUS_CODE_ERROR"])
def test_a_failed_span_without_error_type(code, tmp_path):
    call = only(tmp_path, span({**NEW, "user.id": "u"}, status={"code": code}))
    assert (call.status, call.error_type) == (500, "error")


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "POST", "user.id": "u"},
        {**NEW, "gen_ai.operation.name": "invoke_agent", "user.id": "u"},
        {**NEW, "gen_ai.operation.name": "execute_tool", "user.id": "u"},
        {"openinference.span.kind": "CHAIN", "llm.model_name": "gpt-4o", "user.id": "u"},
        {"gen_ai.agent.name": "helper", "user.id": "u"},
    ],
)
def test_spans_around_calls_are_no_calls(attributes, tmp_path):
    reject = only(tmp_path, span(attributes))
    assert reject.reason == "not_a_call"


def test_messages_as_log_records_are_no_calls(tmp_path):
    for name in ("gen_ai.user.message", "gen_ai.choice"):
        reject = only(
            tmp_path, {"eventName": name, "body": {"content": "CANARY"}, "attributes": {"gen_ai.system": "openai"}}
        )
        assert reject.reason == "not_a_call"
        assert b"CANARY" not in reject.raw


MESSAGES = json.dumps([{"role": "user", "content": "Hello"}])
PARTS = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.input.messages": json.dumps(PARTS)},
        {"gen_ai.input.messages": PARTS},
        {"gen_ai.prompt": MESSAGES},
        {"gen_ai.prompt": "Hello"},
        {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hello"},
        {"llm.prompts.0.role": "user", "llm.prompts.0.content": "Hello"},
        {"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Hello"},
        {
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.text": "Hello",
        },
        {"input.value": json.dumps({"messages": [{"role": "user", "content": "Hello"}]})},
    ],
)
def test_prompts_under_any_name_are_hashed_and_gone(attributes, tmp_path):
    call = only(tmp_path, span({**NEW, "user.id": "u", **attributes}))
    assert (call.prompt_hash, call.prompt_simhash) == HELLO
    assert "Hello" not in repr(call)
    reject = only(tmp_path, span({**NEW, **attributes}))
    assert b"Hello" not in reject.raw


def test_prompts_in_events_and_bodies_are_hashed_and_gone(tmp_path):
    user = {**NEW, "user.id": "u"}
    events = [
        [{"name": "gen_ai.content.prompt", "attributes": {"gen_ai.prompt": MESSAGES}}],
        [{"name": "gen_ai.user.message", "attributes": {"content": "Hello"}}],
    ]
    for listed in events:
        call = only(tmp_path, span(user, events=listed))
        assert (call.prompt_hash, call.prompt_simhash) == HELLO
        assert b"Hello" not in only(tmp_path, span(NEW, events=listed)).raw
    record = span(user, eventName="gen_ai.client.inference.operation.details", body={"messages": json.loads(MESSAGES)})
    assert only(tmp_path, record).prompt_hash == HELLO[0]


def test_system_instructions_are_hashed(tmp_path):
    instructions = json.dumps([{"type": "text", "content": "Hello"}])
    call = only(tmp_path, span({**NEW, "user.id": "u", "gen_ai.system_instructions": instructions}))
    assert (call.system_prompt_hash, call.prompt_hash) == (HELLO[0], None)


def test_completions_are_never_kept(tmp_path):
    secret = "CANARY"
    attributes = {
        **NEW,
        "gen_ai.completion": secret,
        "gen_ai.completion.0.content": secret,
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"content": secret}]}]),
        "gen_ai.tool.definitions": secret,
        "output.value": secret,
        "some.other": secret,
    }
    assert secret not in repr(only(tmp_path, span({**attributes, "user.id": "u"})))
    assert secret.encode() not in only(tmp_path, span(attributes)).raw
    assert secret.encode() not in only(tmp_path, span({**attributes, "user.id": "u" * 300})).raw


def test_malformed_times_and_integers_are_told(tmp_path):
    results = read_records(
        tmp_path,
        [
            span({**NEW, "user.id": "u"}, start_time=None),
            span({**NEW, "user.id": "u"}, start_time={"x": 1}),
            span({**NEW, "user.id": "u", "gen_ai.usage.input_tokens": "9" * 5000}),
        ],
        format="otel",
    )
    assert reasons(results) == ["missing_field", "wrong_type", "wrong_type"]
    assert len(rejects(results)) == 3
