"""The simulated traffic beside the real traces that it is fitted to."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from replay.scenarios import generate
from replay.scenarios.fitted import traffic

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("STILLWATCH_SHARED_DATA") or ROOT.parent / "shared" / "data")

needs_data = pytest.mark.skipif(
    not (DATA / "llm_traces").is_dir(),
    reason="the public traces are not here; STILLWATCH_SHARED_DATA names their folder",
)


@pytest.fixture(scope="module")
def honest_tokens() -> tuple[np.ndarray, np.ndarray]:
    """Median input and output tokens of each ordinary account that calls often and does not send conversations again."""
    made = generate("late-2024", accounts=400, days=7, seed=12)
    labelled = {label.account_id for label in made.labels}
    busy = [
        one
        for one in made.streams
        if one.identity.account_id not in labelled and one.times.size >= 30 and not one.workload.conversation
    ]
    columns = [one.columns for one in busy]
    array = np.array([(np.median(one.input_tokens), np.median(one.output_tokens[one.status < 400])) for one in columns])
    return array[:, 0], array[:, 1]


def test_accounts_spread_as_the_fitted_clients_do(honest_tokens: tuple[np.ndarray, np.ndarray]) -> None:
    middle = traffic().grid.index(0.5)
    for simulated, field in zip(honest_tokens, ("input", "output"), strict=True):
        real = np.log([max(getattr(client, field)[middle], 1) for client in traffic().clients])
        ours = np.log(simulated)
        # Some follow a trace instead of a client, and each is off by a factor of its own.
        assert abs(np.median(ours) - np.median(real)) < np.log(2)
        assert 0.4 < ours.std() / real.std() < 1.6


@needs_data
def test_chat_tokens_have_the_shape_of_the_azure_trace() -> None:
    with gzip.open(DATA / "llm_traces" / "AzureLLMInferenceTrace_conv.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    for field, column in (("input", "ContextTokens"), ("output", "GeneratedTokens")):
        real = np.quantile([float(row[column]) for row in rows], [0.1, 0.5, 0.9])
        grid = traffic().grid
        fitted = [traffic().azure_conv[field][grid.index(q)] for q in (0.1, 0.5, 0.9)]
        assert fitted == pytest.approx(real, rel=0.02, abs=2)


@needs_data
def test_burstiness_is_that_of_real_clients() -> None:
    made = generate("late-2024", accounts=300, days=10, seed=4)
    gaps = [np.diff(one.times) for one in made.streams if one.times.size > 200]
    ours = np.array([gap.std() / gap.mean() for gap in gaps])
    real = np.array([client.cv for client in traffic().clients])
    # Rhythms of the day come on top of the clients' own burstiness, so ours may be larger, not smaller.
    assert np.median(ours) >= 0.8 * np.median(real)
    assert np.quantile(ours, 0.9) < 40


@needs_data
def test_fitting_again_gives_the_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(ROOT / "bench" / "fit_traffic.py")
    fitted = module.fit_azure(DATA / "llm_traces" / "AzureLLMInferenceTrace_code.csv.gz")
    assert [tuple(values) for values in fitted.values()] == list(traffic().azure_code.values())


def load(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
