import gzip
import io
import json
import os
import sys
import threading

import pytest
from backports import zstd
from sources_support import CSV_MAP, EXAMPLES, RECEIVED_AT, calls, options, read, reasons, rejects, write

from pipeline.event import RAW_LIMIT, ApiCall, encode
from pipeline.sources import FORMATS, SourceError, read_calls

LINES = [
    {"event_id": f"e{index}", "ts": 1_733_130_847_000 + index, "account_id": f"a{index % 7}"} for index in range(500)
]
TEXT = "".join(json.dumps(line) + "\n" for line in LINES).encode()

# example -> (format, calls, rejects)
SEEN = {
    "native.jsonl": ("native", 3, 0),
    "litellm.jsonl": ("litellm", 3, 0),
    "otel_spans.json": ("otel", 3, 2),
    "otel_logs.json": ("otel", 1, 1),
    "otel_flat.jsonl": ("otel", 2, 0),
    "cloudtrail.json": ("cloudtrail", 3, 0),
    "cloudtrail_lines.jsonl": ("cloudtrail", 1, 0),
    "apigateway.jsonl": ("apigateway", 2, 0),
    "apigateway_clf.log": ("apigateway", 1, 0),
    "traces.csv": ("csv", 2, 0),
}


def stdin_of(monkeypatch, data: bytes):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_every_example_is_listed():
    assert {path.name for path in EXAMPLES.iterdir() if path.suffix != ".py"} == set(SEEN)
    # JSON by a map is never recognised; its examples are in schemas/gateway_logs, see test_sources_mapped.py.
    assert {name for name, _, _ in SEEN.values()} == set(FORMATS) - {"json"}


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("given", ["auto", "by name"])
def test_every_example_is_recognised_and_accepted(name, given):
    format_name, accepted, rejected = SEEN[name]
    choices = {"csv_map": CSV_MAP} if format_name == "csv" else {}
    results = read(EXAMPLES / name, format="auto" if given == "auto" else format_name, **choices)
    assert (len(calls(results)), len(rejects(results))) == (accepted, rejected)
    assert len({call.event_id for call in calls(results)}) == accepted


@pytest.mark.parametrize("name", SEEN)
def test_an_example_reads_alike_compressed_from_stdin_and_in_crlf(name, tmp_path, monkeypatch):
    choices = {"csv_map": CSV_MAP} if name.endswith("csv") else {}
    data = (EXAMPLES / name).read_bytes()
    # One name, since derived ids are made with it.
    plain = read(write(tmp_path, data, name), **choices)
    for changed in (gzip.compress(data), zstd.compress(data), b"\xef\xbb\xbf" + data):
        results = read(write(tmp_path, changed, name), **choices)
        assert results == plain
    windows = read(write(tmp_path, data.replace(b"\n", b"\r\n"), name), **choices)
    assert [call.ts for call in calls(windows)] == [call.ts for call in calls(plain)]
    stdin_of(monkeypatch, data)
    results = read("-", **choices)
    assert [call.ts for call in calls(results)] == [call.ts for call in calls(plain)]


def test_files_follow_each_other_and_each_is_recognised(tmp_path):
    results = read(EXAMPLES / "native.jsonl", EXAMPLES / "cloudtrail.json", EXAMPLES / "litellm.jsonl")
    assert len(calls(results)) == 9


@pytest.mark.parametrize("name", ["auto", *FORMATS])
@pytest.mark.parametrize("content", [b"", b"\n \n\t\n", gzip.compress(b"", mtime=0), zstd.compress(b"\n")])
def test_an_empty_file_says_so_and_the_next_follows(name, content, tmp_path):
    choices = {"csv_map": {"ts": "time", "account_id": "who"}} if name in ("csv", "json") else {}
    empty = write(tmp_path, content, "empty")
    results = read(empty, empty, format=name, **choices)
    assert reasons(results) == ["empty_input", "empty_input"]
    assert rejects(results)[0].source == str(empty)


def test_an_envelope_without_records_is_empty(tmp_path):
    assert reasons(read(write(tmp_path, b'{"Records": []}'))) == ["empty_input"]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_truncated_input_yields_what_could_be_read(compress, tmp_path):
    data = "".join(
        f'{{"event_id":"{os.urandom(16).hex()}","ts":1733130847000,"account_id":"a"}}\n' for _ in range(20_000)
    )
    packed = compress(data.encode())
    broken = write(tmp_path, packed[: len(packed) * 3 // 4], "broken")
    results = read(broken, EXAMPLES / "native.jsonl")
    assert reasons(results) == ["unreadable_input"]
    (reject,) = rejects(results)
    assert reject.detail == "the compressed data breaks off before its end"
    assert reject.source == str(broken)
    found = calls(results)
    assert 10_000 < len(found) < 20_003
    assert [call.event_id for call in found[-3:]] == ["req-0001", "req-0002", "req-0003"]
    lines = data.splitlines()
    assert [call.event_id for call in found[:-3]] == [json.loads(line)["event_id"] for line in lines[: len(found) - 3]]


@pytest.mark.parametrize("cut", [3, 9, 15])
@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_truncated_before_the_first_record(compress, cut, tmp_path):
    results = read(write(tmp_path, compress(TEXT)[:cut]), EXAMPLES / "native.jsonl")
    assert len(calls(results)) == 3
    assert reasons(results) in (["unreadable_input"], ["unknown_format"])


def test_damaged_input_yields_what_could_be_read(tmp_path):
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 0xFF  # the checksum
    results = read(write(tmp_path, bytes(packed)))
    assert len(calls(results)) == len(LINES)
    assert reasons(results) == ["unreadable_input"]


def test_several_members_and_frames_are_one_input(tmp_path):
    half = TEXT.index(b"\n", len(TEXT) // 2) + 1
    for compress in (gzip.compress, zstd.compress):
        assert len(calls(read(write(tmp_path, compress(TEXT[:half]) + compress(TEXT[half:]))))) == len(LINES)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (os.urandom(64) + b"\0" + os.urandom(5_000), "unreadable_input"),
        (b"PK\x03\x04" + b"x" * 100, "unreadable_input"),
        (b"\xfd7zXZ\0" + b"x" * 100, "unreadable_input"),
        ("ts,account\n1,ä\n".encode("utf-16"), "unreadable_input"),
        ("zeit,konto\n1,ä\n".encode("latin-1"), "unreadable_input"),
        (b"just some words\nand more\n", "unknown_format"),
        (b"a,b,c\n1,2,3\n", "unknown_format"),
    ],
)
def test_what_is_no_log_is_one_reject_and_the_next_follows(content, reason, tmp_path):
    results = read(write(tmp_path, content), EXAMPLES / "native.jsonl")
    assert reasons(results) == [reason]
    assert len(calls(results)) == 3
    assert rejects(results)[0].detail


@pytest.mark.parametrize("name", FORMATS)
def test_binary_under_a_named_format_is_one_reject(name, tmp_path):
    choices = {"csv_map": {"ts": "time", "account_id": "who"}} if name in ("csv", "json") else {}
    results = read(write(tmp_path, b"\x00\x01\x02\n" * 50), format=name, **choices)
    assert reasons(results) == ["unreadable_input"]


def test_bad_lines_among_good_ones_are_told_with_their_place(tmp_path):
    good = json.dumps(LINES[0]).encode()
    bad = [b"{oops", b"[1, 2]", b'"text"', b'{"event_id": "\xff"}', b'{"ts": 1733130847000, "account_id": "a"}']
    path = write(tmp_path, b"\n".join([good, *bad, good, b""]))
    results = read(path)
    assert len(calls(results)) == 2
    assert reasons(results) == ["malformed_json", "not_an_object", "not_an_object", "malformed_json", "missing_field"]
    assert [reject.source for reject in rejects(results)] == [f"{path}:{line}" for line in range(2, 7)]
    assert rejects(results)[0].raw == b"{oops"
    assert all(reject.received_at == RECEIVED_AT for reject in rejects(results))


def test_an_over_long_line_is_cut_and_the_run_goes_on(tmp_path):
    long = json.dumps({**LINES[0], "note": "x" * 2_000_000}).encode()
    good = json.dumps(LINES[1]).encode()
    for order in ([good, long, good], [long, good, good], [good, good, long]):
        results = read(write(tmp_path, b"\n".join(order)), format="native")
        assert len(calls(results)) == 2
        assert reasons(results) == ["oversized"]
        assert len(rejects(results)[0].raw) == RAW_LIMIT


def test_the_limit_of_a_line_can_be_raised(tmp_path):
    record = json.loads((EXAMPLES / "litellm.jsonl").read_text().splitlines()[0])
    record["messages"][1]["content"] = "word " * 400_000
    path = write(tmp_path, [record])
    assert reasons(read(path)) == ["oversized"]
    assert b"word word" not in rejects(read(path))[0].raw
    (call,) = read(path, max_line_bytes=8 << 20)
    assert call.prompt_hash


def test_progress_adds_up_to_the_bytes_of_the_files(tmp_path):
    packed = gzip.compress(TEXT)
    paths = [write(tmp_path, packed, "a.gz"), write(tmp_path, TEXT, "b"), write(tmp_path, b"\0" * 10, "c")]
    told = []
    read(*paths, progress=told.append)
    assert sum(told) == sum(path.stat().st_size for path in paths)


def test_unusable_paths_and_options_raise_before_anything_is_read(tmp_path):
    good = write(tmp_path, TEXT)
    cases = [
        (
            {"paths": [str(good), str(tmp_path / "gone.jsonl")]},
            r"gone\.jsonl: cannot be read \(No such file or directory\)",
        ),
        ({"paths": [str(tmp_path)]}, "is a folder, give the files in it"),
        ({"paths": ["-", "-"]}, "standard input can be read once"),
        ({"format": "xml"}, "format 'xml' is not known, use auto or one of native, "),
        ({"format": "csv"}, "needs a map of its columns"),
        ({"options": options(zone="Nowhere/Land")}, "zone 'Nowhere/Land' is not known"),
    ]
    for change, message in cases:
        arguments = {"paths": [str(good)], "format": "auto", "options": options(), **change}
        with pytest.raises(SourceError, match=message) as caught:
            read_calls(**arguments)
        assert "\n" not in str(caught.value)


def test_a_pipe_flows_before_it_ends(monkeypatch):
    receive, send = os.pipe()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(receive, "rb")))
    results = read_calls(["-"], options=options())
    first = encode(ApiCall(event_id="e1", ts=1_733_130_847_000, account_id="a")) + b"\n"
    os.write(send, first)
    got = []
    reader = threading.Thread(target=lambda: got.append(next(results)), daemon=True)
    reader.start()
    reader.join(20)
    assert [call.event_id for call in got] == ["e1"]
    os.close(send)
    assert list(results) == []


def test_reading_again_gives_the_same_events_whatever_the_folder(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    data = (EXAMPLES / "traces.csv").read_bytes()
    one = read(write(tmp_path / "one", data, "t.csv"), csv_map=CSV_MAP)
    assert read(write(tmp_path / "two", data, "t.csv"), csv_map=CSV_MAP) == one


def test_json_of_no_format_is_kept_whole_but_for_content(tmp_path):
    record = {"question": "which", "count": 3}
    results = read(write(tmp_path, [record, {**record, "messages": [{"role": "user", "content": "my secret"}]}]))
    assert reasons(results) == ["missing_field"] * 2
    plain, with_content = rejects(results)
    assert json.loads(plain.raw) == record
    assert b"secret" not in with_content.raw


def test_native_arrays_and_pretty_printed_events_are_read(tmp_path):
    assert len(calls(read(write(tmp_path, json.dumps(LINES))))) == len(LINES)
    assert len(calls(read(write(tmp_path, json.dumps(LINES, indent=2))))) == len(LINES)
    assert len(calls(read(write(tmp_path, "".join(json.dumps(line, indent=1) for line in LINES))))) == len(LINES)


def test_native_events_never_carry_messages(tmp_path):
    record = {**LINES[0], "messages": [{"role": "user", "content": "my secret"}], "prompt": "my secret", "zone": "b"}
    (call,) = read(write(tmp_path, [record]))
    assert call.attributes == {"zone": "b"}
    (reject,) = read(write(tmp_path, [{**record, "ts": "never"}]))
    assert b"secret" not in reject.raw
    assert b"e0" in reject.raw
    broken = json.dumps(record).encode()[:-3]
    (reject,) = read(write(tmp_path, broken), format="native")
    assert b"secret" not in reject.raw


def test_native_events_without_account_take_the_one_given(tmp_path):
    path = write(
        tmp_path, [{"event_id": "e1", "ts": 1_733_130_847_000}, LINES[1], {"event_id": "e2", "ts": 5}, {"ts": 1}]
    )
    assert reasons(read(path)) == ["missing_field"] * 3
    results = read(path, account="the-one")
    assert [call.account_id for call in calls(results)] == ["the-one", "a1"]
    assert reasons(results) == ["time_too_old", "missing_field"]
