"""Batches made of Arrow columns are those made of the same events."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import ApiCall
from pipeline.event.arrow import BATCH_FIELDS, batch_of
from pipeline.event.columns import EventBatch
from pipeline.store.rows import api_calls_table

calls = st.lists(
    st.builds(
        ApiCall,
        event_id=st.text(min_size=1, max_size=8),
        ts=st.integers(0, 4_102_444_800_000),
        account_id=st.sampled_from(["a", "b", "konto-ä"]),
        model=st.sampled_from([None, "", "m"]),
        user_agent=st.none() | st.text(max_size=8),
        client_ip=st.sampled_from([None, "10.1.2.3", "2001:db8::1", "::ffff:10.1.2.3", "x"]),
        prompt_hash=st.none() | st.text("0123456789abcdefABCDEF", max_size=12),
        prompt_simhash=st.none() | st.text("0123456789abcdefABCDEF", min_size=16, max_size=16),
        output_tokens=st.none() | st.integers(0, 1_000_000_000),
        signup_ts=st.none() | st.integers(0, 4_102_444_800_000),
        temperature=st.none() | st.floats(0, 100),
        stream=st.none() | st.booleans(),
        asn=st.none() | st.integers(0, 4_294_967_295),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(calls, st.data())
def test_columns_give_the_batch_that_calls_give(events: list[ApiCall], data: st.DataObject) -> None:
    table = api_calls_table(events, received_at=0)
    for name in ("ts", "signup_ts"):
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.int64()))
    # In as many parts as it came, and a part of a larger one.
    begin = data.draw(st.integers(0, len(events)))
    table = pa.concat_tables([table[:begin], table[begin:]]).select(list(dict.fromkeys(BATCH_FIELDS)))
    offsets = np.arange(len(events), dtype=np.int64)
    for found, calls_of_it, at in (
        (batch_of(table, offsets, 3), events, offsets),
        (batch_of(table[begin:], offsets[begin:], 3), events[begin:], offsets[begin:]),
    ):
        expected = EventBatch.from_calls(calls_of_it, at.tolist(), 3)
        for name in EventBatch.__dataclass_fields__:
            one, other = getattr(found, name), getattr(expected, name)
            if isinstance(other, np.ndarray):
                assert one.dtype == other.dtype, name
                np.testing.assert_array_equal(one, other, name)
            else:
                assert one == other, name
