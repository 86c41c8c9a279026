import json

import pytest
from sources_support import EXAMPLES, calls, read, read_records, reasons, rejects, write

PAYLOAD = json.loads((EXAMPLES / "litellm.jsonl").read_text().splitlines()[0])


def payload(**changes):
    metadata = {**PAYLOAD["metadata"], **changes.pop("metadata", {})}
    return {**PAYLOAD, "metadata": metadata, **changes}


def only(folder, record, **choices):
    (result,) = read_records(folder, [record], format="litellm", **choices)
    return result


def test_the_fields_of_a_payload(tmp_path):
    call = only(tmp_path, PAYLOAD)
    assert call.event_id == "chatcmpl-Aa1"
    assert call.ts == 1_733_130_847_250
    assert (call.account_id, call.project_id, call.org_id) == ("user-77", "team-12", "org-7")
    assert call.api_key_id.startswith("88dc28d0")
    assert (call.operation, call.provider, call.endpoint) == ("chat", "azure", "/v1/chat/completions")
    assert (call.input_tokens, call.output_tokens, call.cached_input_tokens, call.reasoning_tokens) == (
        412,
        938,
        256,
        64,
    )
    assert (call.status, call.error_type, call.client_ip) == (200, None, "203.0.113.24")
    assert (call.temperature, call.max_tokens) == (0.7, 2048)


def test_the_model_is_what_the_caller_asked_for_not_where_the_router_sent_it(tmp_path):
    call = only(tmp_path, PAYLOAD)
    assert call.model == "gpt-4o"
    assert call.attributes["deployed_model"] == "azure/gpt-4o-eu-3"


def test_response_time_is_the_first_token_when_streaming_so_latency_is_taken_from_the_times(tmp_path):
    times = {
        "startTime": 1733130860.0,
        "completionStartTime": 1733130860.31,
        "endTime": 1733130866.5,
        "response_time": 0.31,
    }
    streamed = only(tmp_path, payload(stream=True, **times))
    assert (streamed.latency_ms, streamed.ttft_ms) == (6500, 310)
    whole = only(tmp_path, payload(stream=False, **{**times, "response_time": 6.5}))
    assert (whole.latency_ms, whole.ttft_ms) == (6500, None)


def test_times_may_be_text(tmp_path):
    call = only(tmp_path, payload(startTime="2024-12-02 09:14:07.250000", endTime="2024-12-02T09:14:08.250000+00:00"))
    assert (call.ts, call.latency_ms) == (1_733_130_847_250, 1000)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"error_code": "429", "error_class": "RateLimitError"}, 429),
        ({"error_code": "", "error_class": "litellm.exceptions.AuthenticationError"}, 401),
        ({"error_code": "rate_limit", "error_class": "RateLimitError"}, 429),
        ({"error_code": "", "error_class": "SomethingNew"}, 500),
        (None, 500),
    ],
)
def test_a_failure_has_a_status(error, status, tmp_path):
    call = only(tmp_path, payload(status="failure", error_information=error))
    assert call.status == status


def test_the_account_is_searched_in_order(tmp_path):
    order = ["user_api_key_user_id", "user_api_key_team_id", "user_api_key_hash", "user_api_key_end_user_id"]
    metadata = {name: f"by-{name}" for name in order}
    for name in order:
        assert only(tmp_path, payload(metadata=metadata)).account_id == f"by-{name}"
        metadata[name] = None
    assert only(tmp_path, payload(metadata=metadata, end_user="by-end")).account_id == "by-end"
    nobody = only(tmp_path, payload(metadata=metadata, end_user=""))
    assert nobody.reason == "no_account"
    assert only(tmp_path, payload(metadata=metadata, end_user=""), account="gateway").account_id == "gateway"


def test_the_account_can_be_chosen(tmp_path):
    assert only(tmp_path, PAYLOAD, account_attribute="metadata.user_api_key_team_id").account_id == "team-12"
    assert only(tmp_path, PAYLOAD, account_attribute="metadata.nothing").reason == "no_account"


def test_logprobs_and_tools_of_the_parameters(tmp_path):
    for parameters, logprobs in [
        ({"logprobs": True}, True),
        ({"logprobs": False}, False),
        ({"logprobs": 5}, True),
        ({}, None),
    ]:
        assert only(tmp_path, payload(model_parameters=parameters)).logprobs is logprobs
    assert only(tmp_path, payload(model_parameters={"logprobs": False, "top_logprobs": 3})).logprobs is True
    assert only(tmp_path, payload(model_parameters={"tools": [{}, {}, {}]})).tools == 3


def test_the_prompt_is_the_last_message_of_the_user(tmp_path):
    system = {"role": "system", "content": "Be brief."}
    first = [system, {"role": "user", "content": "Hello"}]
    later = [
        system,
        {"role": "user", "content": "Good day"},
        {"role": "assistant", "content": "Good day!"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "data:"}}],
        },
    ]
    one, other = only(tmp_path, payload(messages=first)), only(tmp_path, payload(messages=later))
    assert one.prompt_hash == other.prompt_hash == "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969"
    assert one.prompt_simhash == other.prompt_simhash == "a7b6eda801e5347d"
    assert one.system_prompt_hash == other.system_prompt_hash is not None


@pytest.mark.parametrize(
    "messages", [None, "", [], {}, "redacted-by-litellm", [{"role": "user", "content": "redacted-by-litellm"}]]
)
def test_no_messages_no_fingerprint(messages, tmp_path):
    call = only(tmp_path, payload(messages=messages))
    assert (call.prompt_hash, call.prompt_simhash, call.system_prompt_hash) == (None, None, None)


def test_inputs_of_embeddings_are_a_prompt(tmp_path):
    call = only(tmp_path, payload(call_type="aembedding", messages=["Hello"]))
    assert (call.operation, call.prompt_simhash) == ("embeddings", "a7b6eda801e5347d")


def test_arrays_and_callback_arguments_hold_payloads(tmp_path):
    path = write(tmp_path, json.dumps([PAYLOAD, payload(id="second")], indent=1))
    assert [call.event_id for call in calls(read(path))] == ["chatcmpl-Aa1", "second"]
    wrapped = write(tmp_path, [{"standard_logging_object": PAYLOAD, "messages": PAYLOAD["messages"]}])
    assert [call.event_id for call in calls(read(wrapped))] == ["chatcmpl-Aa1"]


def test_a_payload_without_id_gets_one_from_its_place_and_content(tmp_path):
    record = payload(id=None)
    results = read_records(tmp_path, [record, record])
    assert len({call.event_id for call in calls(results)}) == 2
    assert read_records(tmp_path, [record, record]) == results


def test_an_id_that_is_too_long_is_hashed(tmp_path):
    assert len(only(tmp_path, payload(id="x" * 300)).event_id) == 64


def test_no_text_of_a_payload_is_kept(tmp_path):
    secret = "CANARY and nothing else"
    record = payload(
        messages=[{"role": "user", "content": secret}],
        response={"choices": [{"message": {"content": secret}}]},
        error_str=secret,
        error_information={"error_message": secret, "traceback": secret},
        model_parameters={"user": secret, "tools": [{"description": secret}], "instructions": secret, "stop": [secret]},
        request_tags=[secret],
        guardrail_information=[{"guardrail_request": {"q": secret}}],
        anything={"new": [secret, {"deeper": secret}]},
        metadata={"spend_logs_metadata": {"a": secret}, "requester_metadata": secret},
    )
    call = only(tmp_path, record)
    assert "CANARY" not in repr(call)
    reject = only(tmp_path, {**record, "startTime": "never"})
    assert reject.reason == "wrong_type" or reject.reason == "time_invalid"
    assert b"CANARY" not in reject.raw
    assert b"user-77" in reject.raw
    assert "CANARY" not in reject.detail
    (broken,) = read(write(tmp_path, json.dumps(record)[:-4]), format="litellm")
    assert broken.reason == "malformed_json"
    assert b"CANARY" not in broken.raw


def test_wrong_types_are_told_by_reason(tmp_path):
    cases = [
        ({"prompt_tokens": -1}, "number_out_of_range"),
        ({"prompt_tokens": "many"}, "wrong_type"),
        ({"model_group": "m" * 300}, "text_invalid"),
        ({"startTime": None}, "missing_field"),
        ({"startTime": 1, "endTime": 2}, "time_too_old"),
        ({"startTime": 9_999_999_999}, "time_in_future"),
    ]
    results = read_records(tmp_path, [payload(**change) for change, _ in cases], format="litellm")
    assert reasons(results) == [reason for _, reason in cases]
    assert not calls(results)
    assert all(reject.source.endswith(f":{line}") for line, reject in enumerate(rejects(results), 1))
