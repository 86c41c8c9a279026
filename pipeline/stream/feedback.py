"""Suppressions and verdicts on their way from the store to the engines of a worker."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.incidents.feedback import Verdict, allow_list
from pipeline.incidents.suppression import Suppression
from pipeline.settings import IncidentSettings
from pipeline.store.client import Store
from pipeline.store.suppressions import read_shift, read_suppressions, read_verdicts

log = logging.getLogger(__name__)

#: Without a new verdict the threshold's shift is computed anew this often: budget and incidents go on meanwhile.
SHIFT_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What engines are handed."""

    suppressions: tuple[Suppression, ...] = ()
    shift: float = 0.0
    """Nats by which verdicts move the threshold."""


class FeedbackReader:
    """Reads the store; `read` blocks, and is called in the store's thread."""

    def __init__(
        self, settings: IncidentSettings, store: Store, run_id: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._store = store
        self._run_id = run_id
        self._clock = clock
        self._verdicts: list[Verdict] | None = None
        self._shift = 0.0
        self._shift_at = 0.0
        self.newest = Feedback()
        """What was read last."""

    def read(self) -> Feedback:
        """What holds now. Raises the errors of the store."""
        verdicts = read_verdicts(self._store)
        if verdicts != self._verdicts or self._clock() - self._shift_at >= SHIFT_EVERY_S:
            self._shift = read_shift(self._store, self._run_id, verdicts, self._settings)
            self._verdicts, self._shift_at = verdicts, self._clock()
        listed = [*read_suppressions(self._store), *allow_list(verdicts, self._settings)]
        found = Feedback(tuple(sorted(set(listed))), self._shift)
        if found != self.newest:
            log.info("%d suppressions hold, the threshold is moved by %+.2f nats", len(found.suppressions), found.shift)
            self.newest = found
        return found
