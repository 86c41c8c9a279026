"""What the store suppresses and what analysts have said, as settings of a replay."""

from __future__ import annotations

from msgspec.structs import replace

from pipeline.incidents.feedback import allow_list
from pipeline.incidents.suppression import Suppression, to_settings
from pipeline.settings import Settings
from pipeline.store.client import Store
from pipeline.store.records import LIVE
from pipeline.store.suppressions import read_shift, read_suppressions, read_verdicts


def with_feedback(settings: Settings, store: Store, *, suppressions: bool, verdicts: bool) -> Settings:
    """The settings with what the store has beside them, so that the run's row says what it was given.

    Suppressions hold for the event times they name, in a replay as in the stream. Verdicts are those of now, and the threshold
    moves as it does now in the stream, from the replay's first event on.
    """
    incident = settings.engine.incident
    found: list[Suppression] = read_suppressions(store) if suppressions else []
    shift = incident.threshold_shift
    if verdicts:
        said = read_verdicts(store)
        found += allow_list(said, incident)
        shift += read_shift(store, LIVE, said, incident)
    listed = (*incident.suppressions, *to_settings(sorted(set(found))))
    changed = replace(incident, suppressions=listed, threshold_shift=shift)
    return replace(settings, engine=replace(settings.engine, incident=changed))
