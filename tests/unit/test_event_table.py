"""Calls laid out once, for the engine and for the store."""

import msgspec
import numpy as np
import pytest

from pipeline.event import FIELDS, ApiCall
from pipeline.event.columns import EventBatch
from pipeline.event.table import batch_of_table, table_of
from replay.scenarios import generate


@pytest.fixture(scope="module")
def calls() -> list[ApiCall]:
    made = list(generate("late-2024", accounts=20, days=2, seed=3).calls())[:300]
    some = {"attributes": {"region": "eu", "tier": ""}, "logprobs": True, "top_p": 0.5, "temperature": 0.0}
    return [*made, ApiCall(event_id="least", ts=1, account_id="ä"), msgspec.structs.replace(made[0], **some)]


def test_every_field_of_every_call_comes_back(calls: list[ApiCall]) -> None:
    table = table_of(calls)
    assert table.column_names == list(FIELDS)
    rows = table.to_pylist(maps_as_pydicts="strict")
    epoch = {
        name: [None if row[name] is None else row[name].timestamp() for row in rows] for name in ("ts", "signup_ts")
    }
    for index, (row, call) in enumerate(zip(rows, calls, strict=True)):
        plain = msgspec.structs.asdict(call)
        for name, seconds in epoch.items():
            given = plain.pop(name)
            assert seconds[index] == (None if given is None else pytest.approx(given / 1000, abs=1e-4))
            del row[name]
        assert row == plain


@pytest.mark.parametrize("count", [0, 1, 302])
def test_the_engine_gets_of_it_what_it_gets_of_the_calls(calls: list[ApiCall], count: int) -> None:
    part = calls[-count:] if count else []
    offsets = np.arange(7, 7 + count, dtype=np.int64)
    found = batch_of_table(table_of(part), offsets, 3)
    expected = EventBatch.from_calls(part, offsets.tolist(), 3)
    for name in EventBatch.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)
