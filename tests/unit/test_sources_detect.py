import json

import pytest
from sources_support import EXAMPLES, calls, read, reasons, write

from pipeline.sources import detect

NATIVE = {"event_id": "e1", "ts": 1_733_130_847_000, "account_id": "a"}
PAYLOAD = json.loads((EXAMPLES / "litellm.jsonl").read_text().splitlines()[0])
RECORD = json.loads((EXAMPLES / "cloudtrail.json").read_text())["Records"][0]


def recognised(content) -> str | None:
    head = content if isinstance(content, bytes) else json.dumps(content).encode()
    return detect.recognise(head, csv_mapped=False)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (NATIVE, "native"),
        ({"event_id": "e1"}, "native"),
        ({**NATIVE, "eventName": "x", "eventSource": "y"}, "native"),
        (PAYLOAD, "litellm"),
        ([PAYLOAD], "litellm"),
        (RECORD, "cloudtrail"),
        ({"Records": [RECORD]}, "cloudtrail"),
        ({"version": "0", "detail": RECORD}, "cloudtrail"),
        ({"gen_ai.system": "openai", "timestamp": 1}, "otel"),
        ({"traceId": "1", "attributes": {}}, "otel"),
        ({"requestId": "1", "requestTime": "-"}, "apigateway"),
        ({"timestamp": 0, "input_length": 1}, None),
        ({"Records": "none"}, None),
        (b"{broken", None),
        (b"[]", None),
        (b"[1, 2, 3]", None),
    ],
)
def test_json_is_known_by_its_keys(content, name):
    assert recognised(content) == name


def test_broken_first_lines_do_not_hide_the_format(tmp_path):
    text = '{"oops": \n' + '{"half": "a\n' + json.dumps(NATIVE) + "\n"
    results = read(write(tmp_path, text))
    assert len(calls(results)) == 1
    assert reasons(results) == ["malformed_json"] * 2


def test_a_first_record_longer_than_the_look_is_known_by_marks(tmp_path):
    long = {**PAYLOAD, "messages": [{"role": "user", "content": "word " * 30_000}]}
    assert len(calls(read(write(tmp_path, [long, PAYLOAD])))) == 2
    trail = json.dumps({"Records": [{**RECORD, "eventID": f"id-{index}"} for index in range(500)]})
    assert len(calls(read(write(tmp_path, trail)))) == 500


def test_an_envelope_under_a_later_key_is_read_whole(tmp_path):
    document = {"schema": 1, "Records": [RECORD, {**RECORD, "eventID": "other"}]}
    for indent in (None, 2):
        assert len(calls(read(write(tmp_path, json.dumps(document, indent=indent))))) == 2


def test_a_batch_on_a_line_may_be_longer_than_a_record(tmp_path):
    batch = json.loads((EXAMPLES / "otel_spans.json").read_text())
    spans = batch["resourceSpans"][0]["scopeSpans"][0]["spans"]
    batch["resourceSpans"][0]["scopeSpans"][0]["spans"] = spans[:1] * 2_000
    path = write(tmp_path, [batch, batch])
    assert path.stat().st_size > 2 << 20
    assert len(calls(read(path))) == 4_000


@pytest.mark.parametrize("name", ["litellm.jsonl", "otel_spans.json", "native.jsonl"])
def test_enough_does_not_depend_on_how_much_follows(name):
    head = (EXAMPLES / name).read_bytes()
    assert detect.recognise(head, csv_mapped=False) == detect.recognise(head + b"\n" + head, csv_mapped=False)
