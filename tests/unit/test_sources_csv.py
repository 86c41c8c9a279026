import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources_support import calls, options, read, reasons, rejects, write

from pipeline.sources import SourceError, read_calls
from pipeline.sources.delimited import rows
from pipeline.sources.framing import lines

MAP = {"ts": "time", "account_id": "who", "output_tokens": "out"}
HEADER = "time,who,out\n"


def test_rows_become_calls(tmp_path):
    path = write(tmp_path, HEADER + "2024-12-02 09:14:08.3100000,a,5\n1733130848310,b,\n")
    one, two = read(path, csv_map=MAP)
    assert (one.ts, one.account_id, one.output_tokens) == (1_733_130_848_310, "a", 5)
    assert (two.ts, two.account_id, two.output_tokens) == (1_733_130_848_310, "b", None)


def test_a_time_without_zone_is_in_the_zone_given(tmp_path):
    path = write(tmp_path, HEADER + "2024-12-02 10:14:08.3100000,a,5\n")
    (call,) = read(path, csv_map=MAP, zone="Europe/Berlin")
    assert call.ts == 1_733_130_848_310


def test_the_account_of_all_rows(tmp_path):
    path = write(tmp_path, "time,out\n2024-12-02T09:14:08Z,5\n")
    (call,) = read(path, csv_map={"ts": "time"}, account="trace")
    assert call.account_id == "trace"
    with pytest.raises(SourceError, match="account_id has no column, map one or give the account of all rows"):
        read(path, csv_map={"ts": "time"})


def test_equal_rows_have_ids_of_their_own_and_keep_them(tmp_path):
    path = write(tmp_path, HEADER + "1733130848310,a,5\n" * 3)
    results = read(path, csv_map=MAP)
    assert len({call.event_id for call in results}) == 3
    assert read(path, csv_map=MAP) == results


def test_unmapped_columns_are_dropped_and_mapped_ones_may_be_attributes(tmp_path):
    path = write(tmp_path, "time,who,question,region\n1733130848310,a,my secret,eu\n")
    (call,) = read(path, csv_map={"ts": "time", "account_id": "who", "attributes.region": "region"})
    assert call.attributes == {"region": "eu"}
    (call,) = read(path, csv_map={"ts": "time", "account_id": "who", "prompt_text": "question"})
    assert call.prompt_hash
    assert "secret" not in repr(call)


def test_a_rejected_row_keeps_what_cannot_be_text(tmp_path):
    path = write(tmp_path, "time,who,question\nnever,a,my secret\n1733130848310,b\n")
    results = read(path, csv_map={"ts": "time", "account_id": "who"})
    assert reasons(results) == ["time_invalid", "unknown_format"] or reasons(results) == [
        "wrong_type",
        "unknown_format",
    ]
    assert b"never" in rejects(results)[0].raw
    assert all(b"secret" not in reject.raw for reject in rejects(results))
    all_mapped = read(write(tmp_path, HEADER + "never,a,1\n"), csv_map=MAP)
    assert rejects(all_mapped)[0].raw == b"never,a,1"


def test_faults_are_told_with_their_lines_and_the_rest_is_read(tmp_path):
    content = (HEADER + "1733130848310,a,5\n1733130848310,a\n").encode() + b"1733130848310,\xff,5\n1733130848310,b,-5\n"
    path = write(tmp_path, content + b"1733130848310,,5\n1733130848310,c,7\n")
    results = read(path, csv_map=MAP)
    assert [call.account_id for call in calls(results)] == ["a", "c"]
    assert sorted(reasons(results)) == ["no_account", "number_out_of_range", "text_invalid", "unknown_format"]
    assert {reject.source.rpartition(":")[2] for reject in rejects(results)} == {"3", "4", "5", "6"}


def test_a_missing_column_is_one_reject(tmp_path):
    path = write(tmp_path, "when,who\n1,a\n2,b\n")
    results = read(path, csv_map=MAP)
    assert reasons(results) == ["unknown_format"]
    assert rejects(results)[0].detail.startswith("no column out, time in the first line")


def test_a_header_alone_is_empty(tmp_path):
    assert reasons(read(write(tmp_path, HEADER), csv_map=MAP)) == ["empty_input"]


def test_cells_over_several_lines_and_other_delimiters(tmp_path):
    path = write(tmp_path, 'time;who;out\n1733130848310;"a\nb; c";5\n1733130848310;d;6\n')
    results = read(path, csv_map=MAP, csv_delimiter=";")
    assert [call.account_id for call in calls(results)] == ["a\nb; c", "d"]


def test_a_quote_that_is_never_closed_costs_no_more_than_a_record(tmp_path):
    good = "1733130848310,a,5\n"
    path = write(tmp_path, HEADER + good + '1733130848310,"a,5\n' + good * 20_000)
    results = read(path, csv_map=MAP, max_line_bytes=10_000)
    assert reasons(results) == ["oversized"]
    assert len(calls(results)) > 19_000


def test_wrong_maps_are_one_line():
    cases = [
        ({"csv_map": {"ts": "t", "acount_id": "a"}}, "--map: 'acount_id' is no field of an event"),
        ({"csv_map": {"account_id": "a"}}, "--map: ts has no column"),
        ({"csv_map": MAP, "csv_delimiter": ",,"}, "is not one character"),
    ]
    for choices, message in cases:
        with pytest.raises(SourceError, match=message):
            read_calls([], options=options(**choices))


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n\x1c\x1d\x1e\x1f\x85\x0b\x0c"), max_size=6)


@given(
    st.lists(st.lists(cells | st.sampled_from(['"', ",", '","', " "]), min_size=2, max_size=4), max_size=5),
    st.integers(1, 30),
)
def test_rows_are_those_of_the_csv_module(table, size):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(table)
    data = text.getvalue().encode()
    parts = iter([data[start : start + size] for start in range(0, len(data), size)])
    got = [row for _, row, _, fault in rows(lines(lambda: next(parts, b""), 10_000), ",", 10_000) if fault is None]
    assert got == table
