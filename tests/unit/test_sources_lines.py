"""Native events that are sent on in the bytes they have are the events that a replay of the file reads."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import ApiCall, CallLine, Rejected, decode, encode
from pipeline.sources import read_calls, read_lines
from tests.unit.sources_support import RECEIVED_AT, options

LEAST = {"event_id": "e1", "ts": RECEIVED_AT - 1000, "account_id": "acct-1"}
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "ts": st.sampled_from(["2024-12-01T01:00:00.5+01:00", "2024-12-01", 0, RECEIVED_AT - 5, RECEIVED_AT + 10**7]),
        "account_id": st.text(max_size=4) | st.none(),
        "model": st.text(max_size=6) | st.none(),
        "output_tokens": st.sampled_from([0, 12, -1, 1.0, "12", None]),
        "prompt_hash": st.sampled_from(["ab", "abc", "a b", "xy", ""]),
        "schema_version": st.sampled_from([1, 2]),
        "attributes": st.sampled_from([{}, {"plan": "pro"}, {"prompt": "secret"}, []]),
        "messages": st.just("secret"),
        "team": st.sampled_from(["red", 7, None]),
    },
)


def _line(change: dict[str, object], spaces: int, ascii_only: bool) -> bytes:
    text = json.dumps(LEAST | change, ensure_ascii=ascii_only, separators=("," + " " * spaces, ":"))
    return text.encode() + b"\r" * (spaces % 2)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines") / "events.jsonl"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.builds(_line, FIELDS, st.integers(0, 2), st.booleans()) | st.binary(max_size=6), max_size=8))
def test_what_is_sent_on_decodes_to_what_a_replay_reads(file: Path, lines: list[bytes]) -> None:
    file.write_bytes(b"\n".join([encode(ApiCall(**LEAST)), *lines]))  # type: ignore[arg-type]
    given_options = options()
    sent = list(read_lines([str(file)], format="native", options=given_options))
    read = list(read_calls([str(file)], format="native", options=given_options))
    assert len(sent) == len(read)
    for one, other in zip(sent, read, strict=True):
        if isinstance(one, CallLine):
            assert isinstance(other, ApiCall)
            assert one.account_id == other.account_id
            assert decode(one.json, received_at=given_options.received_at, limits=given_options.limits) == other
            assert b"secret" not in one.json
            assert b"\n" not in one.json
        else:
            assert one == other
            assert isinstance(one, ApiCall | Rejected)


def test_events_of_known_fields_keep_their_bytes_and_others_do_not(file: Path) -> None:
    plain, spaced = encode(ApiCall(**LEAST)), json.dumps(LEAST, indent=1).replace("\n", "").encode()  # type: ignore[arg-type]
    long = plain.replace(b'","', b'",' + b" " * (16 << 10) + b'"', 1)
    more = json.dumps(LEAST | {"attributes": {"plan": "pro"}}).encode()
    file.write_bytes(b"\n".join([plain, spaced, *[plain] * 254, long, more, b""]))
    sent = list(read_lines([str(file)], options=options()))
    assert sent[:256] == [CallLine("acct-1", plain), CallLine("acct-1", spaced), *[CallLine("acct-1", plain)] * 254]
    assert sent[256:] == [ApiCall(**LEAST), ApiCall(**LEAST, attributes={"plan": "pro"})]  # type: ignore[arg-type]


def test_a_document_over_many_lines_becomes_one_line_each(file: Path) -> None:
    file.write_text(json.dumps([LEAST, LEAST], indent=2))
    assert list(read_lines([str(file)], options=options())) == [ApiCall(**LEAST)] * 2  # type: ignore[arg-type]
