"""Rhythms, prompts and files of the scenarios."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.event import encode
from replay.command_line.simulate import simulate
from replay.scenarios import DECEMBER_2024, generate, rhythm
from replay.scenarios.rhythm import DAY_MS, SLOT_MS, SLOTS_A_DAY
from replay.scenarios.workload import draw, new_families, ordinary_workload
from replay.scenarios.write import write_events, write_labels
from replay.truth import labels_of_file


def source(seed: int = 1) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 0.01, 0.5, 3.0, 40.0]), min_size=1, max_size=300),
    st.floats(0.3, 8.0),
    st.integers(0, 1000),
)
def test_arrivals_are_ascending_and_only_where_the_rate_is(curve, variation, seed):
    rate = np.array(curve)
    times = rhythm.arrivals(rate, variation, DECEMBER_2024, source(seed))
    assert (np.diff(times) >= 0).all()
    slots = (times - DECEMBER_2024) // SLOT_MS
    assert ((slots >= 0) & (slots < rate.size)).all()
    assert (rate[slots] > 0).all()


@pytest.mark.parametrize("variation", [0.3, 1.0, 3.0])
def test_arrivals_have_the_wanted_volume_and_variation(variation):
    curve = rhythm.scaled(rhythm.flat(60), 400.0)
    times = rhythm.arrivals(curve, variation, DECEMBER_2024, source())
    gaps = np.diff(times)
    assert times.size == pytest.approx(24_000, rel=0.1)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.15)


def test_people_work_by_day_and_on_weekdays():
    curve = rhythm.scaled(rhythm.working_day(DECEMBER_2024, 28, 0.0, 0.2), 500.0)
    times = rhythm.arrivals(curve, 1.0, DECEMBER_2024, source())
    hours = np.bincount(times // 3_600_000 % 24, minlength=24)
    assert hours[9:18].mean() > 5 * hours[0:6].mean()
    weekdays = np.bincount((times // DAY_MS + 3) % 7, minlength=7)
    assert weekdays[5:].mean() < 0.4 * weekdays[:5].mean()


@pytest.mark.parametrize("zone", [-8.0, 5.5, 9.0])
def test_a_time_zone_moves_the_day(zone):
    here, there = (rhythm.working_day(DECEMBER_2024, 1, at, 1.0) for at in (0.0, zone))
    assert np.allclose(np.roll(here, -round(zone * 6)), there)


def test_sessions_concentrate_a_day():
    curve = rhythm.sessions(rhythm.working_day(DECEMBER_2024, 28, 0.0, 0.5), source(), 2.0)
    assert (curve == 0).mean() > 0.4
    assert curve.sum() > 0


def test_jobs_run_by_the_clock():
    times = rhythm.clockwork(DECEMBER_2024, 14, 60, 5, source())
    minutes = times // 60_000 % 60
    assert np.unique(minutes).size <= 2
    assert np.unique(times // 3_600_000).size == 14 * 24


def test_nothing_outside_of_a_part():
    curve = rhythm.between(rhythm.flat(3), SLOTS_A_DAY, 2 * SLOTS_A_DAY)
    times = rhythm.arrivals(curve * 10, 1.0, DECEMBER_2024, source())
    assert set(((times - DECEMBER_2024) // DAY_MS).tolist()) == {1}


def distances(simhashes, random) -> np.ndarray:
    pairs = random.permutation(simhashes)
    half = pairs.size // 2
    return np.bitwise_count(pairs[:half] ^ pairs[half : 2 * half])


def test_prompts_of_a_template_are_nearly_equal_and_others_are_not():
    random = source()
    workload = ordinary_workload(random, "chat")
    times = DECEMBER_2024 + np.arange(2000) * 60_000
    family = draw(replace(workload, families=new_families(random, 1), repeated=0.0), times, random)
    assert distances(family.simhash, random).max() <= 2 * workload.family_bits
    diverse = draw(replace(workload, families=(), repeated=0.0), times, random)
    assert np.median(distances(diverse.simhash, random)) > 20


def test_a_prompt_that_is_repeated_keeps_both_hashes():
    random = source()
    columns = draw(
        replace(ordinary_workload(random, "chat"), repeated=0.5), DECEMBER_2024 + np.arange(1000) * 1000, random
    )
    simhash_of: dict[int, int] = {}
    for prompt, simhash in zip(columns.prompt.tolist(), columns.simhash.tolist(), strict=True):
        assert simhash_of.setdefault(prompt, simhash) == simhash
    assert len(simhash_of) < 700


def test_a_conversation_sends_its_history_again():
    random = source()
    times = DECEMBER_2024 + np.arange(200) * 20_000
    talk = draw(replace(ordinary_workload(random, "chat"), conversation=1.0), times, random)
    assert (np.diff(talk.input_tokens[:5]) > 0).all()
    assert talk.cached_tokens[0] == 0
    assert (talk.cached_tokens <= talk.input_tokens).all()


@pytest.fixture(scope="module")
def small():
    return generate("late-2024", accounts=20, days=4, seed=2)


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_files_have_the_calls_and_are_equal_byte_for_byte(small, ending, tmp_path):
    expected = b"".join(encode(call) + b"\n" for call in small.calls())
    files = [tmp_path / f"{name}.jsonl{ending}" for name in "ab"]
    seen: list[int] = []
    for path in files:
        assert write_events(small.calls(), str(path), seen.append) == small.events
    assert sum(seen) == 2 * small.events
    first, second = (path.read_bytes() for path in files)
    assert first == second
    plain = {"": bytes, ".gz": gzip.decompress, ".zst": zstd.decompress}[ending](first)
    assert plain == expected


def test_labels_come_back_from_their_file(small, tmp_path):
    path = tmp_path / "labels.csv"
    write_labels(small.labels, path)
    with path.open(newline="") as stream:
        assert next(csv.reader(stream)) == ["account_id", "start", "end", "kind", "campaign_id", "source", "note"]
    read = {label.account_id: label for label in labels_of_file(path)}
    for label in small.labels:
        back = read[label.account_id]
        assert (back.start, back.end, back.kind, back.campaign_id) == (
            label.start,
            label.end,
            label.kind,
            label.campaign_id,
        )


def test_the_command_writes_both_files(tmp_path: Path, capsys):
    events, labels = tmp_path / "events.jsonl", tmp_path / "labels.csv"
    assert simulate("late-2024", output=str(events), labels=labels, accounts=20, days=3, seed=9) == 0
    said = capsys.readouterr()
    assert said.out == ""
    lines = events.read_bytes().count(b"\n")
    assert f"{lines:,} events" in said.err
    assert len(list(csv.DictReader(io.StringIO(labels.read_text())))) >= 5
