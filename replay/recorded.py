"""The settings that a run was made with, as its row in `replay_runs` says."""

from __future__ import annotations

import msgspec

from pipeline.settings import EngineSettings, Settings
from pipeline.store.client import Store
from pipeline.store.records import LIVE, read_runs
from replay.errors import ReplayError
from replay.feedback import with_feedback


def engine_settings_of(store: Store, run_id: str, present: Settings) -> EngineSettings:
    """The engine's settings of a run; of the stream `present` ones, with what the store suppresses.

    Raises `ReplayError` for a run that has no row, or one whose settings this version does not know.
    """
    if run_id == LIVE:
        return with_feedback(present, store, suppressions=True, verdicts=True).engine
    row = next((one for one in read_runs(store) if one.run_id == run_id), None)
    if row is None:
        raise ReplayError(f"there is no run {run_id}: see SELECT run_id, status FROM replay_runs FINAL for the runs")
    try:
        return msgspec.json.decode(row.config, type=EngineSettings)
    except msgspec.DecodeError as error:
        raise ReplayError(
            f"the settings of run {run_id}, made by version {row.code_version}, are not understood: {error}"
        ) from None
