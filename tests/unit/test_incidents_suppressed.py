"""What suppressions keep from opening, what they let through, and that nothing else changes by them."""

import itertools
from datetime import UTC, datetime
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.incidents.incident import Incident
from pipeline.incidents.story import KINDS
from pipeline.incidents.suppression import Suppression, Suppressions, of_settings, to_settings
from pipeline.incidents.tracker import IncidentTracker, JudgedHours
from pipeline.settings import IncidentSettings, SuppressionSettings, load
from tests.unit.test_incidents import FIRST, HOUR, REASONS, SETTINGS, at, hours

FOREVER = at(100_000)


def suppression(account: str = "account-*", **fields: object) -> Suppression:
    given_fields: dict[str, object] = {"until": FOREVER, "above": 6.0, **fields}
    return Suppression(account=account, **given_fields)  # type: ignore[arg-type]


def tracker_of(*listed: Suppression, settings: IncidentSettings = SETTINGS) -> IncidentTracker:
    tracker = IncidentTracker(settings)
    tracker.suppress(listed)
    return tracker


def told(changes: list[Incident]) -> list[tuple[str, int, bool]]:
    return [(change.status, change.version, change.closed_at is not None) for change in changes]


def test_what_would_have_opened_is_told_as_suppressed_with_who_suppressed_it_and_how_often() -> None:
    tracker = tracker_of(suppression(note="load test"))
    changes = tracker.follow(hours([0.2, 3.5, 4.0, 2.0, *[0.1] * 5]))
    assert told(changes) == [("suppressed", 1, False), ("suppressed", 2, True)]
    assert changes[0].detected_at == at(2) + 120_000
    assert changes[-1].suppressed_hours == 3
    assert changes[-1].suppressed_by == "account-* (load test)"
    assert changes[-1].severity == "low"


def test_evidence_above_the_bound_opens_an_incident_with_the_whole_story() -> None:
    changes = tracker_of(suppression()).follow(hours([4.0, 4.0, 6.5, 4.0]))
    assert told(changes) == [("suppressed", 1, False), ("suppressed", 2, True), ("open", 1, False)]
    ended, opened = changes[1:]
    assert ended.closed_at == opened.detected_at == at(3) + 120_000
    assert opened.opened_at == at(0)
    assert opened.incident_id != ended.incident_id
    unsuppressed = IncidentTracker(SETTINGS).follow(hours([4.0]))[0]
    assert opened.incident_id == unsuppressed.incident_id


def test_evidence_that_lasts_opens_an_incident_when_the_suppression_ends_not_before() -> None:
    changes = tracker_of(suppression(until=at(3))).follow(hours([4.0] * 5))
    assert [(one.status, one.detected_at) for one in changes if one.closed_at is None][-1] == ("open", at(4) + 120_000)
    # What is too weak to open one now does not, whatever was suppressed before.
    weak = tracker_of(suppression(until=at(3))).follow(hours([4.0] * 3 + [2.0] * 3))
    assert {one.status for one in weak} == {"suppressed"}


def test_hours_before_it_begins_are_judged_as_ever() -> None:
    assert told(tracker_of(suppression(since=at(1))).follow(hours([4.0]))) == [("open", 1, False)]
    assert told(tracker_of(suppression(since=at(0))).follow(hours([4.0]))) == [("suppressed", 1, False)]


def test_an_open_incident_neither_grows_by_suppressed_hours_nor_stays_open_for_them() -> None:
    tracker = tracker_of(suppression(since=at(1), above=50.0))
    changes = tracker.follow(hours([4.0, *[20.0] * 6]))
    # Quiet for the settings' two hours after the first: closed with what it had, and what goes on is suppressed.
    assert told(changes) == [("open", 1, False), ("closed", 2, True), ("suppressed", 1, False)]
    assert changes[1].closed_at == at(1) + 2 * HOUR
    assert changes[1].severity == "low"
    assert changes[1].last_seen_at == at(1)
    assert changes[1].suppressed_hours > 0


def test_hours_around_the_bound_make_no_flicker() -> None:
    patient = msgspec.structs.replace(SETTINGS, quiet_s=6 * 3600)
    changes = tracker_of(suppression(), settings=patient).follow(hours([7.0, 5.0] * 10))
    assert changes[0].status == "open"
    assert {change.status for change in changes} == {"open"}
    assert len({change.incident_id for change in changes}) == 1


def test_kinds() -> None:
    # The reasons of `hours` are of the kind volume.
    assert told(tracker_of(suppression(kinds=("novelty", "rhythm"))).follow(hours([4.0]))) == [("open", 1, False)]
    assert told(tracker_of(suppression(kinds=("novelty", "volume"))).follow(hours([4.0]))) == [("suppressed", 1, False)]


@pytest.mark.parametrize(
    ("pattern", "account", "found"),
    [
        ("acct-1", "acct-1", True),
        ("acct-1", "acct-12", False),
        ("acct-*", "acct-12", True),
        ("acct-?", "acct-12", False),
        ("acct-[12]", "acct-2", True),
        ("ACCT-*", "acct-1", False),
        ("*", "any\nthing", True),
        ("a.c", "abc", False),
    ],
)
def test_patterns(pattern: str, account: str, found: bool) -> None:
    listed = Suppressions([suppression(pattern)])
    assert (listed.find(account, at(0), 1.0, lambda: "volume") is not None) == found


def test_which_is_found_does_not_depend_on_the_order_they_were_given_in() -> None:
    listed = [suppression(note=note) for note in "abc"] + [suppression("account-0", note="own")]
    for order in itertools.permutations(listed):
        found = Suppressions(order).find("account-0", at(0), 1.0, lambda: "volume")
        assert found is not None
        assert found.note == "own"


def test_settings_name_suppressions_and_take_them_back() -> None:
    text = '[{"account": "a-*", "until": "2025-01-02T00:00:00Z", "kinds": ["volume"], "above": 5, "note": "n"}]'
    (one,) = of_settings(load(None, {"engine.incident.suppressions": text}, {}).engine.incident.suppressions)
    until = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
    assert one == Suppression(account="a-*", until=until, kinds=("volume",), above=5.0, note="n")
    assert of_settings(to_settings([one])) == [one]
    tracker = IncidentTracker(msgspec.structs.replace(SETTINGS, suppressions=to_settings([suppression()])))
    assert told(tracker.follow(hours([4.0]))) == [("suppressed", 1, False)]


def test_the_kinds_of_the_settings_are_those_of_incidents() -> None:
    (kinds,) = (field.type for field in msgspec.structs.fields(SuppressionSettings) if field.name == "kinds")
    assert get_args(get_args(kinds)[0]) == KINDS


def test_a_moved_threshold_stays_within_its_bounds() -> None:
    tracker = IncidentTracker(IncidentSettings(open_at=3.0, open_at_most=5.0))
    for shift, expected in ((-0.5, 4.5), (9.0, 5.0), (-3.0, 3.0), (0.0, 5.0)):
        tracker.suppress((), shift)
        assert tracker.open_at == expected
    tracker = IncidentTracker(IncidentSettings(open_at=3.0, open_at_most=5.0, threshold_shift=-0.25))
    tracker.suppress((), -0.5)
    assert tracker.open_at == 4.25


suppressions = st.lists(
    st.builds(
        Suppression,
        account=st.sampled_from(["account-0", "account-1", "account-*", "*-2", "nobody"]),
        since=st.integers(0, 200).map(at),
        until=st.integers(0, 300).map(at),
        kinds=st.sampled_from([(), ("volume",), ("novelty",)]),
        above=st.floats(0.5, 12.0),
    ),
    max_size=5,
)


def traffic(seed: int, length: int = 250) -> JudgedHours:
    """Hours of three accounts with excursions, side by side in the order of closing."""
    random = np.random.default_rng(seed)
    one = np.repeat(random.choice([0.4, 3.0], (length // 10, 3), p=[0.6, 0.4]), 10, axis=0)
    evidence = (random.exponential(1.0, one.shape) * one).ravel()
    start = np.repeat((FIRST + np.arange(one.shape[0])) * HOUR, 3)
    slot = np.tile(np.arange(3), one.shape[0])
    return JudgedHours(
        slot=slot,
        account_id=[f"account-{number}" for number in slot.tolist()],
        start=start,
        evidence=evidence,
        output_tokens=random.integers(0, 1000, slot.size),
        account_calls=np.full(slot.size, 100),
        closed_by=start + HOUR + 120_000,
        reasons=lambda row: REASONS,
    )


def part(whole: JudgedHours, begin: int, end: int) -> JudgedHours:
    columns = {
        name: getattr(whole, name)[begin:end]
        for name in ("slot", "account_id", "start", "evidence", "output_tokens", "account_calls", "closed_by")
    }
    return JudgedHours(**columns, reasons=lambda row: REASONS)


@settings(deadline=None)
@given(st.integers(0, 50), suppressions, st.lists(st.integers(0, 750), max_size=8))
def test_any_split_and_any_restart_gives_the_same(seed: int, listed: list[Suppression], cuts: list[int]) -> None:
    whole = traffic(seed)
    expected = tracker_of(*listed).follow(whole)
    tracker, changes = tracker_of(*reversed(listed)), []
    for begin, end in itertools.pairwise([0, *sorted(cuts), whole.slot.size]):
        changes += tracker.follow(part(whole, begin, end))
        saved, tracker = tracker.save(np.arange(3)), tracker_of(*listed)
        tracker.load(np.arange(3), saved)
    assert changes == expected


@settings(deadline=None)
@given(st.integers(0, 50), suppressions)
def test_other_accounts_are_judged_as_without(seed: int, listed: list[Suppression]) -> None:
    whole = traffic(seed)
    listed = [one for one in listed if one.account == "account-1"]
    plain, others = (
        [one for one in tracker.follow(whole) if one.entity_id != "account-1"]
        for tracker in (tracker_of(), tracker_of(*listed))
    )
    assert others == plain


@settings(deadline=None)
@given(st.integers(0, 50))
def test_what_is_suppressed_without_bound_is_what_would_have_opened(seed: int) -> None:
    whole = traffic(seed)
    opened = IncidentTracker(SETTINGS).follow(whole)
    kept = tracker_of(suppression("*", above=1000.0)).follow(whole)
    same = (
        "version",
        "opened_at",
        "detected_at",
        "last_seen_at",
        "closed_at",
        "severity",
        "peak_score",
        "output_tokens",
    )
    assert {one.status for one in kept} <= {"suppressed"}
    assert [[getattr(one, name) for name in same] for one in kept] == [
        [getattr(one, name) for name in same] for one in opened
    ]


def test_a_state_of_before_suppressions_is_read() -> None:
    tracker = IncidentTracker(SETTINGS)
    tracker.follow(hours([4.0, 4.0, 4.0]))
    saved = tracker.save(np.array([0]))
    older = type(saved)(saved.rows, {name: array for name, array in saved.shared.items() if name != "latest"})
    restored = IncidentTracker(SETTINGS)
    restored.load(np.array([0]), older)
    assert restored.expire(at(50)) == tracker.expire(at(50))
