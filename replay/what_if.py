"""What a run would have found with other thresholds, budget or suppressions, from its stored evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from pipeline.incidents.incident import Incident
from pipeline.incidents.tracker import SUPPRESSED
from pipeline.settings import EngineSettings, IncidentSettings, Settings, SettingsError, SuppressionSettings
from pipeline.settings.check import mistakes_in
from pipeline.store.client import Store
from pipeline.store.records import Label
from replay.decide import decide
from replay.evaluate import Detection, Evaluation, evaluate_run, read_detections
from replay.hours import hours_of
from replay.matching import MatchedIncident, match
from replay.window import Window

#: A suppression for the sake of the question holds for all events.
_ALWAYS = datetime(2299, 1, 1, tzinfo=UTC)


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it was and as it would have been; of the window that was asked for, times in epoch milliseconds."""

    run_id: str
    changed: dict[str, Any]
    """Settings of `engine.incident` that are others than the run's."""
    incidents_before: int
    incidents: int
    """Account incidents; those of campaigns do not depend on these settings."""
    suppressed: int
    gained: tuple[Detection, ...]
    lost: tuple[Detection, ...]
    matched: tuple[MatchedIncident, ...]
    earlier: int
    later: int
    before: Evaluation | None = None
    """Against the labels, where there are any."""
    after: Evaluation | None = None


def changed_settings(
    engine: EngineSettings, changes: dict[str, Any], suppress: Sequence[str] = (), above: float | None = None
) -> IncidentSettings:
    """The incident settings of a run with changes, and accounts (or patterns) suppressed up to `above` nats.

    Raises `SettingsError` for values that cannot be, as for a settings file.
    """
    before = engine.incident
    try:
        listed = [
            msgspec.convert(
                {"account": one, "until": _ALWAYS, "note": "what if"} | ({} if above is None else {"above": above}),
                SuppressionSettings,
            )
            for one in suppress
        ]
        changed = msgspec.structs.replace(before, **changes)
        changed = msgspec.structs.replace(changed, suppressions=(*changed.suppressions, *listed))
        # What replaces a value is not checked; what is read is.
        incident = msgspec.json.decode(msgspec.json.encode(changed), type=IncidentSettings)
    except msgspec.ValidationError as error:
        raise SettingsError([f"engine.incident: {error}"]) from None
    mistakes = list(mistakes_in(Settings(engine=msgspec.structs.replace(engine, incident=incident))))
    if mistakes:
        raise SettingsError(mistakes)
    return incident


def what_if(
    store: Store,
    run_id: str,
    engine: EngineSettings,
    incident: IncidentSettings,
    *,
    window: Window | None = None,
    labels: Sequence[Label] | None = None,
) -> WhatIf:
    """Decide the incidents of a run anew by `incident`, beside what it stored.

    All its hours are taken in, so that thresholds are what they would have been; the window is of what is told. Raises
    `ReplayError` when the run has no stored evidence.
    """
    inside = window or Window()
    decided = [
        one
        for one in decide(hours_of(store, run_id, named_from=incident.close_at), incident)
        if one.detected_at in inside
    ]
    anew = [detection_of(one) for one in decided if one.status != SUPPRESSED]
    stored = [one for one in read_detections(store, run_id) if one.detected_at in inside]
    of_accounts = [one for one in stored if one.entity_type == "account"]
    of_campaigns = [one for one in stored if one.entity_type != "account"]
    pairs, gained, lost = match(of_accounts, anew)
    matched = tuple(MatchedIncident.of(one, other) for one, other in pairs)
    before = after = None
    if labels is not None:
        before = evaluate_run(store, run_id, labels, stored, window=window)
        after = evaluate_run(store, run_id, labels, [*anew, *of_campaigns], window=window)
    return WhatIf(
        run_id=run_id,
        changed=_changed(engine.incident, incident),
        incidents_before=len(of_accounts),
        incidents=len(anew),
        suppressed=len(decided) - len(anew),
        gained=tuple(gained),
        lost=tuple(lost),
        matched=matched,
        earlier=sum(one.later_ms < 0 for one in matched),
        later=sum(one.later_ms > 0 for one in matched),
        before=before,
        after=after,
    )


def detection_of(incident: Incident) -> Detection:
    """An account's incident as evaluation sees it."""
    return Detection(
        incident_id=incident.incident_id,
        entity_type=incident.entity_type,
        entity_id=incident.entity_id,
        account_id=incident.entity_id,
        opened_at=incident.opened_at,
        detected_at=incident.detected_at,
        ended_at=incident.last_seen_at if incident.closed_at is None else incident.closed_at,
        severity=incident.severity,
        status=incident.status,
        peak_score=incident.peak_score,
    )


def _changed(before: IncidentSettings, after: IncidentSettings) -> dict[str, Any]:
    names: Iterable[str] = before.__struct_fields__
    found = {name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
    return {name: msgspec.to_builtins(value) for name, value in found.items()}
