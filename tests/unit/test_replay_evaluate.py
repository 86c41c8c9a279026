from pathlib import Path

import pytest

from pipeline.store.records import Label
from replay.compare import match
from replay.errors import ReplayError
from replay.evaluate import DAY_MS, Detection, evaluate
from replay.truth import labels_of_file
from replay.window import Window, window_of

START = 1_733_011_200_000
HOUR = 3_600_000
MINUTE = 60_000


def label(account: str, kind: str = "heavy", start: int = 0, hours: int = 10) -> Label:
    return Label(account_id=account, start=START + start * HOUR, end=START + (start + hours) * HOUR, kind=kind)


def alert(account: str, detected_hour: float, entity_type: str = "account", entity: str = "", **more: int) -> Detection:
    detected = START + int(detected_hour * HOUR)
    return Detection(
        incident_id=f"{entity or account}-{detected_hour}",
        entity_type=entity_type,
        entity_id=entity or account,
        account_id=account,
        opened_at=more.get("opened_at", detected - HOUR),
        detected_at=detected,
        ended_at=more.get("ended_at", detected + HOUR),
        severity="high",
        status="closed",
        peak_score=0.999,
    )


def usage(*accounts: str) -> dict[str, list[tuple[int, int]]]:
    """Each account draws 100 tokens in the first minute of each of ten hours."""
    return {account: [(START + hour * HOUR, 100) for hour in range(10)] for account in accounts}


def test_recall_time_to_detect_and_leak_per_kind() -> None:
    labels = [label("a"), label("b"), label("c", kind="ramp")]
    found = evaluate("r", labels, [alert("a", 2.0), alert("a", 5.0), alert("c", 4.5)], usage("a", "b", "c"), 3)
    kinds = {one.kind: one for one in found.kinds}
    assert (kinds["heavy"].labels, kinds["heavy"].found, kinds["heavy"].recall) == (2, 1, 0.5)
    assert kinds["heavy"].median_hours_to_detect == 2.0
    # a had drawn hours 0 and 1 of ten; b, never found, lost all of it.
    assert kinds["heavy"].leaked == pytest.approx((200 + 1000) / 2000)
    assert kinds["heavy"].leaked_median == pytest.approx((0.2 + 1.0) / 2)
    assert kinds["ramp"].leaked == pytest.approx(0.5)
    assert kinds["all"].recall == pytest.approx(2 / 3)
    assert found.missed == (labels[1],)


def test_an_alert_counts_until_a_day_after_the_label() -> None:
    at_end = (10 * HOUR + DAY_MS) / HOUR
    assert evaluate("r", [label("a")], [alert("a", at_end)], usage("a"), 1).kinds[-1].found == 1
    assert evaluate("r", [label("a")], [alert("a", at_end + 0.001)], usage("a"), 1).kinds[-1].found == 0
    assert evaluate("r", [label("a", start=1)], [alert("a", 0.999)], usage("a"), 1).kinds[-1].found == 0


def test_members_of_a_campaign_are_found_by_its_incident() -> None:
    labels = [label("a", kind="pool"), label("b", kind="pool")]
    detections = [alert(account, 3.0, "campaign", "camp-1") for account in ("a", "b", "x")]
    found = evaluate("r", labels, detections, usage("a", "b"), 10)
    assert found.kinds[0].found == 2
    assert (found.account_incidents, found.campaign_incidents, found.precision) == (0, 1, None)


def test_precision_and_false_alerts() -> None:
    detections = [alert("a", 2.0), alert("honest", 2.0), alert("a", 100.0), alert("busy", 3.0)]
    found = evaluate("r", [label("a"), label("busy", kind="benign")], detections, usage("a", "busy"), 500)
    assert (found.account_incidents, found.true_incidents, found.false_alerts) == (4, 1, 3)
    assert found.precision == 0.25
    assert found.false_alerts_per_1000_account_days == pytest.approx(6.0)
    assert [one.kind for one in found.kinds] == ["heavy", "all"]


def test_false_alerts_are_attributed_to_what_an_honest_account_did() -> None:
    labels = [
        label("a"),
        label("busy", kind="launch_day"),
        label("test", kind="load_test"),
        label("calm", kind="holiday"),
    ]
    detections = [alert("busy", 2.0), alert("busy", 3.0), alert("test", 2.0), alert("test", 90.0), alert("x", 1.0)]
    found = evaluate("r", labels, [*detections, alert("a", 2.0)], usage("a", "busy"), 10)
    assert found.false_alerts == 5
    assert found.false_alerts_by_kind == {"launch_day": 2, "load_test": 1}
    assert [one.kind for one in found.kinds] == ["heavy", "all"]
    assert found.labels_not_seen == 0


def test_labels_without_a_call_in_the_run_are_left_out_and_counted() -> None:
    found = evaluate("r", [label("a"), label("never"), label("a", start=50)], [alert("a", 1.0)], usage("a"), 1)
    assert (found.kinds[-1].labels, found.labels_not_seen) == (1, 2)


def test_no_alerts_at_all() -> None:
    found = evaluate("r", [label("a")], [], usage("a"), 1)
    assert (found.precision, found.kinds[-1].recall, found.kinds[-1].leaked) == (None, 0.0, 1.0)


def test_incidents_match_when_they_overlap_once_each() -> None:
    before = [alert("a", 2.0), alert("a", 30.0), alert("b", 5.0)]
    after = [alert("a", 2.5), alert("a", 2.9), alert("c", 5.0)]
    pairs, gained, lost = match(before, after)
    assert [(one.detected_at, other.detected_at) for one, other in pairs] == [
        (before[0].detected_at, after[0].detected_at)
    ]
    assert [one.entity_id for one in gained] == ["a", "c"]
    assert [(one.entity_id, one.detected_at) for one in lost] == [
        ("b", before[2].detected_at),
        ("a", before[1].detected_at),
    ]


def test_windows_of_time() -> None:
    window = window_of("2024-12-01", "2024-12-02T00:00:00+01:00")
    assert window == Window(START, START + 23 * HOUR)
    assert START in window
    assert START + 23 * HOUR not in window
    assert START - 10**12 in Window()


@pytest.mark.parametrize(("start", "end", "part"), [("x", None, "not a time"), ("2024-12-02", "2024-12-01", "empty")])
def test_wrong_windows(start: str, end: str | None, part: str) -> None:
    with pytest.raises(ReplayError, match=part):
        window_of(start, end)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "names no column"),
        ("account_id,start,end\n", "kind"),
        ("account_id,start,end,kind\na,yesterday,today,heavy\n", r":2: start and end"),
        ("account_id,start,end,kind\na,2024-12-02,2024-12-01,heavy\n", "is after end"),
        ("account_id,start,end,kind\n,2024-12-01,2024-12-02,heavy\n", "must not be empty"),
    ],
)
def test_wrong_label_files(text: str, part: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(ReplayError, match=part):
        labels_of_file(file)


def test_label_files(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(
        "account_id,start,end,kind,campaign_id,source,note\n"
        'a,2024-12-01T00:00:00Z,2024-12-01T10:00:00Z,heavy,,late-2024,"x, y"\n'
    )
    (one,) = labels_of_file(file)
    assert (one.account_id, one.start, one.end, one.note) == ("a", START, START + 10 * HOUR, "x, y")
    with pytest.raises(ReplayError, match="cannot be read"):
        labels_of_file(tmp_path / "absent.csv")
