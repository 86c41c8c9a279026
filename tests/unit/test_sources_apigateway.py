import json

import pytest
from sources_support import EXAMPLES, calls, read, read_records, reasons, rejects, write

RECORD = json.loads((EXAMPLES / "apigateway.jsonl").read_text().splitlines()[0])
BARE = {key: value for key, value in RECORD.items() if key != "identity"}


def only(folder, record, **choices):
    (result,) = read_records(folder, [record], format="apigateway", **choices)
    return result


def test_the_fields_of_a_record(tmp_path):
    call = only(tmp_path, RECORD)
    assert (call.event_id, call.ts) == ("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", 1_733_130_848_310)
    assert (call.account_id, call.api_key_id) == ("k9x8y7", "k9x8y7")
    assert (call.operation, call.endpoint) == ("chat", "POST /v1/chat/completions")
    assert (call.status, call.response_bytes, call.latency_ms) == (200, 5120, 8412)
    assert (call.client_ip, call.user_agent) == ("203.0.113.24", "python-requests/2.32.3")


def test_the_owner_of_the_api_is_never_the_account(tmp_path):
    call = only(tmp_path, RECORD)
    assert "999988887777" not in (call.account_id, call.org_id)
    assert call.attributes["api_owner_account_id"] == "999988887777"
    assert only(tmp_path, BARE).reason == "no_account"
    assert only(tmp_path, {**BARE, "accountId": "999988887777", "$context.accountId": "1"}).reason == "no_account"


ORDER = [
    "identity.apiKeyId",
    "authorizer.principalId",
    "authorizer.claims.sub",
    "identity.userArn",
    "identity.cognitoIdentityId",
    "identity.caller",
    "identity.user",
]


def test_the_caller_is_searched_in_the_documented_order(tmp_path):
    record = {**BARE, **{name: f"by {name}" for name in ORDER}}
    for name in ORDER:
        assert only(tmp_path, record).account_id == f"by {name}"
        record[name] = "-"
    assert only(tmp_path, record).reason == "no_account"
    assert only(tmp_path, record, account="gateway").account_id == "gateway"


def test_the_caller_can_be_chosen(tmp_path):
    record = {**RECORD, "authorizer": {"tenantId": "t-1"}}
    assert only(tmp_path, record, account_attribute="authorizer.tenantId").account_id == "t-1"
    assert only(tmp_path, record, account_attribute="identity.sourceIp").account_id == "203.0.113.24"


@pytest.mark.parametrize(
    "key",
    [
        "identity.apiKeyId",
        "$context.identity.apiKeyId",
        "identity_api_key_id",
        "identityApiKeyId",
        "apiKeyId",
        "APIKEYID",
    ],
)
def test_keys_may_be_spelled_in_any_way(key, tmp_path):
    assert only(tmp_path, {**BARE, key: "k1"}).account_id == "k1"


def test_the_secret_key_is_never_kept_but_tells_callers_apart(tmp_path):
    one = only(tmp_path, {**BARE, "identity": {"apiKey": "SECRET-1"}})
    other = only(tmp_path, {**BARE, "apiKey": "SECRET-2"})
    assert one.account_id.startswith("key:")
    assert one.account_id != other.account_id
    assert "SECRET" not in repr((one, other))
    known = only(tmp_path, {**BARE, "identity": {"apiKey": "SECRET-1", "apiKeyId": "k1"}})
    assert known.account_id == "k1"
    reject = only(tmp_path, {**BARE, "identity": {"apiKey": "SECRET-1"}, "status": "never"})
    assert b"SECRET" not in reject.raw
    assert b"v1/chat" in reject.raw
    (broken,) = read(write(tmp_path, '{"apiKey": "SECRET-1", "requestId": '), format="apigateway")
    assert b"SECRET" not in broken.raw


def test_the_common_log_format(tmp_path):
    lines = [
        '203.0.113.24 - - [02/Dec/2024:10:14:08 +0100] "POST /v1/embeddings HTTP/1.1" 200 5120 r-1 extended=',
        '203.0.113.24 AIDA - [02/Dec/2024:10:14:08 +0100] "POST POST /v1/chat/completions HTTP/1.1" 429 - r-2',
        "no line of a log",
    ]
    path = write(tmp_path, "\n".join(lines))
    results = read(path, account="gateway")
    one, two = calls(results)
    assert (one.account_id, one.ts, one.event_id, one.operation) == ("gateway", 1_733_130_848_000, "r-1", "embeddings")
    assert (two.account_id, two.status, two.response_bytes, two.operation) == ("AIDA", 429, None, "chat")
    assert two.endpoint == "POST /v1/chat/completions"
    assert reasons(results) == ["malformed_json"]
    assert rejects(results)[0].raw == b"no line of a log"
    assert reasons(read(path))[0] == "no_account"


def test_a_record_without_request_id_gets_one(tmp_path):
    record = {key: value for key, value in RECORD.items() if key != "requestId"}
    results = read_records(tmp_path, [record, record], format="apigateway")
    assert len({call.event_id for call in calls(results)}) == 2
