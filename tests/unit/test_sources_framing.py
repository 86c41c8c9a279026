import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event import RAW_LIMIT, RejectReason
from pipeline.sources.framing import documents, lines

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', "}{", "][", '{"Records":[']
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
records = st.lists(st.dictionaries(texts, values, max_size=4), max_size=5)
cuts = st.integers(1, 40)


def chunks(data: bytes, size: int):
    parts = iter([data[start : start + size] for start in range(0, len(data), size)])
    return lambda: next(parts, b"")


def whole(pieces):
    pieces = list(pieces)
    assert all(fault is None for _, _, fault in pieces), pieces
    return [json.loads(raw) for _, raw, _ in pieces]


@given(records, cuts, st.sampled_from([None, 1]))
def test_an_array_gives_its_elements(expected, size, indent):
    data = json.dumps(expected, indent=indent).encode()
    assert whole(documents(chunks(data, size), 1 << 20, 1 << 20)) == expected


@given(records, cuts, st.sampled_from(["Records", "resourceSpans", "resourceLogs"]), st.sampled_from([None, 2]))
def test_an_envelope_gives_its_records_and_nothing_that_follows(expected, size, key, indent):
    data = json.dumps({key: expected, "after": {"x": [{}, {"y": 1}]}}, indent=indent).encode()
    assert whole(documents(chunks(data, size), 1 << 20, 1 << 20)) == expected


@given(records, cuts, st.sampled_from(["", "\n", ",\n", "\x1e"]), st.sampled_from([None, 2]))
def test_documents_in_a_row_give_each(expected, size, between, indent):
    # Not first key of an envelope, so each object is a record.
    objects = [{"#": 0, **record} for record in expected]
    data = between.join(json.dumps(record, indent=indent) for record in objects).encode()
    assert whole(documents(chunks(data, size), 1 << 20, 1 << 20)) == objects


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=6), cuts)
def test_lines_are_those_that_are_not_blank_with_their_numbers(content, size):
    expected = [(number, line) for number, line in enumerate(content, 1) if line.strip()]
    got = list(lines(chunks(b"\n".join(content), size), 100))
    assert [(number, line) for number, line, _ in got] == expected


@given(st.binary(max_size=200), cuts)
def test_any_bytes_come_to_an_end(data, size):
    for _, raw, fault in documents(chunks(data, size), 50, 50):
        assert isinstance(raw, bytes)
        assert fault is None or fault.detail


def test_how_bytes_arrive_does_not_change_an_oversized_line():
    data = b"a\n" + b"x" * 300_000 + b"\n" + b"b"
    for size in (1_000, 65_536, 300_001, 1 << 20):
        got = list(lines(chunks(data, size), 1_000))
        assert [number for number, _, _ in got] == [1, 2, 3]
        assert got[1][1] == b"x" * RAW_LIMIT
        assert got[1][2].reason is RejectReason.OVERSIZED
        assert got[1][2].detail == "300000 bytes, the limit is 1000"


def test_how_bytes_arrive_does_not_change_an_oversized_record():
    data = b'[{"a": 1},\n{"t": "' + b"x" * 300_000 + b'"},\n{"b": 2}]'
    for size in (1_000, 65_536, 1 << 20):
        got = list(documents(chunks(data, size), 1_000, 1 << 20))
        assert [(number, fault is None) for number, _, fault in got] == [(1, True), (2, False), (3, True)]
        assert len(got[1][1]) == RAW_LIMIT
        assert got[1][2].detail == "300009 bytes, the limit is 1000"


def test_an_oversized_last_line_without_newline():
    (piece,) = lines(chunks(b"x" * 200, 50), 100)
    assert piece[2].reason is RejectReason.OVERSIZED


def test_a_document_that_breaks_off_tells_and_keeps_what_came():
    first, broken = documents(chunks(b'{"Records":[{"a":1},{"b":', 4), 100, 100)
    assert first[1] == b'{"a":1}'
    assert broken[2].reason is RejectReason.MALFORMED_JSON
    assert broken[1] == b'{"b":'


def test_text_between_documents_is_not_lost_in_silence():
    got = list(documents(chunks(b'oops {"a":1} ] {"b":2}', 100), 100, 100))
    assert [raw for _, raw, fault in got if fault] == [b"oops", b"]"]
    assert [raw for _, raw, fault in got if not fault] == [b'{"a":1}', b'{"b":2}']


def test_a_long_document_is_held_one_record_at_a_time():
    # 40 MB of records through a limit of 1 KiB a record: the splitter may hold one chunk and one record.
    record = json.dumps({"t": "x" * 500}).encode()
    state = {"left": 80_000, "started": False}

    def read():
        if not state["started"]:
            state["started"] = True
            return b'{"Records": ['
        if state["left"] == 0:
            return b""
        state["left"] -= 100
        return b",".join([record] * 100) + (b"," if state["left"] else b"]}")

    assert sum(1 for _, raw, fault in documents(read, 1024, 2048) if fault is None and raw == record) == 80_000
