"""An engine taken out, put into bytes and put back goes on as if nothing had happened."""

import contextlib
import itertools
import pickle
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.detectors.river_state import dump_model, load_model
from pipeline.engine import Engine, Verdicts
from pipeline.event import ApiCall
from pipeline.event.columns import EventBatch
from pipeline.settings import DetectorSettings, EngineSettings, IncidentSettings, SuppressionSettings
from pipeline.state import EngineState, Part, Saved, StateError, decode_state, encode_state
from pipeline.state.encoding import MAGIC, VERSION
from tests.unit.test_engine import process, rows, traffic

SETTINGS = EngineSettings(deduplication_events=1024, calibration_scores=200, incident=IncidentSettings(open_at=4.0))


def interrupted(
    calls: list[ApiCall], cuts: list[int], whole_every: int, engine_settings: EngineSettings
) -> list[Verdicts]:
    """Verdicts when at every cut the engine is saved, and one that knows only what was saved goes on."""
    batch = EventBatch.from_calls(calls, range(len(calls)), 0)
    edges = [0, *sorted(cuts), len(calls)]
    verdicts, saved = [], list[bytes]()
    engine = Engine(engine_settings, partition=0)
    for number, (begin, end) in enumerate(itertools.pairwise(edges)):
        verdicts.append(engine.process(batch[begin:end]))
        if number % whole_every == 0:
            saved.clear()
        saved.append(encode_state(engine.save(whole=not saved)))
        other = Engine(engine_settings, partition=0)
        assert other.load(map(decode_state, saved)) == []
        if number % whole_every == whole_every - 1:
            engine = other
    return verdicts


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 900), min_size=1, max_size=12), st.integers(1, 5))
def test_an_engine_put_back_gives_the_same_verdicts(seed: int, cuts: list[int], whole_every: int) -> None:
    calls = traffic(seed, 900)
    assert rows(interrupted(calls, cuts, whole_every, SETTINGS)) == process(calls, [], SETTINGS)


@pytest.mark.parametrize("suppressed", [False, True])
def test_generations_windows_and_incidents_survive_many_restarts(suppressed: bool) -> None:
    calls = traffic(11, 6000, accounts=30, days=12)
    everyone = SuppressionSettings(account="*", until=datetime(2100, 1, 1, tzinfo=UTC), above=50.0)
    incident = msgspec.structs.replace(SETTINGS.incident, suppressions=(everyone,) if suppressed else ())
    chosen = msgspec.structs.replace(SETTINGS, incident=incident)
    whole = process(calls, [], chosen)
    assert whole["suppressed" if suppressed else "incidents"]
    assert not whole["incidents" if suppressed else "suppressed"]
    assert any(whole["duplicates"])
    assert rows(interrupted(calls, list(range(100, 6000, 100)), 7, chosen)) == whole


@pytest.mark.parametrize(
    ("model", "on", "features", "scope", "scaler"),
    [
        ("river.anomaly.LODA", "event", ("log_gap_s", "log_output_tokens"), "account", ""),
        ("river.anomaly.LocalOutlierFactor", "window", ("log_calls", "log_output_tokens"), "account", ""),
        ("river.anomaly.OneClassSVM", "event", ("log_gap_s",), "partition", "river.preprocessing.StandardScaler"),
        ("river.anomaly.HalfSpaceTrees", "event", ("log_gap_s",), "account", "river.preprocessing.MinMaxScaler"),
        ("river.anomaly.StandardAbsoluteDeviation", "event", ("log_gap_s",), "account", ""),
        ("river.anomaly.GaussianScorer", "event", ("log_gap_s",), "partition", ""),
        ("river.anomaly.PredictiveAnomalyDetection", "event", ("log_gap_s", "log_output_tokens"), "account", ""),
    ],
)
def test_every_kind_of_model_survives(model: str, on: str, features: tuple[str, ...], scope: str, scaler: str) -> None:
    one = DetectorSettings(
        name="one",
        model=model,
        on=on,
        window_s=3600 if on == "window" else 0,
        features=features,
        scope=scope,
        scaler=scaler,
    )
    named = EngineSettings(detectors=(one,))
    calls = traffic(5, 400)
    assert rows(interrupted(calls, [50, 120, 121, 300], 3, named)) == process(calls, [], named)


def saved_engine(engine_settings: EngineSettings = SETTINGS) -> EngineState:
    engine = Engine(engine_settings, partition=0)
    engine.process(EventBatch.from_calls(traffic(3, 500), range(500), 0))
    return engine.save(whole=True)


def test_a_detector_of_other_settings_begins_anew_and_the_rest_goes_on() -> None:
    state = saved_engine()
    first, *rest = SETTINGS.detectors
    other = msgspec.structs.replace(
        SETTINGS, detectors=(msgspec.structs.replace(first, parameters={"grace_period": 5}), *rest)
    )
    engine = Engine(other, partition=0)
    names = [one.name for one in SETTINGS.detectors if one.on == "event"]
    assert engine.load([state]) == sorted(
        [
            f"detector {first.name}",
            f"calibration of {first.name}",
            f"calibration of {' and '.join(names)}",
            f"levels of {' and '.join(names)}",
        ]
    )
    assert engine.accounts == len(state.accounts)


def test_more_or_fewer_calibration_scores_are_taken_over() -> None:
    for size in (100, 150, 5000):
        engine = Engine(msgspec.structs.replace(SETTINGS, calibration_scores=size), partition=0)
        assert engine.load([saved_engine()]) == []


def test_another_lateness_another_partition_or_a_gap_is_refused() -> None:
    state = saved_engine()
    with pytest.raises(StateError, match="allowed_lateness_s 120, now allowed_lateness_s 300"):
        Engine(msgspec.structs.replace(SETTINGS, allowed_lateness_s=300), partition=0).load([state])
    with pytest.raises(StateError, match="partition 0"):
        Engine(SETTINGS, partition=1).load([state])
    engine = Engine(SETTINGS, partition=0)
    engine.process(EventBatch.from_calls(traffic(3, 100), range(100), 0))
    engine.save(whole=True)
    engine.process(EventBatch.from_calls(traffic(3, 500)[100:], range(100, 500), 0))
    with pytest.raises(StateError, match="a state is missing"):
        Engine(SETTINGS, partition=0).load([engine.save(whole=False)])


def test_changes_hold_only_the_accounts_that_changed() -> None:
    calls = [ApiCall(event_id=str(n), ts=1_733_011_200_000 + n, account_id=f"account-{n}") for n in range(2000)]
    engine = Engine(SETTINGS, partition=0)
    engine.process(EventBatch.from_calls(calls, range(2000), 0))
    whole = engine.save(whole=True)
    again = msgspec.structs.replace(calls[7], event_id="again", ts=calls[-1].ts)
    newcomer = msgspec.structs.replace(calls[7], event_id="new", ts=calls[-1].ts, account_id="newcomer")
    engine.process(EventBatch.from_calls([again, newcomer], [2000, 2001], 0))
    changes = engine.save(whole=False)
    assert (whole.whole, len(whole.accounts)) == (True, 2000)
    assert (changes.whole, changes.accounts, changes.slots.tolist()) == (False, ["newcomer"], [7, 2000])
    assert len(encode_state(changes)) < len(encode_state(whole)) / 3


def test_damaged_foreign_and_newer_states_are_refused() -> None:
    data = encode_state(saved_engine())
    for damaged in (b"", b"PK\3\4", data[:-1], data[:4] + bytes([VERSION + 1]) + data[5:], MAGIC + bytes([VERSION])):
        with pytest.raises(StateError):
            decode_state(damaged)
    with pytest.raises(StateError, match=f"version {VERSION + 1}; this program reads version {VERSION}"):
        decode_state(data[:4] + bytes([VERSION + 1]) + data[5:])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_gives_anything_but_a_state_error(data: st.DataObject) -> None:
    body = bytearray(encode_state(EngineState(0, 0, ["a"], np.array([0]), {})))
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(StateError):
        decode_state(bytes(body))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(max_size=5), max_size=4),
    st.lists(st.binary(max_size=9), max_size=4),
    st.lists(st.floats(allow_nan=False), max_size=6),
)
def test_any_state_comes_back_from_its_bytes(accounts: list[str], blobs: list[bytes], numbers: list[float]) -> None:
    objects = np.empty(len(blobs), object)
    objects[:] = blobs
    records = np.zeros(len(numbers), [("a", "<f8"), ("b", [("c", "u1", (2, 3))], (2,))])
    records["a"] = numbers
    parts = {
        "objects": Part("x", Saved(objects)),
        "records": Part("y", Saved(records, {"one": np.array(numbers), "two": np.zeros((0, 3), np.int32)})),
    }
    state = EngineState(3, 5, accounts, np.arange(len(accounts)), parts)
    back = decode_state(encode_state(state))
    assert (back.partition, back.first_new, back.accounts) == (3, 5, accounts)
    assert back.slots.tolist() == state.slots.tolist()
    for name, part in parts.items():
        found = back.parts[name]
        assert found.settings == part.settings
        assert found.saved.rows is not None
        assert part.saved.rows is not None
        assert found.saved.rows.dtype == part.saved.rows.dtype
        assert repr(found.saved.rows.tolist()) == repr(part.saved.rows.tolist())
        assert {key: value.tolist() for key, value in found.saved.shared.items()} == {
            key: value.tolist() for key, value in part.saved.shared.items()
        }


def test_a_models_bytes_run_nothing_that_is_not_rivers() -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return eval, ("1 + 1",)

    for data in (
        pickle.dumps(Evil()),
        b"cos\nsystem\n(S'true'\ntR.",
        b"criver.datasets\nBananas\n)R.",
        b"",
        b"garbage",
    ):
        with pytest.raises(StateError):
            load_model(data)
    with pytest.raises(StateError, match="cannot be saved"):
        dump_model(lambda: None)
