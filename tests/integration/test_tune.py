"""Searches over a small stream: what trials see is what a replay sees, and what is found can be adopted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pipeline.event import ApiCall
from pipeline.settings import Settings, load
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.records import Label
from replay.errors import ReplayError
from replay.evaluate import Evaluation, read_detections
from replay.run import claim, replay
from replay.scenarios import generate
from replay.scenarios.mix import Mix
from replay.source import Intake, numbered
from replay.tuning.columns import streams_of_calls
from replay.tuning.engine_trial import EngineTrial, Streams
from replay.tuning.ground import Ground
from replay.tuning.material import Columns, Evidence, Material, material_of_events, material_of_run
from replay.tuning.objective import objective
from replay.tuning.outcome import report_of, settings_file
from replay.tuning.space import applied, check_space, dimension
from replay.tuning.study import Question, search
from replay.window import Window, window_between

PARTITIONS = 2
SETTINGS = Settings(stream=msgspec.structs.replace(Settings().stream, partitions=PARTITIONS))
WINDOWS = [window_between(text, "") for text in ("2024-12-04..2024-12-10", "2024-12-10..2024-12-14")]
HELD_OUT = window_between("2024-12-14..2024-12-17", "")
WANTED = objective("leaked", None, ["alerts_per_day<=9"])


@pytest.fixture(scope="module")
def stream() -> tuple[list[ApiCall], list[Label]]:
    mix = Mix(kinds=("heavy", "pool"), prevalence=0.15, pool_size=8)
    made = generate("late-2024", accounts=80, days=16, seed=7, rate_scale=0.2, mix=mix)
    return list(made.calls()), list(made.labels)


@pytest.fixture(scope="module")
def streams(stream: tuple[list[ApiCall], list[Label]]) -> Streams:
    return streams_of_calls(stream[0], PARTITIONS, Window())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, stream: tuple[list[ApiCall], list[Label]]) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('store') / 'store'}") as opened:
        migrate(opened)
        intake = Intake()
        run = claim(opened, "stored", "files", Window(), SETTINGS.engine, overwrite=False)
        replay(numbered(stream[0], PARTITIONS, Window(), intake), intake, store=opened, settings=SETTINGS, run=run)
        yield opened


def question(grounds: list[Ground], *texts: str) -> Question:
    space = check_space(SETTINGS, [dimension(text) for text in texts])
    return Question(SETTINGS, tuple(space), WANTED, tuple(grounds), seed=3)


def told(material: Material, settings: Settings, grounds: list[Ground]) -> list[Evaluation]:
    """Without severities, which grow after a window's end as long as there are events."""
    return [msgspec.structs.replace(one, severities=()) for one in material.evaluations(settings, grounds)]


THRESHOLDS = ("engine.incident.open_at_most=2.1..4.4", "engine.incident.unknown_past=0.0..3.0")


@pytest.fixture(scope="module")
def decided(streams: Streams, stream: tuple[list[ApiCall], list[Label]]) -> tuple[Material, list[Ground]]:
    return material_of_events(streams, SETTINGS, stream[1], [*WINDOWS, HELD_OUT], decides=True)


def test_a_trial_detects_what_a_replay_detects(store: Store, streams: Streams) -> None:
    trial = EngineTrial(SETTINGS, streams)
    for until in (WINDOWS[0].to_ms, WINDOWS[1].to_ms, None):
        trial.go(until)
    expected = read_detections(store, "stored")
    assert {one.entity_type for one in expected} == {"account", "campaign"}
    assert trial.detections() == expected


def test_evidence_of_a_stored_run_and_of_events_and_the_engine_itself_judge_alike(
    store: Store, streams: Streams, stream: tuple[list[ApiCall], list[Label]], decided: tuple[Material, list[Ground]]
) -> None:
    changed = applied(SETTINGS, {"engine.incident.open_at": 2.0})
    stored, of_store = material_of_run(store, "stored", stream[1], [*WINDOWS, HELD_OUT], 1.0)
    evidence, grounds = decided
    assert isinstance(evidence, Evidence)
    expected = told(Columns(streams), changed, grounds)
    assert any(one.account_incidents for one in expected)
    assert told(evidence, changed, grounds) == expected
    assert told(stored, changed, of_store) == expected


def test_a_search_is_repeatable_and_its_settings_can_be_adopted(
    decided: tuple[Material, list[Ground]], tmp_path: Path
) -> None:
    material, (first, second, unseen) = decided
    asked = question([first, second], *THRESHOLDS)
    study = search(material, asked, trials=12, jobs=1, file=None, resume=False)
    again = search(material, asked, trials=12, jobs=1, file=None, resume=False)
    assert [one.params for one in again.trials] == [one.params for one in study.trials]
    told = report_of(study, material, asked, unseen, source="events", file="")
    assert told.trials == 12
    assert told.value_before is not None
    assert told.value < told.value_before
    assert told.value == pytest.approx(WANTED.value([one.after for one in told.windows]))
    assert told.held_out is not None
    assert told.held_out.window == "2024-12-14..2024-12-17"
    file = tmp_path / "tuned.toml"
    file.write_text(settings_file(told, SETTINGS))
    adopted = load(file, {}, {})
    assert adopted.engine == applied(SETTINGS, told.settings).engine
    assert adopted.stream.partitions == PARTITIONS
    assert tomllib.loads(file.read_text()).keys() == {"engine", "stream"}
    for part in ("trial", "seed 3", "2024-12-10..2024-12-14", "Held out: 2024-12-14", "alerts_per_day<=9"):
        assert part in file.read_text()


def test_the_search_does_not_look_at_the_held_out_window(decided: tuple[Material, list[Ground]]) -> None:
    material, (first, second, unseen) = decided
    asked = question([first, second], *THRESHOLDS)
    blind = msgspec.structs.replace(unseen, labels=[], usage={})
    study = search(material, asked, trials=4, jobs=1, file=None, resume=False)
    with_it = report_of(study, material, asked, unseen, source="", file="")
    without = report_of(study, material, asked, blind, source="", file="")
    assert (with_it.settings, with_it.windows) == (without.settings, without.windows)
    assert with_it.held_out != without.held_out


def test_a_study_in_a_file_goes_on_in_several_processes(decided: tuple[Material, list[Ground]], tmp_path: Path) -> None:
    material, (first, second, _) = decided
    asked = question([first, second], *THRESHOLDS)
    file = tmp_path / "study.journal"
    with pytest.raises(ReplayError, match="there is no study"):
        search(material, asked, trials=1, jobs=1, file=file, resume=True)
    begun = search(material, asked, trials=2, jobs=1, file=file, resume=False)
    with pytest.raises(ReplayError, match="give --resume"):
        search(material, asked, trials=1, jobs=1, file=file, resume=False)
    with pytest.raises(ReplayError, match="of other settings"):
        search(material, question([first], *THRESHOLDS), trials=1, jobs=1, file=file, resume=True)
    gone_on = search(material, asked, trials=2, jobs=2, file=file, resume=True)
    assert len(gone_on.trials) == 4
    assert [one.params for one in gone_on.trials[:2]] == [one.params for one in begun.trials[:2]]
    assert all(one.state.is_finished() for one in gone_on.trials)


def test_engines_run_where_more_than_thresholds_are_searched_and_stop_early(
    streams: Streams, decided: tuple[Material, list[Ground]]
) -> None:
    _, (first, second, _) = decided
    asked = question(
        [first, second],
        "engine.detectors.extraction.parameters.prior_log_odds=-9.0,-3.0",
        "engine.detectors.hour_volume.enabled=false,true",
    )
    study = search(Columns(streams), asked, trials=3, jobs=1, file=None, resume=False)
    values = {one.params["engine.detectors.extraction.parameters.prior_log_odds"]: one.value for one in study.trials}
    if len(values) == 2:
        assert values[-3.0] < values[-9.0]
    assert all(len(one.intermediate_values) == 2 for one in study.trials)


def test_bounds_that_nothing_keeps_are_told(decided: tuple[Material, list[Ground]]) -> None:
    material, (first, second, _) = decided
    asked = question([first, second], *THRESHOLDS)
    impossible = Question(SETTINGS, asked.space, objective("leaked", None, ["recall>=1.5"]), asked.grounds, 1)
    study = search(material, impossible, trials=2, jobs=1, file=None, resume=False)
    with pytest.raises(ReplayError, match=r"none of \d trials keeps the bounds; the nearest breaks recall>=1\.5 by"):
        report_of(study, material, impossible, None, source="", file="")


def test_windows_without_calls_or_labels_are_told(streams: Streams, stream: tuple[list[ApiCall], list[Label]]) -> None:
    empty = window_between("2030-01-01..2030-01-02", "")
    with pytest.raises(ReplayError, match="2030-01-02: there are no calls"):
        material_of_events(streams, SETTINGS, stream[1], [empty], decides=True)
    with pytest.raises(ReplayError, match="no label is of an account"):
        material_of_events(streams, SETTINGS, [], [WINDOWS[0]], decides=True)
    with pytest.raises(ReplayError, match="no events"):
        streams_of_calls([], PARTITIONS, Window())
