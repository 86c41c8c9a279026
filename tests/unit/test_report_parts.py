"""The parts of a report: places on axes, fewer points, what was usual, what is escaped, who is shown."""

import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_support import HOSTILE, START, label

from replay.evaluate import Detection
from replay.report.account_charts import account_charts
from replay.report.accounts import FALSE, FOUND, MISSED, Account, accounts_that_matter, first_of_each
from replay.report.band import usual_band
from replay.report.data import AccountTotals, Campaign, Member, Series, Span, Traffic
from replay.report.downsample import fewer, windows_filled
from replay.report.graph import MOST_MEMBERS, MOST_VALUES, campaign_graph, lay_out
from replay.report.judgement import trade_offs
from replay.report.markup import element, percent, shown
from replay.report.plot import plot, steps
from replay.report.scale import even_axis, logarithmic_axis, short, time_axis
from replay.report.timeline import lane, traffic_plot

HOUR, DAY = 3_600_000, 86_400_000
finite = st.floats(0, 1e15)


@given(finite)
def test_axes_reach_their_highest_value_with_few_ticks_in_order(highest: float) -> None:
    for axis in (even_axis(highest), logarithmic_axis(highest)):
        assert highest < 1e-9 or axis.high >= highest * (1 - 1e-6)
        assert 2 <= len(axis.ticks) <= 8
        assert axis.ticks[-1].at == pytest.approx(1.0)
        assert [tick.at for tick in axis.ticks] == sorted(tick.at for tick in axis.ticks)
        assert 0.0 <= axis.place(highest) <= 1.0


@given(st.integers(-(10**12), 4 * 10**12), st.integers(0, 40 * 365 * DAY))
def test_times_have_few_ticks_at_round_times(start: int, length: int) -> None:
    axis = time_axis(start, start + length)
    assert len(axis.ticks) <= 10
    assert all(0.0 <= tick.at <= 1.0 for tick in axis.ticks)
    if length >= 10 * 60_000:
        assert axis.ticks


def test_a_month_has_a_tick_every_four_days() -> None:
    assert [tick.text for tick in time_axis(START, START + 31 * DAY).ticks][:3] == ["3 Dec", "7 Dec", "11 Dec"]
    assert [tick.text for tick in time_axis(START, START + 12 * HOUR).ticks][:3] == ["1 Dec", "03:00", "06:00"]
    assert [tick.text for tick in time_axis(START, START + 730 * DAY).ticks][:2] == ["Jan 2025", "Jul 2025"]


def test_a_logarithmic_axis_has_a_place_for_nothing() -> None:
    axis = logarithmic_axis(9_000)
    assert [tick.text for tick in axis.ticks] == ["0", "10", "100", "1 k", "10 k"]
    assert axis.place(0) == 0.0
    assert axis.place(99) == pytest.approx(math.log(100) / math.log(10_001))


@given(st.floats(-1e14, 1e14))
def test_short_numbers_are_short(value: float) -> None:
    assert len(short(value)) <= 10


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=3000), st.integers(2, 200))
def test_fewer_points_keep_the_peaks_the_troughs_and_the_order(values: list[float], most: int) -> None:
    x, y = fewer(np.arange(len(values), dtype=np.float64), np.array(values), most)
    assert len(x) <= max(most, 2)
    assert y.max() == max(values)
    assert y.min() == min(values)
    assert np.all(np.diff(x) > 0)
    assert [values[int(at)] for at in x] == y.tolist()


def test_silent_windows_count_as_nothing_and_strangers_are_left_out() -> None:
    filled = windows_filled(np.array([0.0, 2.0, 9.0, -1.0]), np.array([5.0, 7.0, 1.0, 1.0]), 0.0, 4.0, 1.0)
    assert filled.tolist() == [5.0, 0.0, 7.0, 0.0]


def test_a_band_is_made_of_what_came_before_by_time_of_day() -> None:
    hours = np.arange(20 * 24)
    values = np.where(hours % 24 == 12, 100.0, 0.0)
    values[15 * 24 :] = 10_000.0
    band = usual_band(values, 0, 15 * 24, HOUR)
    assert band is not None
    assert band.high.max() == 100.0
    assert band.high[19 * 24 + 12] == 100.0
    assert band.high[19 * 24 + 3] == 0.0
    assert band.days == 15.0
    assert usual_band(values, 10, 20, HOUR) is None


@pytest.mark.parametrize("name", HOSTILE)
def test_every_value_is_escaped_and_every_name_is_of_bounded_length(name: str) -> None:
    text = shown(name)
    assert len(text) <= 48
    assert text.isprintable()
    drawn = element("text", name.replace("\0", "").replace("\x1b", ""), data_name=shown(name, 256))
    parsed = ElementTree.fromstring(str(drawn))
    assert len(parsed) == 0
    assert parsed.get("data-name") == shown(name, 256)


def test_a_plot_is_one_well_formed_picture_with_words() -> None:
    x, y = time_axis(START, START + DAY), even_axis(10)
    shape = steps(np.array([0.0, 0.5]), np.array([0.2, 1.0]), 0.25, height=100, css="area-fill reads")
    drawn = ElementTree.fromstring(str(plot(x, y, height=100, label="a & b", stretched=[shape], readout="tokens")))
    area = drawn[1]
    assert (area.get("role"), area.get("aria-label")) == ("img", "a & b")
    path = next(area.iter("path")).get("d")
    assert path == "M0,100L0,80H250V100H500L500,0H750V100Z"


def test_percent_has_no_more_digits_than_it_needs() -> None:
    assert [percent(value) for value in (0, 0.5, 1 / 3, 1)] == ["0%", "50%", "33.33%", "100%"]


def detection(account: str, at: int, entity_type: str = "account", entity: str = "") -> Detection:
    return Detection(
        incident_id=f"{account}-{at}", entity_type=entity_type, entity_id=entity or account, account_id=account, opened_at=at,
        detected_at=at, ended_at=at + DAY, severity="high", status="closed", peak_score=0.99,
    )  # fmt: skip


def test_what_became_of_accounts() -> None:
    at = START + 6 * DAY
    labels = [label("a"), label("b"), label("unseen"), label("shop", kind="benign"), label("late")]
    detections = [detection(name, at) for name in ("a", "shop", "stranger")] + [detection("late", START + 20 * DAY)]
    totals = {name: AccountTotals(1, 1, 0.5) for name in ("a", "b", "shop", "stranger", "late")}
    found = {one.account_id: one.outcome for one in accounts_that_matter(labels, detections, totals)}
    assert found == {"a": FOUND, "b": MISSED, "shop": FALSE, "stranger": FALSE, "late": MISSED}
    without = accounts_that_matter([], detections, totals)
    assert {one.outcome for one in without} == {"alert"}


def test_a_page_has_some_of_each_and_few_of_a_campaign() -> None:
    pool = [f"pool-{index}" for index in range(50)]
    labels = [label(name) for name in [*pool, "alone", "missed"]]
    detections = [detection(name, START + 6 * DAY, "campaign", "c") for name in pool] + [
        detection("alone", START + 6 * DAY)
    ]
    totals = {name: AccountTotals(1, 1_000, 0.5) for name in [*pool, "alone", "missed"]}
    accounts = accounts_that_matter(labels, detections, totals)
    chosen = [one.account_id for one in first_of_each(accounts, 12, a_campaign=2)]
    assert len(chosen) == 4
    assert {"alone", "missed"} < set(chosen)
    assert len(first_of_each(accounts, 10)) == 10


def test_precision_and_recall_as_the_threshold_falls() -> None:
    points = trade_offs({"a": 0.9, "b": 0.8, "x": 0.8, "c": 0.1}, {"a", "b", "c", "never"})
    assert [(one.threshold, one.recall, one.precision) for one in points] == [
        (0.9, 0.25, 1.0),
        (0.8, 0.5, 2 / 3),
        (0.1, 0.75, 0.75),
    ]
    assert trade_offs({"a": 0.9}, set()) == []


def test_a_campaign_of_thousands_is_drawn_in_part_and_the_same_each_time() -> None:
    members = tuple(
        Member(
            f"m{index}",
            START,
            [("address_prefix", f"10.0.{index % 40}.0/24", 2.0), ("payment", HOSTILE[index % 8], 1.0)],
        )
        for index in range(200)
    )
    campaign = Campaign("c", 24_000, 5, 0.9, "open", START, START, START, members)
    layout = lay_out(campaign)
    assert len(layout.members) == MOST_MEMBERS
    assert len(layout.values) == MOST_VALUES
    drawn = str(campaign_graph(campaign))
    assert drawn == str(campaign_graph(campaign))
    tags: set[str] = set()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.add(tag)  # type: ignore[method-assign]
    parser.feed(drawn)
    assert tags == {"div", "ul", "li", "bdi", "span", "svg", "path", "circle"}


def test_threads_of_neighbours_do_not_cross() -> None:
    members = tuple(Member(f"m{index}", START, [("payment", "p" if index % 2 else "q", 1.0)]) for index in range(6))
    layout = lay_out(Campaign("c", 6, 5, 0.9, "open", START, START, START, members))
    ties = [member.evidence[0][1] for member in layout.members]
    assert [value for _, value in layout.values] == list(dict.fromkeys(ties))
    assert len(re.findall("qp|pq", "".join(ties))) == 1


def test_charts_of_forty_years_stay_small() -> None:
    window = Span(START, START + 40 * 365 * DAY, 1, 1, 1)
    count = 40 * 365
    days = np.arange(count, dtype=np.float64)
    series = Series(days * DAY + START, days + 1, days * 3, days * 0 + 0.5)
    account = Account("a", "alert", (), (detection("a", START + 9_000 * DAY),), AccountTotals(1, 1, 0.5))
    charts = account_charts(account, series, (series.start, series.calls), window)
    assert len(charts) == 4
    assert all(len(drawn) < 60_000 for _, drawn in charts)
    traffic = Traffic(series.start, series.calls, series.output_tokens, series.output_tokens / 2)
    assert len(traffic_plot(traffic, window)) < 60_000
    assert len(lane(account, series, window)) < 60_000
