"""The readers on real logs, which are not part of the repository."""

import gzip
import io
import itertools
import json
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from pipeline.event import ApiCall, Rejected
from pipeline.sources import SourceOptions, read_calls

DATA = Path(os.environ.get("STILLWATCH_SHARED_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
RECEIVED_AT = 1_735_689_600_000
TRACE_MAP = {"ts": "TIMESTAMP", "input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"}


def needed(*names: str) -> Path:
    path = DATA.joinpath(*names)
    if not path.exists():
        pytest.skip(
            f"real logs are absent: no {path}; set STILLWATCH_SHARED_DATA to the folder that has {'/'.join(names)}"
        )
    return path


def read(paths, **choices) -> tuple[list[ApiCall], list[Rejected]]:
    results = list(read_calls([str(path) for path in paths], options=SourceOptions(received_at=RECEIVED_AT, **choices)))
    calls = [result for result in results if isinstance(result, ApiCall)]
    return calls, [result for result in results if isinstance(result, Rejected)]


@pytest.fixture(scope="module")
def trail(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("cloudtrail")
    with tarfile.open(needed("cloudtrail", "invictus_cloudtrail.tar.xz")) as archive:
        archive.extractall(folder, filter="data")
    return sorted(folder.rglob("*.json"))


@pytest.fixture(scope="module")
def shipped_trail(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("otrf")
    with zipfile.ZipFile(needed("cloudtrail", "otrf_ec2_proxy_s3_exfiltration.zip")) as archive:
        archive.extractall(folder)
    (path,) = folder.rglob("*.json")
    return path


def test_cloudtrail_files(trail):
    calls, rejects = read(trail)
    assert (len(trail), len(calls), rejects) == (55, 2_900, [])
    assert len({call.event_id for call in calls}) == 2_900
    assert (min(call.ts for call in calls), max(call.ts for call in calls)) == (1_688_989_338_000, 1_688_992_670_000)


def test_cloudtrail_principals(trail):
    calls, _ = read(trail)
    accounts = Counter(call.account_id for call in calls)
    assert len(accounts) == 20
    # 2,641 by ARN, and the one sign-in whose identity has the user's name but no ARN.
    assert accounts.most_common(2) == [
        ("arn:aws:iam::123837392027:user/bert-jan", 2_642),
        ("arn:aws:iam::123837392027:user/benjamin", 105),
    ]
    assert sum(count for account, count in accounts.items() if account.startswith("service:")) == 76
    assert sum(count for account, count in accounts.items() if ":assumed-role/" in account) == 76
    assert not any(account.startswith("account:") for account in accounts)


def test_cloudtrail_outcomes(trail):
    calls, _ = read(trail)
    assert Counter(call.status for call in calls)[200] == 2_600
    assert Counter(call.error_type for call in calls if call.status == 429) == {"ThrottlingException": 102}
    assert Counter(call.error_type for call in calls if call.status == 403) == {
        "Client.UnauthorizedOperation": 44,
        "AccessDenied": 16,
    }
    # A service in place of an address is none.
    assert all(call.client_ip[0].isdigit() for call in calls if call.client_ip)
    assert sum(call.client_ip is None for call in calls) == 353


def test_cloudtrail_is_the_same_in_one_stream_and_in_any_layout(trail, tmp_path):
    calls, _ = read(trail)
    joined = tmp_path / "all.json.gz"
    joined.write_bytes(gzip.compress(b"".join(path.read_bytes().strip() for path in trail)))
    assert read([joined]) == (calls, [])
    records = [record for path in trail for record in json.loads(path.read_text())["Records"]]
    pretty = tmp_path / "pretty.json"
    pretty.write_text(json.dumps({"Records": records}, indent=4))
    assert read([pretty]) == (calls, [])
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert read([lines]) == (calls, [])


def test_cloudtrail_cut_in_the_middle_of_its_gzip(trail, tmp_path):
    largest = max(trail, key=lambda path: path.stat().st_size)
    count = len(json.loads(largest.read_text())["Records"])
    packed = gzip.compress(largest.read_bytes())
    (tmp_path / "cut.json.gz").write_bytes(packed[: len(packed) // 2])
    calls, rejects = read([tmp_path / "cut.json.gz"])
    assert 0 < len(calls) < count
    assert [reject.reason for reject in rejects] == ["unreadable_input"]


def test_cloudtrail_as_a_log_shipper_writes_it(shipped_trail):
    calls, rejects = read([shipped_trail])
    assert (len(calls), rejects) == (103, [])
    assert Counter(call.account_id for call in calls) == {
        "arn:aws:iam::123456789123:user/pedro": 87,
        "arn:aws:sts::123456789123:assumed-role/MordorNginxStack-BankingWAFRole-9S3E0UAE1MM0/i-0317f6c6b66ae9c40": 11,
        "service:ec2.amazonaws.com": 5,
    }


@pytest.mark.parametrize(("kind", "rows"), [("code", 8_819), ("conv", 19_366)])
def test_traces_by_a_map_and_an_account(kind, rows):
    path = needed("llm_traces", f"AzureLLMInferenceTrace_{kind}.csv.gz")
    calls, rejects = read([path], csv_map=TRACE_MAP, account=f"azure-{kind}")
    assert (len(calls), rejects) == (rows, [])
    assert len({call.event_id for call in calls}) == rows
    assert {call.account_id for call in calls} == {f"azure-{kind}"}
    first = gzip.decompress(path.read_bytes()).decode().splitlines()[1].split(",")
    assert [calls[0].input_tokens, calls[0].output_tokens] == [int(first[1]), int(first[2])]
    # 2023-11-16 18:17:03.9799600 and 18:15:46.6805900
    assert calls[0].ts == {"code": 1_700_158_623_979, "conv": 1_700_158_546_680}[kind]
    assert all(one.ts <= other.ts for one, other in itertools.pairwise(calls))


def test_a_trace_without_a_map_is_one_reject():
    _, rejects = read([needed("llm_traces", "AzureLLMInferenceTrace_code.csv.gz")])
    assert [reject.reason for reject in rejects] == ["unknown_format"]
    assert "--map" in rejects[0].detail


def test_a_trace_that_is_no_event_is_rejected_row_by_row():
    calls, rejects = read([needed("llm_traces", "mooncake_conversation_trace.jsonl.gz")])
    assert calls == []
    assert Counter(reject.reason.value for reject in rejects) == {"missing_field": 12_031}


def test_archives_are_refused_with_a_hint():
    paths = [
        needed("cloudtrail", "invictus_cloudtrail.tar.xz"),
        needed("cloudtrail", "otrf_ec2_proxy_s3_exfiltration.zip"),
    ]
    _, rejects = read(paths)
    assert [reject.detail for reject in rejects] == [
        "compressed by xz: decompress it first",
        "a zip archive: unpack it first",
    ]


def test_standard_input_reads_what_a_file_reads(monkeypatch):
    path = needed("llm_traces", "AzureLLMInferenceTrace_code.csv.gz")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    choices = {"csv_map": TRACE_MAP, "account": "azure"}
    piped, rejects = read(["-"], **choices)
    filed, _ = read([path], **choices)
    assert rejects == []
    assert [(call.ts, call.output_tokens) for call in piped] == [(call.ts, call.output_tokens) for call in filed]
