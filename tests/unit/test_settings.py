from pathlib import Path

import pytest

from pipeline.settings import Settings, SettingsError, load


def test_defaults_are_valid() -> None:
    assert load(None, {}, {}) == Settings()


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "stillwatch.toml"
    file.write_text('[stream]\nbroker = "kafka://file:9092"\npartitions = 3\nreplication = 2\n')
    environ = {"STILLWATCH_STREAM__PARTITIONS": "4", "STILLWATCH_STREAM__REPLICATION": "3"}
    settings = load(file, {"stream.replication": "1"}, environ)
    assert (settings.stream.broker, settings.stream.partitions, settings.stream.replication) == (
        "kafka://file:9092",
        4,
        1,
    )


def test_short_names_in_the_environment() -> None:
    settings = load(
        None, {}, {"STILLWATCH_BROKER": "kafka://a:1", "STILLWATCH_STORE": "chdb:x", "STILLWATCH_STORE_PASSWORD": "p"}
    )
    assert (settings.stream.broker, settings.store.address) == ("kafka://a:1", "chdb:x")


def test_nested_settings_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text(
        '[engine.incident]\nopen_at = 3.25\ndetector = "trees"\n'
        '[[engine.detectors]]\nname = "trees"\nmodel = "river.anomaly.HalfSpaceTrees"\nwindow_s = 3600\n'
        'features = ["log_calls"]\nparameters = { n_trees = 5 }\n'
    )
    settings = load(file, {"engine.incident.quiet_s": "3600"}, {})
    assert settings.engine.incident.open_at == 3.25
    assert settings.engine.incident.quiet_s == 3600
    assert [detector.name for detector in settings.engine.detectors] == ["trees"]


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('[stream]\npartitions = "many"\nnonsense = 1\n[engine]\nallowed_lateness_s = -1\n')
    with pytest.raises(SettingsError) as caught:
        load(file, {"store.insert_max_rows": "0", "other.key": "1"}, {"STILLWATCH_STREAM__REPLICATION": "x"})
    text = "\n".join(caught.value.mistakes)
    assert len(caught.value.mistakes) == 6
    for part in (
        "partitions",
        "nonsense",
        "allowed_lateness_s",
        "insert_max_rows",
        "other",
        "STILLWATCH_STREAM__REPLICATION",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"engine.incident.close_at": "50"}, "close_at"),
        ({"engine.incident.open_at": "9"}, "above open_at_most"),
        (
            {"engine.incident.detector": "day_volume"},
            "no detector of hours is named 'day_volume'; there are: hour_volume",
        ),
        ({"engine.detectors": "[]"}, "at least one"),
        ({"engine.detectors": '[{"name": "a", "features": ["log_calls"]}]'}, "window_s"),
        ({"stream.incidents_topic": "api-calls"}, "four names"),
    ],
)
def test_contradictions(overrides: dict[str, str], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        load(None, overrides, {})


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "absent.toml", {}, {})
    bad = tmp_path / "bad.toml"
    bad.write_text("= 1")
    with pytest.raises(SettingsError, match="is not TOML"):
        load(bad, {}, {})
