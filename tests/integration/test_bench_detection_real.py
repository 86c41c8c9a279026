"""Real traffic of the benchmark: calls drawn from published rates, and attacks told from who makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.detection.nab.corpus import DataError, data_folder
from bench.detection.real import servegen
from bench.detection.real.cloudtrail import banking_session, stratus
from bench.detection.real.watch import needed

DAY_MS = 86_400_000


def test_calls_are_drawn_at_the_rates_of_a_client() -> None:
    trace = "".join(f"{600 * step},{rate},1,,0,0\n" for step, rate in enumerate([0.0] * 72 + [0.002] * 72))
    dataset = {
        "0": {"input_tokens": "{}", "output_tokens": "{}"},
        "21600": {"input_tokens": "{100: 0.5, 200: 0.5}", "output_tokens": "{7: 1.0}"},
    }
    calls = list(servegen._calls("client", trace, dataset, np.random.default_rng(1)))
    # 0.002 a second for half a day: 86, with a standard deviation of 9.
    assert 50 < len(calls) < 125
    assert {call.output_tokens for call in calls} == {7}
    assert {call.input_tokens for call in calls} == {100, 200}
    assert min(call.ts for call in calls) >= servegen.DECEMBER_2024 + DAY_MS // 2
    assert [call.ts for call in calls] == sorted(call.ts for call in calls)
    silent = {"0": {"input_tokens": "{}", "output_tokens": "{}"}}
    assert list(servegen._calls("client", trace, silent, np.random.default_rng(1))) == []


@pytest.fixture(scope="module")
def data() -> Path:
    try:
        root = data_folder().parent
        needed(root, "cloudtrail")
    except DataError as absent:
        pytest.skip(str(absent))
    return root


def test_real_attacks_are_told_from_who_makes_them(data: Path) -> None:
    hour, session = stratus(data), banking_session(data)
    assert (hour.calls, hour.accounts, hour.attackers) == (2_900, 20, 9)
    assert (session.calls, session.accounts, session.attackers) == (103, 3, 1)
    for seen in (hour, session):
        assert 0 <= seen.attackers_seen <= seen.attackers
        assert seen.false_alerts <= seen.alerts
