"""The benchmark's driver on a tiny stream."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.console import Console

from bench.detection.simulated import run
from bench.detection.stream import Plan, Stream, added_up, measure
from bench.detection.targets import ALONE, POOL_RATE
from pipeline.store.client import Store, connect
from pipeline.store.migrate import migrate
from replay.evaluate import load_and_evaluate
from replay.scenarios import Mix, generate

PLAN = Plan("mixed", 60, 3, Mix(prevalence=0.2, pool_rate=POOL_RATE, label_benign=True))
SEEDS = (11, 12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with connect(f"chdb:{tmp_path_factory.mktemp('store') / 'store'}") as opened:
        migrate(opened)
        yield opened


@pytest.fixture(scope="module")
def streams(store: Store) -> list[Stream]:
    return [measure(PLAN, seed, store) for seed in SEEDS]


def test_a_stream_is_what_the_replay_says_of_it(store: Store, streams: list[Stream]) -> None:
    for seed, stream in zip(SEEDS, streams, strict=True):
        simulation = generate("mixed", accounts=60, days=3, seed=seed, mix=PLAN.mix)
        assert stream.events == simulation.events
        told, found = load_and_evaluate(store, f"seed-{seed}", simulation.labels), stream.evaluate()
        # Intervals, curve and calibration are for people who read one run; the benchmark has its own.
        for name in ("account_incidents", "false_alerts", "account_days", "precision", "labels_not_seen"):
            assert getattr(found, name) == getattr(told, name), name
        assert [(one.kind, one.found, one.leaked_median, one.leaked) for one in found.kinds] == [
            (one.kind, one.found, one.leaked_median, one.leaked) for one in told.kinds
        ]
        quick = stream.counts_alone().evaluate()
        assert [(one.kind, one.found, one.labels) for one in quick.kinds] == [
            (one.kind, one.found, one.labels) for one in told.kinds
        ]
        assert quick.labels_not_seen == told.labels_not_seen
        assert (np.diff(stream.hours.end_ms) >= 0).all()
        assert 0 < stream.tails[0].scores < stream.events
        assert stream.account_scores.keys() == set(stream.hours.account_id)


def test_seeds_add_up(streams: list[Stream]) -> None:
    whole = added_up(streams)
    apart = [one.evaluate() for one in streams]
    together = whole.evaluate()
    assert together.account_days == sum(one.account_days for one in apart)
    assert together.false_alerts == sum(one.false_alerts for one in apart)
    assert together.kinds[-1].labels == sum(one.kinds[-1].labels for one in apart)
    assert together.kinds[-1].found == sum(one.kinds[-1].found for one in apart)
    assert whole.tails[0].scores == sum(one.tails[0].scores for one in streams)


def test_the_program_tells_every_figure(store: Store) -> None:
    text = io.StringIO()
    results: dict[str, Any] = msgspec.to_builtins(run(PLAN, SEEDS[:1], store, Console(file=text, width=180)))
    names = [one["name"] for one in results["figures"]]
    for name in (
        "recall, accounts that extract alone",
        *(f"recall, {kind}" for kind in ALONE),
        "recall, pools of 13 to 50 calls a day",
        "precision, account incidents",
        "false alerts per 1,000 account-days",
        "leaked, heavy (median)",
        "leaked, pools (median)",
        "leaked, ramp (median)",
        *(f"{what} scored above {above}" for what in ("calls", "minutes", "hours") for above in ("0.99", "0.999")),
    ):
        assert name in names
        assert name in text.getvalue()
    stillwatch, *others = results["comparison"]
    assert (stillwatch["name"], stillwatch["threshold"]) == ("Stillwatch", None)
    assert {"static limit", "robust z-score", "River HalfSpaceTrees", "River LODA"} <= {one["name"] for one in others}
    for one in results["comparison"]:
        assert one["false_alerts"] <= stillwatch["false_alerts"]
        assert {"alone", "pools", "all"} <= one["recall"].keys()
        assert 0 <= one["ranking"]["roc_auc"] <= 1
        assert one["name"] in text.getvalue()
