import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replay_evaluate import alert, label, usage

from replay.curve import curve
from replay.evaluate import evaluate
from replay.intervals import Ratio, bootstrap, differences, mcnemar
from replay.significance import significance

RECALL = {"recall": Ratio("found", "labels")}


def test_an_interval_is_as_wide_as_the_binomial_law_says() -> None:
    accounts = [{"labels": 1, "found": int(n < 60)} for n in range(100)] + [{"days": 5}] * 3000
    found = bootstrap(accounts, RECALL)["recall"]
    assert found is not None
    spread = 1.96 * math.sqrt(0.6 * 0.4 / 100)
    assert (found.low, found.high) == pytest.approx((0.6 - spread, 0.6 + spread), abs=0.02)


def test_where_every_draw_is_alike_the_exact_laws_stand_in() -> None:
    ratios = {"share": Ratio("found", "labels", law="share"), "rate": Ratio("false", "days", 1000.0, "rate")}
    found = bootstrap([{"labels": 1, "found": 1, "days": 100}] * 10, ratios)
    # The textbook's intervals of 10 of 10, and of none in 1,000.
    assert found["share"] is not None
    assert (found["share"].low, found["share"].high) == pytest.approx((0.6915, 1.0), abs=1e-4)
    assert found["rate"] is not None
    assert (found["rate"].low, found["rate"].high) == pytest.approx((0.0, 3.689), abs=1e-3)


def test_accounts_are_drawn_whole() -> None:
    # Ten accounts with ten labels each know no more than ten accounts with one.
    of_ten = bootstrap([{"labels": 10, "found": 10 * (n % 2)} for n in range(10)], RECALL)
    of_one = bootstrap([{"labels": 1, "found": n % 2} for n in range(10)], RECALL)
    assert of_ten == of_one


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_intervals_hold_the_figure_and_do_not_mind_the_order(some: list[tuple[int, int]]) -> None:
    accounts = [{"labels": found + missed, "found": found} for found, missed in some]
    interval = bootstrap(accounts, RECALL)["recall"]
    assert bootstrap(accounts[::-1], RECALL)["recall"] == interval
    labels = sum(one["labels"] for one in accounts)
    if not labels:
        assert interval is None
    else:
        assert interval is not None
        assert 0 <= interval.low <= interval.high <= 1


def test_evaluation_with_the_days_of_accounts_has_intervals() -> None:
    labels = [label(name) for name in "abcdef"] + [label("nobody"), label("none", kind="benign")]
    alerts = [alert(name, 2.0) for name in "abc"] + [alert("honest", 2.0), alert("honest", 40.0)]
    days_of = dict.fromkeys([*"abcdef", "honest", *(f"calm-{n}" for n in range(93))], 10)
    found = evaluate("r", labels, alerts, usage(*"abcdef"), 1000, days_of=days_of, days=10)
    of_all = found.kinds[-1]
    assert of_all.recall_interval is not None
    assert of_all.recall_interval.low < of_all.recall == 0.5 < of_all.recall_interval.high
    assert found.false_alerts_interval is not None
    assert found.false_alerts_interval.low == 0.0
    assert 2.0 < found.false_alerts_interval.high <= 10.0
    assert found.precision_interval is not None
    assert found.labels_of_unknown_accounts == 2
    assert (found.alerts_per_day, found.alerts_by_day) == (0.5, {"2024-12-01": 4, "2024-12-02": 1})
    assert [(one.severity, one.incidents, one.true) for one in found.severities] == [("high", 5, 3)]
    assert of_all.hours_to_detect == (2.0, 2.0, 2.0)


def test_a_curve_by_hand() -> None:
    found = curve([5.0, 3.0, 1.0], [4.0, 1.0])
    told = [(one.threshold, one.precision, one.recall, one.false_accounts) for one in found.points]
    assert told == [
        (5.0, 1.0, pytest.approx(1 / 3), 0),
        (4.0, 0.5, pytest.approx(1 / 3), 1),
        (3.0, pytest.approx(2 / 3), pytest.approx(2 / 3), 1),
        (1.0, 0.6, 1.0, 2),
    ]
    assert found.average_precision == pytest.approx((1 + 2 / 3 + 0.6) / 3)


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 9), max_size=40))
def test_curves_are_curves(extracting: list[int], others: list[int]) -> None:
    found = curve(extracting, others)
    recalls = [one.recall for one in found.points]
    assert recalls == sorted(recalls)
    assert all(0 <= one.precision <= 1 for one in found.points)
    assert (found.average_precision is None) == (not extracting)
    if found.points and extracting:
        assert recalls[-1] == 1.0
        assert found.points[-1].false_accounts == len(others)


def test_long_curves_are_thinned_from_the_lowest_thresholds() -> None:
    found = curve([n + 0.5 for n in range(5000)], list(range(5000)))
    assert len(found.points) <= 200
    assert found.points[0].threshold == 4999.5
    assert found.points[-1].recall == 1.0
    whole = curve([1.0] * 10, [0.0] * 10)
    assert whole.average_precision == 1.0


def test_the_exact_test_of_mcnemar() -> None:
    # Two-sided binomial probabilities of a fair coin.
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 6) == mcnemar(6, 0) == pytest.approx(2 / 64)
    assert mcnemar(2, 8) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert mcnemar(5, 5) == 1.0


def test_paired_draws_see_a_difference_that_unpaired_intervals_hide() -> None:
    # Each account leaks a little less in the second run, however different accounts are.
    accounts = [{"a gone": 10 * n, "b gone": 10 * n - 3, "a all": 1000, "b all": 1000} for n in range(1, 41)]
    ratios = (Ratio("a gone", "a all"), Ratio("b gone", "b all"))
    found = differences(accounts, {"leaked": ratios})["leaked"]
    assert found is not None
    assert (found.b - found.a, found.low, found.high) == pytest.approx((-0.003, -0.003, -0.003))
    assert found.p < 0.01
    alone = bootstrap(accounts, {"a": ratios[0], "b": ratios[1]})
    assert alone["a"] is not None
    assert alone["b"] is not None
    assert alone["a"].low < alone["b"].high
    same = differences(accounts, {"leaked": (ratios[0], ratios[0])})["leaked"]
    assert same is not None
    assert same.p == 1.0


def test_runs_are_compared_over_the_accounts_that_both_saw() -> None:
    def of(found: int, false: int) -> dict[str, int]:
        return {
            "days": 10,
            "labels all": 1,
            "found all": found,
            "gone all": 5,
            "tokens all": 9,
            "alerts": 1,
            "false": false,
        }

    a = {f"acc{n}": of(found=int(n < 3), false=0) for n in range(10)}
    b = {f"acc{n}": of(found=int(n < 9), false=int(n > 8)) for n in range(1, 10)} | {"new": {"days": 4}}
    found = significance(a, b)
    assert (found.labelled_accounts, found.found_by_a_only, found.found_by_b_only) == (9, 0, 6)
    assert found.recall_p == mcnemar(0, 6)
    assert found.recall is not None
    assert (found.recall.a, found.recall.b) == pytest.approx((0.3, 8 / 9))
    assert found.recall.low > 0
    assert found.false_alerts is not None
    assert found.false_alerts.b == pytest.approx(1000 / 94)
    assert significance({}, {}).recall is None
