"""The engine of one partition: events in order into scores, windows and incidents.

It reads no clock, no network and no random source: the same events in the same order give the same verdicts,
whatever the batches. Information flows one way: events to windows, windows to incidents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from pipeline.detectors.adaptive import AdaptiveLevels
from pipeline.detectors.base import Detector
from pipeline.detectors.build import EXTRACTION, build_detectors
from pipeline.detectors.conformal import ConformalCalibrator
from pipeline.engine.identity import AccountSlots, RecentIdentities
from pipeline.engine.memory import Idle, Memory, Remembering
from pipeline.engine.scoring import Scored, Scorer
from pipeline.engine.verdicts import AccountWindows, CallScores, HourEvidence, Verdicts
from pipeline.event.columns import EventBatch
from pipeline.features.behaviour import BEHAVIOUR_NAMES
from pipeline.features.extract import ClosedWindows, EventFeatures, close, extract
from pipeline.features.layout import DISTINCT_NAMES, EVENT_FEATURE_NAMES, HOUR_LEVEL, SUM_NAMES, WINDOW_S
from pipeline.features.links import AccountHours, ClosedHours, LinkAccumulator, Links
from pipeline.features.signals import Signals
from pipeline.features.state import load, make_room, new_state, quiet, restore, save
from pipeline.features.window import window_features
from pipeline.incidents.incident import Incident, Reason
from pipeline.incidents.suppression import Suppression
from pipeline.incidents.tracker import SUPPRESSED, IncidentTracker, JudgedHours
from pipeline.settings import DetectorSettings, EngineSettings
from pipeline.state import EngineState
from pipeline.state.saved import Array

Int64 = NDArray[np.int64]

#: Of a detector that gives no log-odds, a score counts as evidence by its rarity in nats beyond this: one hour in 55.
_ORDINARY_NATS = 4.0
_DAY_MS = 86_400_000


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
            names = [BEHAVIOUR_NAMES if one.model == EXTRACTION else one.features for one, _ in chosen]
            return Scorer([detector for _, detector in chosen], names, columns, settings.calibration_scores)

        self._window_columns = _features_on_windows(settings.detectors)
        self._event_scorer = scorer("event", 0, EVENT_FEATURE_NAMES)
        self._window_scorers = [
            scorer("window", window_s, self._window_columns + (BEHAVIOUR_NAMES if level == HOUR_LEVEL else ()))
            for level, window_s in enumerate(WINDOW_S)
        ]
        self._gives_odds = any(
            one.name == settings.incident.detector and one.model == EXTRACTION for one in settings.detectors
        )
        self._incidents = IncidentTracker(settings.incident)
        self._memory = Memory(partition, self._slots, self._parts())
        # Whether `idle` left some for the next time, and the day it last looked in.
        self._more_idle, self._idle_day = False, -1

    @property
    def watermark(self) -> int:
        """Event time in epoch milliseconds up to which windows are closed; -1 before the first event."""
        minute = int(self._features.clock[1])
        return minute * 60_000 if minute >= 0 else -1

    @property
    def time(self) -> int:
        """Event time in epoch milliseconds it has come to, by its newest event or as it was told; -1 before the first."""
        if self.watermark < 0:
            return -1
        return max(int(self._features.clock[0]), self.watermark + self.settings.allowed_lateness_s * 1000)

    @property
    def accounts(self) -> int:
        """Accounts seen."""
        return self._slots.resident + self._slots.evicted

    @property
    def resident(self) -> int:
        """Accounts in memory."""
        return self._slots.resident

    def process(self, batch: EventBatch) -> Verdicts:
        """Take the next events of the partition in; the verdicts on them and on what they let close."""
        duplicates = self._identities.duplicates(batch.identity, batch.ts)
        slots = self._slots.of(batch.account_id)
        make_room(self._features, len(self._slots))
        features, windows = extract(batch, slots, duplicates, self._features, self.settings.allowed_lateness_s)
        call_scores = self._score_events(batch, slots, duplicates, features)
        account_windows, incidents = self._score_windows(windows, batch.ts[windows.at_event])
        signals = self._signals(self._links.follow(batch, slots, duplicates, len(self._slots)))
        of_incidents = self._slots.of([one.entity_id for one in incidents])
        self._memory.note(np.concatenate([slots, windows.slot, of_incidents, signals.hours.slot]))
        return Verdicts(self.partition, duplicates, call_scores, account_windows, *_apart(incidents), signals)

    def advance(self, to_ms: int) -> Verdicts:
        """Event time has come to `to_ms` in epoch milliseconds though no event says so: what closes by that, and no scores.

        Windows come out as they would have by the next event. What arrives later with a time in them is late. Moves
        nothing back, and does nothing before the first event.
        """
        lateness_ms = self.settings.allowed_lateness_s * 1000
        windows = close(self._features, to_ms - lateness_ms)
        # As soon as an event could have closed them, whenever this is called: the same windows, the same incidents.
        account_windows, incidents = self._score_windows(windows, windows.end_ms + lateness_ms)
        if self.watermark >= 0:
            incidents += self._incidents.expire(to_ms)
        of_incidents = self._slots.of([one.entity_id for one in incidents])
        signals = self._signals(self._links.advance(to_ms, len(self._slots)))
        self._memory.note(np.concatenate([windows.slot, of_incidents, signals.hours.slot]))
        none = np.zeros(0, np.bool_)
        return Verdicts(self.partition, none, CallScores.none(), account_windows, *_apart(incidents), signals)

    def suppress(self, listed: Sequence[Suppression], shift: float = 0.0) -> None:
        """Judge hours that close from now on by `listed` and a threshold of incidents moved by `shift` nats.

        Beside those of the settings, and in place of what was handed over before. No part of the state: whoever restores an
        engine hands them over again.
        """
        self._incidents.suppress(listed, shift)

    def save(self, *, whole: bool) -> EngineState:
        """All that the engine remembers, or what has changed since it was last saved; the first is always whole."""
        return self._memory.save(whole=whole)

    def load(self, states: Iterable[EngineState]) -> list[str]:
        """Go on where a saved engine was: a whole state and the changes after it, in order. For a new engine only.

        Returns the parts that begin anew because their settings are others now. Raises `pipeline.state.StateError` when the
        states cannot be used at all.
        """
        return self._memory.load(states)

    @property
    def crowded(self) -> bool:
        """Whether more than `engine.resident_accounts` are in memory, and `idle` would find more than when it last looked."""
        found_more = self._more_idle or self.watermark // _DAY_MS > self._idle_day
        return found_more and self._slots.resident > self.settings.resident_accounts

    def idle(self, most: int) -> Idle:
        """At most `most` accounts that may leave memory, the longest idle first, and what is remembered of them.

        They are idle for `engine.idle_account_s`, or more than `engine.resident_accounts` are in memory; they are as they
        were last saved, and nothing of them is open: no window, no hour, no incident, so nothing will be told of them before
        they come again. They stay until `evict`.
        """
        slots = np.flatnonzero(self._slots.owned(np.arange(len(self._slots))))
        last = self._features.accounts["last_ts"][slots]
        order = np.argsort(last, kind="stable")
        beyond = max(self._slots.resident - self.settings.resident_accounts, 0)
        by_age = int(np.sum(last < self.time - self.settings.idle_account_s * 1000))
        # Those of the day that is open have windows open.
        done = int(np.sum(last < self.watermark // _DAY_MS * _DAY_MS))
        found = self._memory.idle(slots[order[: min(max(beyond, by_age), done)]], most)
        self._more_idle, self._idle_day = found.slots.size == most, self.watermark // _DAY_MS
        return found

    def evict(self, idle: Idle) -> int:
        """What `idle` gave is in the store: let those accounts leave memory that have not called since; how many did."""
        return self._memory.evict(idle)

    def absent(self, account_ids: Sequence[str]) -> list[str]:
        """Those of the accounts that left memory; `restore` them before `process` gets events of theirs."""
        return self._slots.absent(account_ids)

    def restore(self, accounts: list[str], parts: Mapping[str, tuple[str, Array]]) -> None:
        """Take accounts that are `absent` back as they left: `parts` as `idle` gave them. Raises `StateError`."""
        self._memory.restore(accounts, parts)

    def elsewhere(self, accounts: Sequence[str]) -> None:
        """After `load`: what is remembered of these accounts is in the store, unless a state that was loaded has it."""
        self._slots.elsewhere(accounts)

    def _parts(self) -> dict[str, Remembering]:
        features, identities, settings = self._features, self._identities, self.settings
        of_identities = f"{settings.deduplication_events} events, {settings.deduplication_s} s"
        parts = {
            "features": Remembering(
                f"allowed_lateness_s {settings.allowed_lateness_s}",
                lambda slots, _: save(features, slots),
                lambda slots, saved: load(features, slots, saved),
                lambda slots, rows: restore(features, slots, rows),
                lambda slots: quiet(features, slots),
                needed=True,
            ),
            "links": Remembering(
                f"allowed_lateness_s {settings.allowed_lateness_s}",
                lambda slots, _: self._links.save(slots),
                self._links.load,
                self._links.restore,
                self._links.quiet,
            ),
            "identities": Remembering(
                of_identities,
                lambda _, whole: identities.save(whole=whole),
                lambda _, saved: identities.load(saved),
            ),
            "incidents": Remembering(
                f"detector {settings.incident.detector}",
                lambda slots, _: self._incidents.save(slots),
                self._incidents.load,
                self._incidents.restore,
                self._incidents.quiet,
            ),
        }
        settings_of = {one.name: msgspec.json.encode(one).decode() for one in settings.detectors}
        for scorer in (self._event_scorer, *self._window_scorers):
            names = [member.detector.name for member in scorer.members]
            for member in scorer.members:
                name = member.detector.name
                parts[f"detector {name}"] = _by_account(member.detector, settings_of[name])
                parts[f"calibration of {name}"] = _calibration(member.calibrator, settings_of[name])
            together = "\n".join(settings_of[name] for name in names)
            if names:
                parts[f"levels of {' and '.join(names)}"] = _by_account(scorer.levels, together)
            if len(names) > 1:
                parts[f"calibration of {' and '.join(names)}"] = _calibration(scorer.combined, together)
        return parts

    def _signals(self, ended: tuple[AccountHours, Links, ClosedHours]) -> Signals:
        hours, links, closed = ended
        account_of = self._slots.account_of
        return Signals(self.partition, [account_of[slot] for slot in hours.slot.tolist()], hours, links, closed)

    def _score_events(
        self, batch: EventBatch, slots: Int64, duplicates: NDArray[np.bool_], features: EventFeatures
    ) -> CallScores:
        kept = np.flatnonzero(~duplicates)
        scored = self._event_scorer.score_and_learn(
            slots[kept], features.values[kept], np.zeros(kept.size, np.int64), self.settings.reasons_from
        )
        account_id, event_id = batch.account_id, batch.event_id
        return CallScores(
            account_id=[account_id[i] for i in kept],
            ts=batch.ts[kept],
            event_id=[event_id[i] for i in kept],
            score=scored.score,
            late=features.late[kept],
            reasons=scored.reasons,
        )

    def _score_windows(self, windows: ClosedWindows, closed_by: Int64) -> tuple[AccountWindows, list[Incident]]:
        account_of = self._slots.account_of
        window_s = np.asarray(WINDOW_S, np.int64)[windows.level]
        start = windows.number * window_s * 1000
        scores = np.zeros(len(windows))
        reasons: list[Sequence[Reason]] = [()] * len(windows)
        rows = window_features(windows, self._window_columns)
        hours, hour_rows = Scored(np.empty(0), [], np.empty((0, 0))), np.empty(0, np.int64)
        for level, scorer in enumerate(self._window_scorers):
            chosen = np.flatnonzero(windows.level == level)
            seen = rows[chosen]
            if level == HOUR_LEVEL:
                seen = np.concatenate([seen, windows.behaviour], axis=1)
            scored = scorer.score_and_learn(
                windows.slot[chosen], seen, windows.empty_before[chosen], self.settings.reasons_from
            )
            scores[chosen] = scored.score
            for row, one in zip(chosen.tolist(), scored.reasons, strict=True):
                reasons[row] = one
            if level == HOUR_LEVEL:
                hours, hour_rows = scored, chosen
        sums = {name: windows.sums[:, column].astype(np.int64) for column, name in enumerate(SUM_NAMES)}
        distinct = {name: windows.distinct[:, column].astype(np.int64) for column, name in enumerate(DISTINCT_NAMES)}
        evidence = self._evidence(hours, hour_rows, windows, closed_by)
        account_windows = AccountWindows(
            account_id=[account_of[slot] for slot in windows.slot.tolist()],
            window_s=window_s,
            window_start=start,
            score=scores,
            reasons=reasons,
            hours=evidence,
            **sums,
            **distinct,
        )
        judged = JudgedHours(
            slot=windows.slot[hour_rows],
            account_id=[account_windows.account_id[row] for row in hour_rows.tolist()],
            start=start[hour_rows],
            evidence=evidence.evidence.astype(np.float64),
            output_tokens=account_windows.output_tokens[hour_rows],
            account_calls=evidence.account_calls,
            closed_by=evidence.closed_by,
            reasons=lambda row: evidence.reasons[row],
        )
        return account_windows, self._incidents.follow(judged)

    def _evidence(self, hours: Scored, chosen: Int64, windows: ClosedWindows, closed_by: Int64) -> HourEvidence:
        incident = self.settings.incident
        # Single precision is what is stored, so that who decides anew by what is stored decides the same.
        evidence = np.zeros(chosen.size, np.float32)
        if incident.detector in hours.members:
            _, judgement, score = hours.members[incident.detector]
            rarity = -np.log(1.0 - score) - _ORDINARY_NATS
            evidence = (judgement.raw if self._gives_odds else np.maximum(rarity, 0.0)).astype(np.float32)
        reasons: list[Sequence[Reason]] = [()] * chosen.size
        for row in np.flatnonzero(evidence >= incident.close_at).tolist():
            reasons[row] = hours.explain(row, (incident.detector,))
        number = windows.number[chosen]
        return HourEvidence(
            partition=self.partition,
            row=chosen,
            evidence=evidence,
            reasons=reasons,
            account_calls=windows.account_calls[chosen],
            closed_by=closed_by[chosen],
            place=np.arange(chosen.size) - np.searchsorted(number, number),
        )


def _apart(changes: list[Incident]) -> tuple[list[Incident], list[Incident]]:
    return [one for one in changes if one.status != SUPPRESSED], [one for one in changes if one.status == SUPPRESSED]


def _by_account(remembered: Detector | AdaptiveLevels, settings: str) -> Remembering:
    return Remembering(settings, lambda slots, _: remembered.save(slots), remembered.load, remembered.restore)


def _calibration(calibrator: ConformalCalibrator, settings: str) -> Remembering:
    return Remembering(settings, lambda _, whole: calibrator.save(whole=whole), lambda _, saved: calibrator.load(saved))


def _features_on_windows(detectors: Sequence[DetectorSettings]) -> tuple[str, ...]:
    # Only what some detector looks at is computed.
    return tuple(dict.fromkeys(name for one in detectors if one.on == "window" for name in one.features))
