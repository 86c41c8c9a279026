"""Incidents decided anew from stored evidence are those of a replay with the same settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.event import ApiCall
from pipeline.settings import EngineSettings, IncidentSettings, Settings, SettingsError
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from pipeline.store.records import Label
from replay.compare import load_and_compare
from replay.decide import decide
from replay.errors import ReplayError
from replay.hours import hours_of
from replay.recorded import engine_settings_of
from replay.run import claim, replay
from replay.scenarios import generate
from replay.scenarios.mix import Mix
from replay.source import Intake, numbered
from replay.what_if import changed_settings, what_if
from replay.window import Window

SETTINGS = Settings()
DEFAULT = SETTINGS.engine.incident
STORED = (
    "incident_id, version, kind, entity_id, toUnixTimestamp64Milli(opened_at), toUnixTimestamp64Milli(detected_at), "
    "toUnixTimestamp64Milli(last_seen_at), toUnixTimestamp64Milli(closed_at), severity, peak_score, status, "
    "output_tokens, summary"
)
TOLD = tuple(part.split("(")[-1].rstrip(")") for part in STORED.split(", "))
#: Two partitions, so that each has enough ordinary days for the budget to say something.
PARTITIONS = 2


@pytest.fixture(scope="module")
def calls() -> list[ApiCall]:
    mix = Mix(kinds=("heavy",), prevalence=0.1)
    return list(generate("late-2024", accounts=90, days=20, seed=6, rate_scale=0.2, mix=mix).calls())


def run(store: Store, calls: list[ApiCall], run_id: str, incident: IncidentSettings) -> None:
    engine = msgspec.structs.replace(SETTINGS.engine, incident=incident)
    changed = msgspec.structs.replace(SETTINGS, engine=engine)
    claimed = claim(store, run_id, "files", Window(), engine, overwrite=False)
    intake = Intake()
    replay(numbered(calls, PARTITIONS, Window(), intake), intake, store=store, settings=changed, run=claimed)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, calls: list[ApiCall]) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('store') / 'store'}") as opened:
        migrate(opened)
        run(opened, calls, "plain", DEFAULT)
        yield opened


def stored(store: Store, run_id: str) -> list[tuple[Any, ...]]:
    tables = "(SELECT * FROM incidents FINAL WHERE entity_type = 'account' UNION ALL "
    tables += "SELECT * EXCEPT (suppressed_hours, suppressed_by) FROM suppressed_incidents FINAL)"
    return sorted(store.query_rows(f"SELECT {STORED} FROM {tables} WHERE run_id = {{r:String}}", {"r": run_id}))


def decided(store: Store, run_id: str, incident: IncidentSettings) -> list[tuple[Any, ...]]:
    found = decide(hours_of(store, run_id, named_from=incident.close_at), incident)
    return sorted(tuple(getattr(one, name) for name in TOLD) for one in found)


def test_by_its_own_settings_a_run_is_what_it_was(store: Store) -> None:
    assert stored(store, "plain")
    assert decided(store, "plain", DEFAULT) == stored(store, "plain")


OTHER = {
    "budget": {"open_at": 1.2, "open_at_most": 9.0, "alerts_per_1000_account_days": 30.0},
    "eager": {
        "open_at": 2.0,
        "close_at": 1.5,
        "quiet_s": 20_000,
        "minimum_calls": 60,
        "unknown_past": 1.0,
        "suppress": ["*"],
    },
}


@pytest.mark.parametrize("name", OTHER)
def test_other_settings_give_what_a_replay_with_them_gives(store: Store, calls: list[ApiCall], name: str) -> None:
    changes = dict(OTHER[name])
    incident = changed_settings(SETTINGS.engine, changes, changes.pop("suppress", ()), above=4.0)
    run(store, calls, name, incident)
    expected = stored(store, name)
    assert expected
    assert expected != stored(store, "plain")
    assert decided(store, "plain", incident) == expected
    assert {"suppressed": name == "eager", "closed": True}.items() <= {
        status: any(row[10] == status for row in expected) for status in ("suppressed", "closed")
    }.items()


def copied(run_id: str, more: str = "") -> str:
    return (
        f"INSERT INTO account_windows SELECT * REPLACE ('{run_id}' AS run_id{more}) FROM account_windows "
        "WHERE account_windows.run_id = 'plain'"
    )


def test_rows_that_a_restart_wrote_twice_count_once(store: Store) -> None:
    store.command(copied("twice"))
    store.command(copied("twice"))
    assert decided(store, "twice", DEFAULT) == stored(store, "plain")


def test_the_difference_is_told_and_judged(store: Store) -> None:
    engine = engine_settings_of(store, "plain", SETTINGS)
    assert engine.incident == DEFAULT
    incidents = store.query_rows("SELECT entity_id, min(opened_at) FROM incidents WHERE run_id = 'plain' GROUP BY 1")
    account = incidents[0][0]
    label = Label(account_id=account, start=0, end=2_000_000_000_000, kind="heavy")
    found = what_if(store, "plain", engine, changed_settings(engine, {}, [account], above=99.0), labels=[label])
    assert [one.entity_id for one in found.lost] == [account] * len(found.lost)
    assert found.lost
    assert not found.gained
    assert found.incidents == found.incidents_before - len(found.lost)
    assert found.changed.keys() == {"suppressions"}
    assert found.before is not None
    assert found.after is not None
    assert (found.before.kinds[-1].recall, found.after.kinds[-1].recall) == (1.0, 0.0)
    nothing = what_if(store, "plain", engine, engine.incident, window=Window(None, 1))
    assert (nothing.incidents_before, nothing.incidents) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"open_at": 9.0}, "above open_at_most"),
        ({"open_at": -1.0}, "open_at"),
        ({"close_at": 4.0}, "not below open_at"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        changed_settings(EngineSettings(), changes)


def test_runs_that_cannot_be_decided_anew(store: Store) -> None:
    with pytest.raises(ReplayError, match="no closed hours"):
        list(hours_of(store, "absent", named_from=1.0))
    with pytest.raises(ReplayError, match="no run absent"):
        engine_settings_of(store, "absent", SETTINGS)
    store.command(copied("old", ", toDateTime64(0, 3, 'UTC') AS closed_by"))
    with pytest.raises(ReplayError, match="before evidence was stored"):
        list(hours_of(store, "old", named_from=1.0))


def test_a_comparison_says_whose_evidence_moved_and_by_which_feature(store: Store) -> None:
    """A copy of the run in which one account's novelty weighs twice, and another's incident came a day later."""
    (moved, _), (late, _) = store.query_rows(
        "SELECT entity_id, min(detected_at) FROM incidents WHERE run_id = 'plain' GROUP BY 1 ORDER BY 1 LIMIT 2"
    )
    store.command(
        f"INSERT INTO account_windows SELECT * REPLACE ('copy' AS run_id, if(account_id = '{moved}' AND window_s = 3600 AND "
        "evidence >= 1, evidence * 2, evidence) AS evidence) FROM account_windows WHERE account_windows.run_id = 'plain'"
    )
    store.command(
        f"INSERT INTO incidents SELECT * REPLACE ('copy' AS run_id, if(entity_id = '{late}', detected_at + INTERVAL 1 HOUR, "
        "detected_at) AS detected_at) FROM incidents FINAL WHERE incidents.run_id = 'plain'"
    )
    store.command(
        "INSERT INTO call_scores SELECT * REPLACE ('copy' AS run_id, score / 2 AS score) FROM call_scores "
        "WHERE call_scores.run_id = 'plain'"
    )
    labels = [Label(account_id=one, start=0, end=2_000_000_000_000, kind="heavy") for one in (moved, late)]
    found = load_and_compare(store, "plain", "copy", labels)
    assert (found.later, found.earlier, found.median_hours_later) == (1, 0, 1.0)
    assert found.accounts_changed == 1
    by_account = {one.account_id: one for one in found.accounts}
    assert by_account.keys() == {moved, late}
    assert (by_account[late].incidents, by_account[late].hours_changed, by_account[late].features) == ("later", 0, ())
    changed = by_account[moved]
    assert changed.hours_changed > 0
    assert changed.peak_b == pytest.approx(2 * changed.peak_a)
    assert len(changed.features) == 3
    assert changed.features[0].nats >= changed.features[1].nats > 0
    assert found.call_scores.changed > 0.9 * found.call_scores.common
    assert found.call_scores.quantiles[0] == pytest.approx(-0.5, abs=0.02)
    assert found.significance is not None
    assert (found.significance.labelled_accounts, found.significance.recall_p) == (2, 1.0)
    assert found.significance.leaked is not None
    assert found.significance.leaked.b > found.significance.leaked.a
