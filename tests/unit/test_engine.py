import itertools

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine import Engine, Verdicts
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.settings import DetectorSettings, EngineSettings

START = 1_733_011_200_000
SETTINGS = EngineSettings()


def traffic(seed: int, count: int, accounts: int = 6, days: float = 4.0) -> list[ApiCall]:
    """Calls with jittered order, duplicates, late ones and, in the last third, one account that draws much."""
    random = np.random.default_rng(seed)
    times = np.sort(random.integers(0, int(days * 86_400_000), count)) + random.integers(-200_000, 1, count)
    calls = []
    for index, offset in enumerate(times.tolist()):
        heavy = index > 2 * count // 3 and index % 2 == 0
        account = 0 if heavy else int(random.integers(accounts))
        if index % 17 == 16:
            calls.append(msgspec.structs.replace(calls[-int(random.integers(1, 12))]))
            continue
        calls.append(
            ApiCall(
                event_id=f"e{index}",
                ts=START + max(offset, 0),
                account_id=f"account-{account}",
                input_tokens=int(random.lognormal(5, 1)),
                output_tokens=int(random.lognormal(8 if heavy else 4, 0.5)),
                model=f"m{random.integers(3)}",
                client_ip=f"10.0.{random.integers(3)}.{random.integers(8)}",
                payment_id=f"card-{account // 2}",
                api_key_id=f"key-{account}-{random.integers(2)}",
                asn=64_500 + account % 2,
                user_agent=f"agent-{random.integers(2)}",
                system_prompt_hash=f"{random.integers(9):016x}",
                signup_ts=START - account * 86_400_000,
                prompt_hash=f"{random.integers(1 << 32):08x}",
                prompt_simhash=f"{random.integers(1 << 60):016x}",
                status=200,
            )
        )
    return calls


def rows(verdicts: list[Verdicts]) -> dict[str, list[object]]:
    """All verdicts as one list of rows per table."""
    tables: dict[str, list[object]] = {"duplicates": [], "call_scores": [], "account_windows": [], "incidents": []}
    tables |= {"suppressed": [], "account_hours": [], "links": [], "closed_hours": []}
    for one in verdicts:
        tables["duplicates"] += one.duplicates.tolist()
        for name in ("call_scores", "account_windows"):
            struct = getattr(one, name)
            columns = [getattr(struct, field) for field in struct.__dataclass_fields__ if field != "hours"]
            tables[name] += zip(*(list(column) for column in columns), strict=True)
        told = one.signals
        hours = [getattr(told.hours, field) for field in told.hours.__dataclass_fields__ if field != "slot"]
        tables["account_hours"] += zip(told.account_id, *(column.tolist() for column in hours), strict=True)
        of = told.links.of
        places = [(told.account_id[at], int(told.hours.hour[at])) for at in of.tolist()]
        tables["links"] += zip(places, told.links.kind.tolist(), told.links.value.tolist(), strict=True)
        tables["closed_hours"] += zip(told.closed.until.tolist(), told.closed.active.tolist(), strict=True)
        for name in ("incidents", "suppressed"):
            tables[name] += [msgspec.json.encode(incident) for incident in getattr(one, name)]
    return tables


def process(
    calls: list[ApiCall], cuts: list[int], engine_settings: EngineSettings = SETTINGS
) -> dict[str, list[object]]:
    engine = Engine(engine_settings, partition=0)
    batch = EventBatch.from_calls(calls, range(len(calls)), 0)
    edges = [0, *sorted(cuts), len(calls)]
    return rows([engine.process(batch[begin:end]) for begin, end in itertools.pairwise(edges)])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 400), max_size=12))
def test_any_split_into_batches_gives_the_same_verdicts(seed: int, cuts: list[int]) -> None:
    calls = traffic(seed, 400)
    whole = process(calls, [])
    assert len(whole["account_windows"]) > 100
    assert process(calls, cuts) == whole


def test_one_event_at_a_time_gives_the_same_verdicts_and_incidents() -> None:
    calls = traffic(11, 6000, accounts=30, days=12)
    whole = process(calls, [])
    assert whole["incidents"]
    assert any(whole["duplicates"])
    assert any(row[4] for row in whole["call_scores"])  # type: ignore[index]
    assert process(calls, list(range(1, len(calls)))) == whole


def test_river_detectors_of_the_settings_are_used_and_split_alike() -> None:
    named = EngineSettings(
        detectors=(
            DetectorSettings(
                name="trees",
                model="river.anomaly.HalfSpaceTrees",
                on="event",
                features=("log_output_tokens", "log_gap_s"),
                parameters={"n_trees": 5, "height": 5, "window_size": 20},
            ),
            DetectorSettings(
                name="loda",
                model="river.anomaly.LODA",
                window_s=3600,
                features=("log_calls", "log_output_tokens"),
                parameters={"n_random_cuts": 10},
            ),
        )
    )
    calls = traffic(2, 600)
    whole = process(calls, [], named)
    assert process(calls, [1, 7, 300, 301], named) == whole
    assert process(calls, []) != whole


def test_an_event_counts_once() -> None:
    calls = traffic(1, 300)
    once = [call for index, call in enumerate(calls) if call not in calls[:index]]
    doubled = [copy for call in calls for copy in (call, call)]
    result = process(doubled, [])
    assert sum(result["duplicates"]) == len(doubled) - len(once)  # type: ignore[arg-type]
    alone = process(once, [])
    assert [row[2] for row in result["call_scores"]] == [row[2] for row in alone["call_scores"]]  # type: ignore[index]
    assert result["account_windows"] == alone["account_windows"]


def test_one_event_id_of_two_accounts_counts_for_both() -> None:
    calls = [ApiCall(event_id="same", ts=START, account_id=account) for account in ("a", "b", "a")]
    assert process(calls, [])["duplicates"] == [False, False, True]


def test_remembered_identities_are_bounded_and_still_found_across_generations() -> None:
    few = EngineSettings(deduplication_events=1024)
    calls = [ApiCall(event_id=str(i), ts=START + i, account_id="a") for i in range(5000)]
    again = [ApiCall(event_id=str(i), ts=START + 5000, account_id="a") for i in (4999, 4000, 3990)]
    assert process([*calls, *again], [10, 3000], few)["duplicates"][-3:] == [True, True, True]


def test_scores_and_reasons_have_their_ranges() -> None:
    result = process(traffic(3, 3000), [])
    for row in result["call_scores"]:
        assert 0 <= row[3] < 1  # type: ignore[index]
    with_reasons = [row for row in result["account_windows"] if row[-1]]  # type: ignore[index]
    assert with_reasons
    for row in with_reasons:
        score, reasons = row[-2], row[-1]  # type: ignore[index]
        assert score >= SETTINGS.reasons_from
        assert sum(reason.share for reason in reasons) <= 1 + 1e-9
        assert all(reason.observed >= 0 and reason.share > 0 for reason in reasons)


def test_an_empty_batch_changes_nothing() -> None:
    engine = Engine(SETTINGS, 0)
    verdicts = engine.process(EventBatch.from_calls([], [], 0))
    assert (len(verdicts.duplicates), len(verdicts.incidents), engine.watermark) == (0, 0, -1)


def test_the_watermark_follows_event_time() -> None:
    engine = Engine(SETTINGS, 0)
    engine.process(EventBatch.from_calls([ApiCall(event_id="1", ts=START + 600_000, account_id="a")], [0], 0))
    assert engine.watermark == START + 480_000
    assert engine.accounts == 1
