"""What of an incident's changes is told, and in what words."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.alerts.follow import sample
from pipeline.alerts.notice import Told, link_of, text_of
from pipeline.incidents.incident import Incident
from pipeline.settings import AlertTarget

TARGET = AlertTarget(name="t", kind="webhook", address="https://example.org/")
BASE = replace(sample("medium").incident, incident_id="i-1", severity="low", summary="acct-1 drew 5 output tokens.")


def told(target: AlertTarget, *changes: tuple[int, str, str]) -> list[str]:
    known = Told(target)
    heard = [replace(BASE, version=version, severity=severity, status=status) for version, severity, status in changes]
    return [notice.event for one in heard if (notice := known.hear(one)) is not None]


def test_an_incident_is_told_when_it_becomes_severe_enough_then_when_it_grows_and_when_it_ends():
    history = [
        (1, "low", "open"),
        (2, "medium", "open"),
        (3, "medium", "open"),
        (4, "high", "open"),
        (5, "high", "closed"),
    ]
    assert told(TARGET, *history) == ["opened", "escalated", "closed"]
    assert told(replace(TARGET, severity="high"), *history) == ["opened", "closed"]
    assert told(replace(TARGET, severity="critical"), *history) == []
    assert told(replace(TARGET, on=("escalated",)), *history) == ["escalated"]


def test_a_severity_that_falls_and_rises_again_is_told_once():
    history = [(1, "high", "open"), (2, "low", "open"), (3, "high", "open"), (4, "critical", "open")]
    assert told(TARGET, *history) == ["opened", "escalated"]


def test_an_alertmanager_hears_every_change_of_what_it_was_told_since_alerts_expire():
    history = [(1, "low", "open"), (2, "high", "open"), (3, "high", "open"), (4, "high", "closed")]
    assert told(replace(TARGET, kind="alertmanager"), *history) == ["opened", "changed", "closed"]


def test_campaigns_alone_can_be_asked_for():
    assert told(replace(TARGET, entity_types=("campaign",)), (1, "high", "open")) == []


severities = st.sampled_from(["low", "medium", "high", "critical"])


@given(st.lists(st.tuples(severities, st.sampled_from(["open", "open", "closed"])), max_size=8), st.data())
def test_repetitions_and_old_versions_tell_nothing_more(changes, data):
    """The topic has every change at least once: whatever comes again, and however late, is told no second time."""
    history = [(version + 1, *change) for version, change in enumerate(changes)]
    repeated = [one for at, one in enumerate(history) for one in (one, *history[: data.draw(st.integers(0, at))])]
    assert told(TARGET, *repeated) == told(TARGET, *history)


HOSTILE = '<script>\x1b[2J\u202e$summary"\n@channel' + "x" * 10_000


def test_text_is_in_the_words_of_the_template_and_hostile_names_are_harmless():
    notice = replace_entity(HOSTILE)
    target = replace(
        TARGET, template="$event/$severity/$entity_id", link="https://console.example/$entity_type/$entity_id"
    )
    text = text_of(notice, target)
    assert text.startswith("test/low/<script>\\x1b[2J\\u202e$summary")
    assert text.isprintable()
    assert len(text) < 400
    link = link_of(notice, target)
    assert link.startswith("https://console.example/account/%3Cscript%3E%1B")
    assert link.isascii()
    assert " " not in link
    assert '"' not in link


def replace_entity(entity_id: str):
    notice = sample("low")
    incident: Incident = replace(notice.incident, entity_id=entity_id)
    return type(notice)(notice.id, notice.event, incident)
