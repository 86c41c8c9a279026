from pathlib import Path

import pytest
from test_replay_evaluate import HOUR, START, alert, label, usage

from pipeline.settings import Settings, SettingsError
from replay.errors import ReplayError
from replay.evaluate import evaluate
from replay.tuning.objective import objective
from replay.tuning.space import applied, check_space, dimension, dimensions_of_file, only_decides
from replay.window import Window, window_between

SETTINGS = Settings()


def test_ranges_and_choices_are_read() -> None:
    space = [
        dimension("engine.incident.open_at=2.5..4.0"),
        dimension("engine.incident.quiet_s=3600..86400 log"),
        dimension("engine.incident.close_at = 1..2"),
        dimension("engine.detectors.day_volume.window_s=3600,86400"),
        dimension("engine.detectors.hour_volume.enabled=on,off"),
    ]
    open_at, quiet, close_at, window, enabled = check_space(SETTINGS, space)
    assert (open_at.low, open_at.high, open_at.log, open_at.whole) == (2.5, 4.0, False, False)
    assert (quiet.low, quiet.log, quiet.whole) == (3600, True, True)
    assert not close_at.whole
    assert (window.choices, enabled.choices) == ((3600, 86400), (True, False))
    assert only_decides([open_at, quiet, close_at])
    assert not only_decides([open_at, window])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("engine.incident.open_at", "KEY=LOW..HIGH"),
        ("engine.incident.open_at=4..2", "not below"),
        ("engine.incident.open_at=0..2 log", "above 0"),
        ("engine.incident.opens=1..2", "there is no such setting; there are"),
        ("engine.nothing.at=1..2", "no setting nothing"),
        ("engine.detectors.absent.enabled=true,false", "no detector absent; there are"),
        ("engine.incident.quiet_s=0.5..2.5", "quiet_s"),
        ("engine.incident.open_at=-2..3", "open_at"),
        ("engine.incident.detector=1..3", "detector"),
        ("engine.detectors.extraction.parameters.nothing=0..1", "no such evidence"),
        ("engine.detectors.call_shape.features.nothing=true,false", "nothing"),
        ("engine.incident.open_at=1..2..3", "range|open_at"),
    ],
)
def test_what_cannot_be_searched_is_told_in_one_line(text: str, part: str) -> None:
    with pytest.raises(ReplayError, match=part) as told:
        check_space(SETTINGS, [dimension(text)])
    assert "\n" not in str(told.value)


def test_a_key_is_searched_once() -> None:
    with pytest.raises(ReplayError, match="given twice"):
        check_space(SETTINGS, [dimension("engine.incident.open_at=2..3")] * 2)
    with pytest.raises(ReplayError, match="nothing to search"):
        check_space(SETTINGS, [])


def test_spaces_in_files(tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text('[search]\n"engine.incident.open_at" = "2.5..4.0"\n"engine.incident.quiet_s" = [86400, 172800]\n')
    assert dimensions_of_file(file) == [
        dimension("engine.incident.open_at=2.5..4.0"),
        dimension("engine.incident.quiet_s=86400,172800"),
    ]
    for text, part in (("[search", "cannot be read"), ("", "no table"), ("[search]\na = 3", "must be")):
        file.write_text(text)
        with pytest.raises(ReplayError, match=part):
            dimensions_of_file(file)


def test_values_are_set_by_key() -> None:
    changed = applied(
        SETTINGS,
        {
            "engine.incident.open_at": 3.0,
            "engine.detectors.hour_volume.enabled": False,
            "engine.detectors.call_shape.features.new_model": False,
            "engine.detectors.call_shape.features.log_gap_s": True,
            "engine.detectors.extraction.parameters.volume": 0.5,
            "campaigns.open_at": 9.0,
        },
    )
    detectors = {one.name: one for one in changed.engine.detectors}
    assert (changed.engine.incident.open_at, changed.campaigns.open_at) == (3.0, 9.0)
    assert detectors.keys() == {one.name for one in SETTINGS.engine.detectors} - {"hour_volume"}
    assert "new_model" not in detectors["call_shape"].features
    assert "log_gap_s" in detectors["call_shape"].features
    assert detectors["extraction"].parameters == {"volume": 0.5}
    assert applied(SETTINGS, {}) == SETTINGS
    with pytest.raises(SettingsError, match="not below open_at"):
        applied(SETTINGS, {"engine.incident.open_at": 0.5})


def test_the_objective_is_the_mean_over_windows_and_bounds_hold_in_each() -> None:
    wanted = objective("leaked", None, ["alerts_per_day<=1", "recall>=0.4"])
    early = evaluate("r", [label("a")], [alert("a", 5.0)], usage("a"), 9, days=1)
    missed = evaluate("r", [label("a")], [], usage("a"), 9, days=1)
    assert wanted.value([early]) == pytest.approx(0.5)
    assert wanted.value([early, missed]) == pytest.approx(0.75)
    alerts, recall = wanted.bounds
    assert (alerts.name, recall.name) == ("alerts_per_day<=1", "recall>=0.4")
    assert alerts.excess([early, missed]) == 0.0
    assert recall.excess([early]) == pytest.approx(-0.6)
    assert recall.excess([early, missed]) == pytest.approx(0.4)
    slow = objective("median_hours_to_detect", None, [])
    assert slow.value([missed]) is None
    assert slow.worst > 1000


@pytest.mark.parametrize(
    ("minimise", "maximise", "bound", "part"),
    [
        (None, None, "", "one of"),
        ("leaked", "recall", "", "one of"),
        ("nothing", None, "", "no such figure; there are recall"),
        ("leaked", None, "alerts_per_day=5", "write FIGURE<=NUMBER"),
        ("leaked", None, "alerts<=5", "no such figure"),
    ],
)
def test_wrong_objectives(minimise: str | None, maximise: str | None, bound: str, part: str) -> None:
    with pytest.raises(ReplayError, match=part):
        objective(minimise, maximise, [bound] if bound else [])


def test_within_a_window_an_account_that_was_found_before_is_known() -> None:
    window = Window(START + 5 * HOUR, START + 8 * HOUR)
    labels = [label("a"), label("b"), label("c", start=9)]
    alerts = [alert("a", 2.0), alert("b", 7.0), alert("x", 1.0), alert("x", 6.0), alert("b", 9.0)]
    found = evaluate("r", labels, alerts, usage("a", "b"), 9, days=1, window=window)
    assert (found.kinds[-1].labels, found.kinds[-1].found) == (2, 2)
    assert found.kinds[-1].hours_to_detect == (0.0, 2.0)
    # What was detected before the window, or after it, is no alert of the window.
    assert (found.account_incidents, found.false_alerts, found.alerts_per_day) == (2, 1, 2.0)


def test_windows_of_options() -> None:
    window = window_between("2024-12-01..2024-12-15", "--window")
    assert str(window) == "2024-12-01..2024-12-15"
    assert window.bounds["from_ms"] == START
    for text, part in (("2024-12-01", "FROM..TO"), ("a..b", "not a time"), ("2024-12-02..2024-12-01", "empty")):
        with pytest.raises(ReplayError, match=part):
            window_between(text, "--window")
