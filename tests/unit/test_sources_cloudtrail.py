import json

import pytest
from sources_support import EXAMPLES, calls, read, read_records, reasons, write

RECORD = json.loads((EXAMPLES / "cloudtrail.json").read_text())["Records"][0]
ARN = "arn:aws:iam::111122223333:user/alice"


def only(folder, **changes):
    choices = {"account_attribute": changes.pop("account_attribute")} if "account_attribute" in changes else {}
    (result,) = read_records(folder, [{**RECORD, **changes}], format="cloudtrail", **choices)
    return result


def test_the_fields_of_a_bedrock_call(tmp_path):
    call = only(tmp_path)
    assert (call.event_id, call.ts) == ("a8d388e2-3111-44bf-b78f-000000000001", 1_733_130_848_000)
    assert (call.account_id, call.org_id, call.api_key_id) == (ARN, "111122223333", "AKIAEXAMPLE1")
    assert (call.operation, call.provider, call.stream) == ("chat", "aws.bedrock", False)
    assert (call.input_tokens, call.output_tokens) == (412, 938)
    assert (call.status, call.client_ip) == (200, "203.0.113.24")
    assert call.attributes["inference_region"] == "us-west-2"


@pytest.mark.parametrize(
    ("name", "model", "operation", "stream"),
    [
        ("InvokeModelWithResponseStream", "anthropic.claude", "chat", True),
        ("ConverseStream", "anthropic.claude", "chat", True),
        ("InvokeModel", "amazon.titan-embed-text-v2:0", "embeddings", False),
        ("ListFoundationModels", None, "ListFoundationModels", None),
    ],
)
def test_operations_of_bedrock(name, model, operation, stream, tmp_path):
    call = only(tmp_path, eventName=name, requestParameters={"modelId": model})
    assert (call.operation, call.model, call.stream) == (operation, model, stream)


def test_other_services_keep_their_names(tmp_path):
    call = only(tmp_path, eventSource="s3.amazonaws.com", eventName="GetObject", requestParameters=None)
    assert (call.operation, call.endpoint, call.provider) == ("GetObject", "s3.amazonaws.com/GetObject", "aws")


ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    ("identity", "account"),
    [
        ({"type": "IAMUser", "arn": ARN, "invokedBy": "health.amazonaws.com"}, ARN),
        ({"type": "IAMUser", "accountId": ACCOUNT, "userName": "alice", "principalId": "AIDA"}, ARN),
        (
            {
                "type": "IAMUser",
                "accountId": ACCOUNT,
                "userName": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "principalId": "AIDA",
            },
            "AIDA",
        ),
        ({"type": "Root", "accountId": ACCOUNT}, f"arn:aws:iam::{ACCOUNT}:root"),
        (
            {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session", "accountId": ACCOUNT},
            f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session",
        ),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "service:ec2.amazonaws.com"),
        ({"accountId": ACCOUNT, "invokedBy": "secretsmanager.amazonaws.com"}, "service:secretsmanager.amazonaws.com"),
        ({"type": "AWSAccount", "principalId": "AIDAOTHER", "accountId": "999"}, "account:999:AIDAOTHER"),
        ({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}, "anonymous:203.0.113.24"),
        (
            {"type": "SAMLUser", "principalId": "key:bob", "userName": "bob", "identityProvider": "idp"},
            "SAMLUser:idp:key:bob",
        ),
        (
            {"type": "WebIdentityUser", "principalId": "accounts.google.com:app:7"},
            "WebIdentityUser::accounts.google.com:app:7",
        ),
        (
            {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "u-1"}},
            "IdentityCenterUser:u-1",
        ),
        ({"type": "Unknown", "principalId": "P", "accountId": "999"}, "account:999:P"),
    ],
)
def test_who_called(identity, account, tmp_path):
    assert only(tmp_path, userIdentity=identity).account_id == account


@pytest.mark.parametrize("identity", [None, {}, "alice", [], {"type": "IAMUser"}, {"arn": ""}, {"type": 7, "arn": {}}])
def test_nobody_called(identity, tmp_path):
    assert only(tmp_path, userIdentity=identity).reason == "no_account"


def test_the_role_can_be_the_account_where_sessions_are_many(tmp_path):
    record = json.loads((EXAMPLES / "cloudtrail.json").read_text())["Records"][1]
    place = "userIdentity.sessionContext.sessionIssuer.arn"
    assert only(tmp_path, **record, account_attribute=place).account_id == "arn:aws:iam::111122223333:role/inference"
    assert only(tmp_path, account_attribute=place).reason == "no_account"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (None, 200),
        ("AccessDenied", 403),
        ("AccessDeniedException", 403),
        ("Client.UnauthorizedOperation", 403),
        ("ThrottlingException", 429),
        ("TooManyRequestsException", 429),
        ("Client.RequestLimitExceeded", 429),
        ("NoSuchBucketPolicy", 404),
        ("Client.InvalidVolume.NotFound", 404),
        ("TrailNotFoundException", 404),
        ("BucketNotEmpty", 409),
        ("ValidationException", 400),
        ("Client.InvalidParameterValue", 400),
        ("ServiceUnavailableException", 503),
        ("InternalServerException", 500),
        ("Client.AuthFailure", 401),
    ],
)
def test_status_of_an_error_code(code, status, tmp_path):
    call = only(tmp_path, errorCode=code)
    assert (call.status, call.error_type) == (status, code)


def test_a_service_is_no_address(tmp_path):
    call = only(tmp_path, sourceIPAddress="cloudformation.amazonaws.com")
    assert (call.client_ip, call.attributes["source_service"]) == (None, "cloudformation.amazonaws.com")
    assert only(tmp_path, sourceIPAddress="2001:db8::7").client_ip == "2001:db8::7"


def test_every_layout_gives_the_same_calls(tmp_path):
    records = [{**RECORD, "eventID": f"id-{index}"} for index in range(50)]
    expected = read(write(tmp_path, records))
    assert len(calls(expected)) == 50
    document = {"Records": records}
    layouts = [
        json.dumps(document),
        json.dumps(document, indent=2),
        "".join(json.dumps({"Records": records[start : start + 10]}) for start in range(0, 50, 10)),
        "\n".join(json.dumps({"Records": records[start : start + 10]}) for start in range(0, 50, 10)),
        json.dumps(records),
        "".join(json.dumps(record, indent=4) + "\n" for record in records),
        "\n".join(json.dumps({"version": "0", "detail-type": "AWS API Call", "detail": record}) for record in records),
    ]
    for layout in layouts:
        assert read(write(tmp_path, layout)) == expected, layout[:80]


def test_a_file_that_breaks_off_yields_the_records_before(tmp_path):
    text = json.dumps({"Records": [{**RECORD, "eventID": f"id-{index}"} for index in range(50)]}, indent=1)
    results = read(write(tmp_path, text[: len(text) // 2]))
    assert 20 <= len(calls(results)) <= 25
    assert reasons(results) == ["malformed_json"]


def test_a_long_user_agent_is_cut(tmp_path):
    assert len(only(tmp_path, userAgent="x" * 5000).user_agent) == 1024


def test_time_of_log_shippers(tmp_path):
    call = only(tmp_path, **{"eventTime": None, "@timestamp": "2020-09-14T00:44:23.000Z"})
    assert call.ts == 1_600_044_263_000
    assert only(tmp_path, eventTime="yesterday").reason == "time_invalid"
