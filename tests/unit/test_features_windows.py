"""The compiled loop against a plain reference that keeps exact sets."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.features.extract import ClosedWindows, EventFeatures, extract
from pipeline.features.kernel import count_bits, count_registers
from pipeline.features.layout import DISTINCT_NAMES, EVENT_FEATURE_NAMES, SUM_NAMES, WINDOW_S
from pipeline.features.state import make_room, new_state

START = 1_733_011_200_000
LATENESS_S = 120


def run(calls: Sequence[ApiCall], lateness_s: int = LATENESS_S) -> tuple[EventFeatures, ClosedWindows, list[str]]:
    accounts = sorted({call.account_id for call in calls})
    state = new_state(lateness_s, capacity=1)
    make_room(state, len(accounts))
    batch = EventBatch.from_calls(calls, range(len(calls)), 0)
    slots = np.array([accounts.index(call.account_id) for call in calls], np.int64)
    features, windows = extract(batch, slots, np.zeros(len(calls), np.bool_), state, lateness_s)
    return features, windows, accounts


def reference(calls: Sequence[ApiCall], late: np.ndarray) -> dict[tuple[str, int, int], list[ApiCall]]:
    windows: dict[tuple[str, int, int], list[ApiCall]] = defaultdict(list)
    for call, is_late in zip(calls, late, strict=True):
        if not is_late:
            for window_s in WINDOW_S:
                windows[call.account_id, window_s, call.ts // (window_s * 1000)].append(call)
    newest = max(call.ts for call in calls)
    closed_minute = (newest - LATENESS_S * 1000) // 60_000
    return {key: kept for key, kept in windows.items() if (key[2] + 1) * key[1] // 60 <= closed_minute}


call_lists = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 3 * 86_400_000),
        st.integers(0, 100_000),
        st.integers(0, 500),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=60,
).map(
    lambda rows: [
        ApiCall(
            event_id=str(index),
            ts=START + offset // (1 if index % 3 else 10),
            account_id=f"a{account}",
            output_tokens=tokens,
            status=429 if tokens % 7 == 0 else 200,
            prompt_hash=f"{prompt:08x}",
            client_ip=f"10.0.0.{address}",
        )
        for index, (account, offset, tokens, prompt, address) in enumerate(rows)
    ]
)


@settings(max_examples=150, deadline=None)
@given(call_lists)
def test_windows_are_those_of_the_reference(calls: list[ApiCall]) -> None:
    features, windows, accounts = run(calls)
    expected = reference(calls, features.late)
    found = {}
    for row in range(len(windows)):
        window_s = WINDOW_S[windows.level[row]]
        key = (accounts[windows.slot[row]], window_s, int(windows.number[row]))
        assert key not in found
        found[key] = dict(zip(SUM_NAMES, windows.sums[row], strict=True)) | dict(
            zip(DISTINCT_NAMES, windows.distinct[row], strict=True)
        )
    assert found.keys() == expected.keys()
    for key, kept in expected.items():
        assert found[key]["calls"] == len(kept)
        assert found[key]["output_tokens"] == sum(call.output_tokens or 0 for call in kept)
        assert found[key]["output_tokens_max"] == max(call.output_tokens or 0 for call in kept)
        assert found[key]["throttled"] == sum(call.status == 429 for call in kept)
        assert found[key]["distinct_addresses"] == len({call.client_ip for call in kept})
        prompts = len({call.prompt_hash for call in kept})
        assert abs(found[key]["distinct_prompts"] - prompts) <= max(2, 0.4 * prompts)


@settings(max_examples=60, deadline=None)
@given(call_lists, st.randoms(use_true_random=False))
def test_order_within_the_lateness_does_not_change_windows(calls: list[ApiCall], random: object) -> None:
    in_order = sorted(calls, key=lambda call: call.ts)
    shuffled = sorted(calls, key=lambda call: call.ts + random.uniform(0, LATENESS_S * 1000 - 1))  # type: ignore[attr-defined]
    late_marker = ApiCall(event_id="end", ts=START + 5 * 86_400_000, account_id="a0")

    def contents(ordered: list[ApiCall]) -> set[tuple[object, ...]]:
        features, windows, accounts = run([*ordered, late_marker])
        assert not features.late.any()
        return {
            (accounts[windows.slot[i]], windows.level[i], windows.number[i], *windows.sums[i], *windows.distinct[i])
            for i in range(len(windows))
        }

    assert contents(shuffled) == contents(in_order)


def test_an_event_after_its_window_closed_is_flagged_and_left_out() -> None:
    def call(minutes: float) -> ApiCall:
        return ApiCall(event_id=str(minutes), ts=START + int(minutes * 60_000), account_id="a0")

    features, windows, _ = run([call(0), call(10), call(1), call(9.5), call(30)])
    assert features.late.tolist() == [False, False, True, False, False]
    minutes = windows.number[windows.level == 0] - START // 60_000
    assert minutes.tolist() == [0, 9, 10]


def test_empty_windows_between_are_counted() -> None:
    calls = [ApiCall(event_id=str(hour), ts=START + hour * 3_600_000, account_id="a0") for hour in (0, 1, 5, 30)]
    _, windows, _ = run(calls)
    hours = windows.level == 2
    assert windows.empty_before[hours].tolist() == [0, 0, 3]


def test_more_windows_than_one_call_has_room_for() -> None:
    calls = [ApiCall(event_id=f"{i}", ts=START, account_id=f"a{i:05}") for i in range(20_000)]
    calls.append(ApiCall(event_id="end", ts=START + 2 * 86_400_000, account_id="a00000"))
    _, windows, _ = run(calls)
    assert len(windows) == 4 * 20_000
    assert windows.sums[:, 0].sum() == 4 * 20_000


def test_event_features() -> None:
    calls = [
        ApiCall(event_id="1", ts=START, account_id="a", output_tokens=99, input_tokens=0, model="m", client_ip="1"),
        ApiCall(event_id="2", ts=START + 10_000, account_id="a", status=429, logprobs=True, model="m", client_ip="2"),
    ]
    features, _, _ = run(calls)
    first, second = (dict(zip(EVENT_FEATURE_NAMES, row, strict=True)) for row in features.values)
    assert first["log_output_tokens"] == pytest.approx(np.log(100))
    assert first["output_share"] == pytest.approx(0.99)
    assert first["log_gap_s"] == pytest.approx(np.log1p(86_400))
    assert (first["new_model"], first["new_address"], first["new_key"]) == (1, 1, 0)
    assert second["log_gap_s"] == pytest.approx(np.log(11))
    assert (second["new_model"], second["new_address"], second["error"], second["throttled"]) == (0, 1, 1, 1)
    assert second["logprobs"] == 1


@pytest.mark.parametrize("distinct", [1, 5, 30, 100, 1000, 20_000])
def test_sketches_keep_to_their_stated_error(distinct: int) -> None:
    errors = []
    for trial in range(20):
        calls = [
            ApiCall(event_id=str(i), ts=START, account_id="a", prompt_hash=f"{trial * 100_000 + i:08x}")
            for i in range(distinct)
        ]
        calls.append(ApiCall(event_id="end", ts=START + 600_000, account_id="a"))
        _, windows, _ = run(calls)
        estimate = windows.distinct[0, DISTINCT_NAMES.index("distinct_prompts")]
        errors.append(estimate / distinct - 1)
    assert np.sqrt(np.mean(np.square(errors))) < 0.2
    assert abs(np.mean(errors)) < 0.1


def test_counts_of_empty_and_full_sketches_are_finite() -> None:
    assert count_registers(np.zeros(64, np.uint8)) == 0
    assert np.isfinite(count_registers(np.full(64, 58, np.uint8)))
    assert count_bits(np.uint64(0)) == 0
    assert 200 < count_bits(np.uint64(0xFFFFFFFFFFFFFFFF)) < 300
