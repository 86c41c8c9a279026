"""What counts as evidence of extraction, on hours made by hand: an account among ordinary ones."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.detectors.base import Judgement
from pipeline.detectors.build import DetectorError, build_detectors
from pipeline.detectors.evidence import EVIDENCE, QUANTITY_NAMES
from pipeline.detectors.extraction import ExtractionDetector
from pipeline.features.behaviour import BINS, MIX_NAMES, SUM_NAMES
from pipeline.settings import DetectorSettings, IncidentSettings

ACCOUNTS, DAYS = 40, 24
WATCHED = 0
Hours = dict[int, dict[str, float]]


def behaviour(mixes: dict[str, int], **sums: float) -> NDArray[np.float64]:
    """A row of behaviour: the sums, and all output in one bin of each mix."""
    row = np.zeros(len(SUM_NAMES) + len(MIX_NAMES) * BINS)
    for name, value in sums.items():
        row[SUM_NAMES.index(name)] = value
    for number, name in enumerate(MIX_NAMES):
        row[len(SUM_NAMES) + number * BINS + mixes.get(name, 3)] = sums["output_tokens"] + sums["calls"]
    return row


def ordinary(random: np.random.Generator, calls: float = 8.0) -> NDArray[np.float64]:
    count = float(1 + random.poisson(calls))
    length = float(random.lognormal(5.0, 0.6))
    return behaviour(
        {"model": int(random.integers(2))},
        calls=count,
        repeated_calls=round(count * random.uniform(0.2, 0.8)),
        output_tokens=count * length,
        input_tokens=count * 900,
        cached_input_tokens=count * random.uniform(0, 500),
        cached_calls=round(count * random.uniform(0.2, 0.7)),
        tool_calls=round(count * random.uniform(0, 0.6)),
        log_gap=4.0 * count,
        log_gap_squared=18.0 * count,
        gaps=count,
        fresh_calls=count,
    )


def judged(watched: Hours, *, quiet_before: bool = False, **weights: float) -> tuple[Judgement, NDArray[np.int64]]:
    """Ordinary accounts at working hours; account 0 has the sums of `watched` in those hours (of the whole time) instead."""
    random = np.random.default_rng(7)
    detector = ExtractionDetector("d", **weights)
    slots, rows, empty, hours = [], [], [], []
    last: dict[int, int] = {}
    for hour in range(DAYS * 24):
        for account in range(ACCOUNTS):
            row = ordinary(random)
            works = 8 <= (hour + account) % 24 < 17 and random.random() < 0.8
            if account == WATCHED and hour in watched:
                row = behaviour(dict.fromkeys(MIX_NAMES, 9), **watched[hour])
            elif not works or (account == WATCHED and quiet_before):
                continue
            slots.append(account)
            rows.append(row)
            empty.append(hour - last.get(account, hour) - 1 if account in last else 0)
            hours.append(hour)
            last[account] = hour
    judgement = detector.judge(np.array(slots), np.array(rows), np.array(empty))
    return judgement, np.where(np.array(slots) == WATCHED, np.array(hours), -1)


def extraction(calls: float = 150.0, **changes: float) -> dict[str, float]:
    sums = {
        "calls": calls,
        "output_tokens": calls * 1200,
        "input_tokens": calls * 300,
        "log_gap": 3.0 * calls,
        "log_gap_squared": 9.05 * calls,
        "gaps": calls,
        "fresh_calls": calls,
    }
    return sums | changes


BEGIN = 18 * 24
ROUND_THE_CLOCK = range(BEGIN, BEGIN + 48)


def peak(watched: Hours, **options: float) -> float:
    judgement, hours = judged(watched, **options)
    return float(judgement.raw[hours >= BEGIN].max())


def test_ordinary_accounts_are_ordinary() -> None:
    judgement, _ = judged({})
    assert np.quantile(judgement.raw, 0.999) < IncidentSettings().open_at_most


def test_an_account_that_turns_to_extraction_is_seen_within_hours() -> None:
    judgement, hours = judged({hour: extraction() for hour in ROUND_THE_CLOCK})
    seen = hours[(hours >= BEGIN) & (judgement.raw > 3.5)]
    assert seen.min() <= BEGIN + 4
    row = int(np.flatnonzero(hours == BEGIN + 12)[0])
    observed = dict(zip(QUANTITY_NAMES, np.asarray(judgement.observed)[row].tolist(), strict=True))
    expected = dict(zip(QUANTITY_NAMES, judgement.expected[row].tolist(), strict=True))
    assert observed["system_prompt_shift"] > 0.5
    assert observed["log_answer_length"] > expected["log_answer_length"] + 1
    assert observed["active_hours"] > expected["active_hours"]


def test_a_ramp_too_slow_for_the_usual_is_seen_by_its_growth() -> None:
    def growing(factor: float) -> Hours:
        days = range(6, 24)
        return {
            24 * day + hour: extraction(10.0 * factor ** (day - 6), output_tokens=2000.0 * factor ** (day - 6))
            for day in days
            for hour in range(8, 17)
        }

    def last_days(factor: float) -> tuple[float, float]:
        judgement, hours = judged(growing(factor))
        rows = hours >= 21 * 24
        growth = np.asarray(judgement.observed)[rows, QUANTITY_NAMES.index("log_growth")]
        return float(growth.max()), float(judgement.raw[rows].max())

    steady, ramp = last_days(1.0), last_days(1.2)
    assert steady[0] < 1.0
    assert ramp[0] > 1.5
    assert ramp[1] > steady[1] + 1.0


def test_a_new_account_is_judged_by_its_peers() -> None:
    watched = {hour: extraction() for hour in ROUND_THE_CLOCK}
    assert peak(watched, quiet_before=True) > 2.5


def test_more_of_the_same_is_less_than_more_of_another_kind() -> None:
    launch = {
        hour: extraction(
            output_tokens=150 * 150, repeated_calls=75, cached_calls=70, cached_input_tokens=20_000, tool_calls=40
        )
        for hour in ROUND_THE_CLOCK
        if hour % 24 in range(8, 17)
    }
    drawn = {hour: extraction() for hour in ROUND_THE_CLOCK if hour % 24 in range(8, 17)}
    assert peak(launch) < peak(drawn) - 1.5


def test_prompts_sent_again_and_again_count_for_little() -> None:
    test = {hour: extraction(fresh_calls=3.0) for hour in ROUND_THE_CLOCK}
    assert peak(test) < peak({hour: extraction() for hour in ROUND_THE_CLOCK}) - 1.5


def test_log_probabilities_count_without_volume() -> None:
    few = {hour: extraction(20.0, output_tokens=60.0, logprobs_calls=20.0) for hour in ROUND_THE_CLOCK}
    without = {hour: extraction(20.0, output_tokens=60.0) for hour in ROUND_THE_CLOCK}
    assert peak(few) > peak(without) + 2


def test_weights_are_settings() -> None:
    watched = {hour: extraction() for hour in ROUND_THE_CLOCK}
    nothing = {one.name: 0.0 for one in EVIDENCE}
    assert peak(watched, **nothing) < 0.1
    assert peak(watched, prior_log_odds=0.0) > peak(watched)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"window_s": 60}, "behaviour of hours"),
        ({"features": ("log_calls",)}, "no features"),
        ({"parameters": {"nonsense": 1.0}}, "no such evidence: nonsense"),
        ({"parameters": {"hours": "much"}}, "numbers"),
        ({"parameters": {"hours": float("inf")}}, "finite"),
    ],
)
def test_mistakes_in_settings_are_told(changes: dict[str, object], part: str) -> None:
    settings = DetectorSettings(**({"name": "d", "model": "stillwatch.Extraction", "window_s": 3600} | changes))  # type: ignore[arg-type]
    with pytest.raises(DetectorError, match=part):
        build_detectors([settings])
