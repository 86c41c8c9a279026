"""What trials share: evidence to decide incidents by where that is enough, or columns of events for engines to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.engine import Verdicts
from pipeline.incidents.tracker import SUPPRESSED
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.decide import decide
from replay.evaluate import read_detections
from replay.evaluation import Detection, Evaluation
from replay.hours import Hours, hours_of, hours_of_verdicts
from replay.tuning.engine_trial import EngineTrial, Streams
from replay.tuning.ground import Ground, Minutes, ground_of_store
from replay.what_if import detection_of
from replay.window import Window


class Material(Protocol):
    """What a trial is made from; goes to other processes by pickle."""

    @property
    def dear(self) -> bool:
        """Whether a trial costs enough to be given up early."""

    def evaluations(self, settings: Settings, grounds: Sequence[Ground]) -> Iterator[Evaluation]:
        """How settings do in one window after the other; the windows end in this order."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of one run of the engine, for settings that only decide."""

    hours: list[Hours]
    campaigns: list[Detection]
    """What was detected of campaigns, which these settings do not change."""

    @property
    def dear(self) -> bool:
        """No: all windows are there at once."""
        return False

    def evaluations(self, settings: Settings, grounds: Sequence[Ground]) -> Iterator[Evaluation]:
        """See `Material`."""
        decided = decide(self.hours, settings.engine.incident)
        found = [detection_of(one) for one in decided if one.status != SUPPRESSED]
        for ground in grounds:
            yield ground.judge("trial", [*found, *self.campaigns])


@dataclass(frozen=True, slots=True)
class Columns:
    """The events themselves, for settings that change what the engine sees."""

    streams: Streams

    @property
    def dear(self) -> bool:
        """Yes: engines run over each window in turn."""
        return True

    def evaluations(self, settings: Settings, grounds: Sequence[Ground]) -> Iterator[Evaluation]:
        """See `Material`. Events that lie more than some hours after the last window are not looked at."""
        trial = EngineTrial(settings, self.streams)
        for ground in grounds:
            trial.go(ground.window.to_ms)
            yield ground.judge("trial", trial.detections())


def material_of_run(
    store: Store, run_id: str, labels: Sequence[Label], windows: Sequence[Window], named_from: float
) -> tuple[Material, list[Ground]]:
    """From the stored evidence of a run. Raises `ReplayError` where it has none."""
    hours = list(hours_of(store, run_id, named_from=named_from))
    campaigns = [one for one in read_detections(store, run_id) if one.entity_type != "account"]
    return Evidence(hours, campaigns), [ground_of_store(store, run_id, labels, window) for window in windows]


def material_of_events(
    streams: Streams, settings: Settings, labels: Sequence[Label], windows: Sequence[Window], *, decides: bool
) -> tuple[Material, list[Ground]]:
    """From events, by one run of the engine over all of them; it is all there is to run where the space only `decides`."""
    minutes, hours = Minutes(labels), list[Hours]()

    def hear(verdicts: Verdicts) -> None:
        minutes.add(verdicts.account_windows)
        if decides and (found := hours_of_verdicts(verdicts.account_windows)) is not None:
            hours.append(found)

    base = EngineTrial(settings, streams, hear)
    base.go(None)
    grounds = [minutes.ground(labels, window) for window in windows]
    if not decides:
        return Columns(streams), grounds
    return Evidence(hours, [one for one in base.detections() if one.entity_type != "account"]), grounds
