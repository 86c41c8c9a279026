"""Whatever a log holds, every record comes back as an event or as a reject, without its texts and without an exception."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sources_support import CSV_MAP, EXAMPLES, options

from pipeline.event import ApiCall, Rejected
from pipeline.sources import read_calls

CANARY = "CANARY sentence of a prompt"
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**400, -1, 1e308, 2**63, "", "-", "NaN", "1e999", "²", "9" * 400, CANARY])
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "parts",
                    "text",
                    "stringValue",
                    "intValue",
                    "kvlistValue",
                    "values",
                    "key",
                    "value",
                    "x",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


def examples(name):
    path = EXAMPLES / name
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return [json.loads(path.read_text())]


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


FORMAT_OF = {
    "native.jsonl": "native",
    "litellm.jsonl": "litellm",
    "otel_spans.json": "otel",
    "otel_logs.json": "otel",
    "otel_flat.jsonl": "otel",
    "cloudtrail.json": "cloudtrail",
    "apigateway.jsonl": "apigateway",
}


@pytest.mark.parametrize("name", FORMAT_OF)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_odd_value_anywhere(name, data, tmp_path):
    document = data.draw(st.sampled_from(examples(name)))
    path = data.draw(st.sampled_from(list(places(document))))
    odd = replaced(document, path, data.draw(anything))
    file = tmp_path / "odd.json"
    file.write_text(json.dumps(odd))
    for format_name in (FORMAT_OF[name], "auto"):
        for result in read_calls([str(file)], format=format_name, options=options()):
            assert isinstance(result, (ApiCall, Rejected))


@pytest.mark.parametrize("format_name", ["native", "litellm", "otel", "cloudtrail", "apigateway", "auto"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=120) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(format_name, content, tmp_path):
    file = tmp_path / "any"
    file.write_bytes(content)
    for result in read_calls([str(file)], format=format_name, options=options()):
        assert isinstance(result, (ApiCall, Rejected))


SPOILT = {**FORMAT_OF, "traces.csv": "csv", "apigateway_clf.log": "apigateway", "cloudtrail_lines.jsonl": "cloudtrail"}


@pytest.mark.parametrize("name", SPOILT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_bytes_changed_lost_and_put_in_anywhere(name, data, tmp_path):
    content = bytearray((EXAMPLES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    file = tmp_path / "spoilt"
    file.write_bytes(content)
    columns = {"csv_map": CSV_MAP} if SPOILT[name] == "csv" else {}
    for format_name in (SPOILT[name], "auto"):
        for result in read_calls([str(file)], format=format_name, options=options(**columns)):
            assert isinstance(result, (ApiCall, Rejected))


CONTENT = {
    "litellm.jsonl": [("messages",), ("response",), ("error_str",), ("new_field",), ("metadata", "requester_metadata")],
    "otel_flat.jsonl": [
        ("attributes", "gen_ai.input.messages"),
        ("attributes", "gen_ai.completion"),
        ("attributes", "anything.else"),
        ("events",),
        ("body",),
    ],
}


@pytest.mark.parametrize("name", CONTENT)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_text_is_kept_in_any_shape(name, data, tmp_path):
    wrapped = data.draw(
        st.sampled_from(
            [
                CANARY,
                [CANARY],
                {"content": CANARY},
                [{"role": "user", "content": CANARY}],
                [{"role": "user", "content": [{"type": "text", "text": CANARY}]}],
                [{"name": "gen_ai.choice", "attributes": {"content": CANARY}}],
                {"deep": [{"deeper": {"deepest": CANARY}}]},
            ]
        )
    )
    record = data.draw(st.sampled_from(examples(name)))
    place = data.draw(st.sampled_from(CONTENT[name]))
    parent = record
    for key in place[:-1]:
        parent = parent[key]
    parent = {**parent, place[-1]: wrapped}
    record = {**record, place[0]: parent} if len(place) > 1 else parent
    spoilt = {**record, "startTime": "never", "start_time": "never"}
    file = tmp_path / "text.jsonl"
    file.write_text(json.dumps(record) + "\n" + json.dumps(spoilt) + "\n" + json.dumps(record)[:-2] + "\n")
    results = list(read_calls([str(file)], format=FORMAT_OF[name], options=options()))
    assert [type(result) for result in results] == [ApiCall, Rejected, Rejected]
    assert "CANARY" not in repr(results)
