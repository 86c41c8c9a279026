"""The benchmark's own parts: baselines know nothing of later rows, thresholds are chosen as told, areas are what they are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.detection.alerts import Scored, at_equal_false_alerts, best_f1, detections_at
from bench.detection.baselines import BASELINES, Baseline
from bench.detection.baselines.limits import daily_tokens, robust_z_score
from bench.detection.ranking import rank
from bench.detection.stream import Stream, Tail
from bench.detection.targets import figures
from bench.detection.windows import DAY_S, FEATURES, HOUR_S, NO_SCORE, Windows
from pipeline.store.records import Label
from replay.evaluate import Detection

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
START = 20_000 * DAY_MS
NAMES = ("a", "b", "c")


def random_windows(window_s: int, count: int, seed: int = 3) -> Windows:
    """Windows of three accounts by time, of which the last is seldom there."""
    random = np.random.default_rng(seed)
    account = random.choice(3, count, p=[0.5, 0.45, 0.05])
    step = np.cumsum(random.integers(0, 2, count))
    rows = np.column_stack([random.uniform(*bounds, count) for bounds in FEATURES.values()])
    return Windows(window_s, NAMES, account, START + step * 1000 * window_s, np.expm1(rows[:, 2] / 2), rows)


def few_windows(account: list[int], hours: list[int], tokens: list[float]) -> Windows:
    """Windows that end so many hours after the start."""
    end_ms = START + np.array(hours) * HOUR_MS
    return Windows(HOUR_S, NAMES, np.array(account), end_ms, np.array(tokens), np.zeros((len(hours), len(FEATURES))))


def detection(account: str, at: int, *, campaign: str = "") -> Detection:
    return Detection(
        incident_id=campaign or f"{account} {at}",
        entity_type="campaign" if campaign else "account",
        entity_id=campaign or account,
        account_id=account,
        opened_at=at,
        detected_at=at,
        ended_at=at,
        severity="low",
        status="open",
        peak_score=0.99,
    )


def label(account: str, kind: str, first_hour: int, last_hour: int) -> Label:
    times = (START + hour * HOUR_MS for hour in (first_hour, last_hour))
    return Label(
        account_id=account, start=next(times), end=next(times), kind=kind, campaign_id="", source="test", note=""
    )


def stream_of(labels: list[Label], detections: list[Detection], account_days: int = 1000) -> Stream:
    usage = {one.account_id: [(one.start, 100), ((one.start + one.end) // 2, 100), (one.end, 200)] for one in labels}
    nothing = few_windows([], [], [])
    return Stream(
        events=10,
        accounts=3,
        account_days=account_days,
        seconds=1.0,
        labels=labels,
        detections=detections,
        usage=usage,
        tails={0: Tail(10_000, 120, 40)},
        account_scores={"a": 1.99, "b": 0.3, "c": 0.2},
        hours=nothing,
        days=nothing,
    )


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda one: one.name)
def test_a_baseline_knows_nothing_of_later_rows(baseline: Baseline) -> None:
    windows = random_windows(baseline.window_s, 300)
    try:
        scores = baseline.score(windows)
    except ImportError as absent:
        pytest.skip(f"the extra bench is not installed: {absent}")
    assert scores.shape == (300,)
    assert np.unique(scores[np.isfinite(scores)]).size > 20
    for length in (0, 1, 170, 299):
        assert baseline.score(windows[:length]).tolist() == scores[:length].tolist()


def test_a_baseline_of_accounts_looks_at_one_alone() -> None:
    windows = random_windows(HOUR_S, 300)
    rows = np.flatnonzero(windows.account == 1)
    alone = Windows(
        HOUR_S, NAMES, windows.account[rows], windows.end_ms[rows], windows.output_tokens[rows], windows.features[rows]
    )
    for one in BASELINES:
        if "per account" in one.sees and one.window_s == HOUR_S:
            assert one.score(windows)[rows].tolist() == one.score(alone).tolist()


def test_tokens_of_a_day_begin_anew_at_midnight_for_each_account() -> None:
    # A window that ends at midnight is of the day that ends.
    windows = few_windows([0, 1, 0, 0, 0], [1, 1, 24, 25, 30], [5, 7, 6, 1, 2])
    assert daily_tokens(windows).tolist() == [5, 7, 11, 1, 3]


def test_a_robust_z_score_is_of_the_days_before() -> None:
    days = [10_000.0, 20_000, 30_000, 40_000, 50_000, 70_000]
    windows = few_windows([0] * 7, [24 * day + 12 for day in range(6)] + [24 * 5 + 13], [*days, 1_000])
    scores = robust_z_score(windows)
    assert (scores[:5] == NO_SCORE).all()
    # Median 30,000 and median deviation 10,000 of the five days before.
    assert scores[5:].tolist() == pytest.approx([0.6745 * 4, 0.6745 * 4.1])


def test_scores_make_one_incident_until_two_days_are_quiet() -> None:
    windows = few_windows([0, 1, 0, 0, 0], [1, 2, 49, 60, 109], [0] * 5)
    scores = np.array([3.0, 2.0, 3.0, 1.0, 3.0])
    found = detections_at(2.0, [Scored(windows, scores)])
    assert [(one.account_id, (one.detected_at - START) // HOUR_MS) for one in found] == [("a", 1), ("a", 109), ("b", 2)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 300), st.integers(0, 9)), min_size=1), st.integers(0, 4))
def test_the_threshold_makes_no_more_false_alerts_than_allowed(rows: list[tuple[int, int, int]], allowed: int) -> None:
    rows.sort(key=lambda row: row[1])
    account, hours, scores = zip(*rows, strict=True)
    scored = [Scored(few_windows(list(account), list(hours), [0.0] * len(rows)), np.array(scores, float))]
    stream = stream_of([label("a", "heavy", 0, 400)], [])
    threshold = at_equal_false_alerts(stream, scored, allowed)
    assert stream.evaluate(detections_at(threshold, scored)).false_alerts <= allowed
    if np.isfinite(threshold) and threshold > min(scores):
        below = max(one for one in scores if one < threshold)
        assert stream.evaluate(detections_at(below, scored)).false_alerts > allowed
    assert best_f1(stream, scored).f1 <= 1.0


def test_the_best_threshold_with_hindsight_parts_what_can_be_parted() -> None:
    windows = few_windows([0, 1, 2, 0, 1], [1, 2, 3, 4, 5], [0] * 5)
    scored = [Scored(windows, np.array([1.0, 2.0, 0.5, 9.0, 3.0]))]
    best = best_f1(stream_of([label("a", "heavy", 0, 40)], []), scored)
    assert (best.f1, best.precision, best.recall, best.false_alerts_per_1000_account_days) == (1.0, 1.0, 1.0, 0.0)


@given(st.lists(st.tuples(st.sampled_from([-np.inf, 0.0, 1.0, 2.0, 3.5]), st.booleans()), min_size=2, max_size=30))
def test_areas_under_curves(accounts: list[tuple[float, bool]]) -> None:
    scores = {str(number): score for number, (score, _) in enumerate(accounts)}
    extracting = {str(number) for number, (_, truth) in enumerate(accounts) if truth}
    ranking = rank(scores, extracting)
    high, low = ([score for score, truth in accounts if truth == which] for which in (True, False))
    if not high or not low:
        assert ranking is None
        return
    assert ranking is not None
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in product(high, low)]
    assert ranking.roc_auc == pytest.approx(np.mean(pairs))
    # Of each account that extracts, the precision among all that score as high or higher.
    precision = [sum(x >= one for x in high) / sum(x >= one for x, _ in accounts) for one in high]
    assert ranking.pr_auc == pytest.approx(np.mean(precision))


def test_the_table_counts_members_of_campaigns_and_says_what_is_reached() -> None:
    labels = [label("a", "heavy", 0, 40), label("b", "pool", 0, 40)]
    detections = [detection(one, START + 20 * HOUR_MS, campaign="pool") for one in ("b", "c")]
    detections.append(detection("c", START))
    table = {one.name: one for one in figures(stream_of(labels, detections))}
    pools = table["recall, pools of 13 to 50 calls a day"]
    assert (pools.measured, pools.reached, pools.of) == (1.0, True, "1 of 1 labels")
    assert table["campaigns, share of members that extract"].measured == 0.5
    assert (table["recall, heavy"].measured, table["recall, heavy"].reached) == (0.0, False)
    assert (table["recall, ramp"].measured, table["recall, ramp"].reached) == (None, None)
    # Of 400 tokens the first 100 had gone.
    assert table["leaked, pools (median)"].measured == 0.25
    assert table["leaked, pools (median)"].reached is False
    assert table["precision, account incidents"].measured == 0.0
    assert table["false alerts per 1,000 account-days"].measured == 1.0
    assert table["calls scored above 0.99"].reached
    assert not table["calls scored above 0.999"].reached


def test_windows_of_days_are_of_another_length() -> None:
    assert {one.window_s for one in BASELINES} == {HOUR_S, DAY_S}
