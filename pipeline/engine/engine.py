"""The engine of one partition: events in order into scores, windows and incidents.

It reads no clock, no network and no random source: the same events in the same order give the same verdicts,
whatever the batches. Information flows one way: events to windows, windows to incidents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.base import Detector
from pipeline.detectors.build import build_detectors
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.engine.identity import AccountSlots, RecentIdentities
from pipeline.engine.memory import Memory, Remembering
from pipeline.engine.scoring import Scorer
from pipeline.engine.verdicts import AccountWindows, CallScores, Verdicts
from pipeline.event.columns import EventBatch
from pipeline.features.extract import ClosedWindows, EventFeatures, extract
from pipeline.features.layout import DISTINCT_NAMES, EVENT_FEATURE_NAMES, SUM_NAMES, WINDOW_S
from pipeline.features.links import LinkAccumulator
from pipeline.features.signals import Signals
from pipeline.features.state import load, make_room, new_state, save
from pipeline.features.window import window_features
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.tracker import IncidentTracker, ScoredWindows
from pipeline.settings import DetectorSettings, EngineSettings
from pipeline.state import EngineState

Int64 = NDArray[np.int64]


class Engine:
    """Scores the events of one partition of `api-calls`."""

    def __init__(self, settings: EngineSettings, partition: int) -> None:
        """Raises `pipeline.detectors.build.DetectorError` when the settings' detectors cannot be built."""
        self.settings = settings
        self.partition = partition
        self._slots = AccountSlots()
        self._identities = RecentIdentities(settings.deduplication_events, settings.deduplication_s * 1000)
        self._features = new_state(settings.allowed_lateness_s)
        self._links = LinkAccumulator(settings.allowed_lateness_s)
        built = list(zip(settings.detectors, build_detectors(settings.detectors), strict=True))

        def scorer(on: str, window_s: int, columns: Sequence[str]) -> Scorer:
            chosen = [(one, detector) for one, detector in built if one.on == on and one.window_s == window_s]
            names = [one.features for one, _ in chosen]
            return Scorer([detector for _, detector in chosen], names, columns, settings.calibration_scores)

        self._window_columns = _features_on_windows(settings.detectors)
        self._event_scorer = scorer("event", 0, EVENT_FEATURE_NAMES)
        self._window_scorers = [scorer("window", window_s, self._window_columns) for window_s in WINDOW_S]
        self._incidents = IncidentTracker(settings.incident)
        self._memory = Memory(partition, self._slots, self._parts())

    @property
    def watermark(self) -> int:
        """Event time in epoch milliseconds up to which windows are closed; -1 before the first event."""
        minute = int(self._features.clock[1])
        return minute * 60_000 if minute >= 0 else -1

    @property
    def accounts(self) -> int:
        """Accounts seen."""
        return len(self._slots)

    def process(self, batch: EventBatch) -> Verdicts:
        """Take the next events of the partition in; the verdicts on them and on what they let close."""
        duplicates = self._identities.duplicates(batch.identity, batch.ts)
        slots = self._slots.of(batch.account_id)
        make_room(self._features, len(self._slots))
        features, windows = extract(batch, slots, duplicates, self._features, self.settings.allowed_lateness_s)
        call_scores = self._score_events(batch, slots, duplicates, features)
        account_windows, incidents = self._score_windows(batch, windows)
        signals = self._signals(batch, slots, duplicates)
        of_incidents = self._slots.of([one.entity_id for one in incidents])
        self._memory.note(np.concatenate([slots, windows.slot, of_incidents, signals.hours.slot]))
        return Verdicts(self.partition, duplicates, call_scores, account_windows, incidents, signals)

    def save(self, *, whole: bool) -> EngineState:
        """All that the engine remembers, or what has changed since it was last saved; the first is always whole."""
        return self._memory.save(whole=whole)

    def load(self, states: Iterable[EngineState]) -> list[str]:
        """Go on where a saved engine was: a whole state and the changes after it, in order. For a new engine only.

        Returns the parts that begin anew because their settings are others now. Raises `pipeline.state.StateError` when the
        states cannot be used at all.
        """
        return self._memory.load(states)

    def _parts(self) -> dict[str, Remembering]:
        features, identities, settings = self._features, self._identities, self.settings
        of_identities = f"{settings.deduplication_events} events, {settings.deduplication_s} s"
        parts = {
            "features": Remembering(
                f"allowed_lateness_s {settings.allowed_lateness_s}",
                lambda slots, _: save(features, slots),
                lambda slots, saved: load(features, slots, saved),
                needed=True,
            ),
            "links": Remembering(
                f"allowed_lateness_s {settings.allowed_lateness_s}",
                lambda slots, _: self._links.save(slots),
                self._links.load,
            ),
            "identities": Remembering(
                of_identities,
                lambda _, whole: identities.save(whole=whole),
                lambda _, saved: identities.load(saved),
            ),
            "incidents": Remembering(
                f"windows_s {settings.incident.windows_s}",
                lambda slots, _: self._incidents.save(slots),
                self._incidents.load,
            ),
        }
        settings_of = {one.name: msgspec.json.encode(one).decode() for one in settings.detectors}
        for scorer in (self._event_scorer, *self._window_scorers):
            names = [member.detector.name for member in scorer.members]
            for member in scorer.members:
                name = member.detector.name
                parts[f"detector {name}"] = _models(member.detector, settings_of[name])
                parts[f"calibration of {name}"] = _calibration(member.calibrator, settings_of[name])
            if len(names) > 1:
                together = "\n".join(settings_of[name] for name in names)
                parts[f"calibration of {' and '.join(names)}"] = _calibration(scorer.combined, together)
        return parts

    def _signals(self, batch: EventBatch, slots: Int64, duplicates: NDArray[np.bool_]) -> Signals:
        hours, links, closed = self._links.follow(batch, slots, duplicates, len(self._slots))
        account_of = self._slots.account_of
        return Signals(self.partition, [account_of[slot] for slot in hours.slot.tolist()], hours, links, closed)

    def _score_events(
        self, batch: EventBatch, slots: Int64, duplicates: NDArray[np.bool_], features: EventFeatures
    ) -> CallScores:
        kept = np.flatnonzero(~duplicates)
        scores, reasons = self._event_scorer.score_and_learn(
            slots[kept], features.values[kept], np.zeros(kept.size, np.int64), self.settings.reasons_from
        )
        account_id, event_id = batch.account_id, batch.event_id
        return CallScores(
            account_id=[account_id[i] for i in kept],
            ts=batch.ts[kept],
            event_id=[event_id[i] for i in kept],
            score=scores,
            late=features.late[kept],
            reasons=reasons,
        )

    def _score_windows(self, batch: EventBatch, windows: ClosedWindows) -> tuple[AccountWindows, list[Incident]]:
        account_of = self._slots.account_of
        window_s = np.asarray(WINDOW_S, np.int64)[windows.level]
        start = windows.number * window_s * 1000
        scores = np.zeros(len(windows))
        reasons: list[Sequence[Reason]] = [()] * len(windows)
        rows = window_features(windows, self._window_columns)
        for level, scorer in enumerate(self._window_scorers):
            chosen = np.flatnonzero(windows.level == level)
            scores[chosen], why = scorer.score_and_learn(
                windows.slot[chosen], rows[chosen], windows.empty_before[chosen], self.settings.reasons_from
            )
            for row, one in zip(chosen.tolist(), why, strict=True):
                reasons[row] = one
        sums = {name: windows.sums[:, column].astype(np.int64) for column, name in enumerate(SUM_NAMES)}
        distinct = {name: windows.distinct[:, column].astype(np.int64) for column, name in enumerate(DISTINCT_NAMES)}
        account_windows = AccountWindows(
            account_id=[account_of[slot] for slot in windows.slot.tolist()],
            window_s=window_s,
            window_start=start,
            score=scores,
            reasons=reasons,
            **sums,
            **distinct,
        )
        followed = ScoredWindows(
            slot=windows.slot,
            account_id=account_windows.account_id,
            window_s=window_s,
            start=start,
            score=scores,
            output_tokens=account_windows.output_tokens,
            account_calls=windows.account_calls,
            closed_by=batch.ts[windows.at_event],
            reasons=reasons,
        )
        return account_windows, self._incidents.follow(followed)


def _models(detector: Detector, settings: str) -> Remembering:
    return Remembering(settings, lambda slots, _: detector.save(slots), detector.load)


def _calibration(calibrator: ConformalCalibrator, settings: str) -> Remembering:
    return Remembering(settings, lambda _, whole: calibrator.save(whole=whole), lambda _, saved: calibrator.load(saved))


def _features_on_windows(detectors: Sequence[DetectorSettings]) -> tuple[str, ...]:
    # Only what some detector looks at is computed.
    return tuple(dict.fromkeys(name for one in detectors if one.on == "window" for name in one.features))
