"""What happens to many accounts at once: a model is released, a price changes, holidays come, a framework is popular."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from replay.scenarios.calls import Stream
from replay.scenarios.identity import PLACES, USER_AGENTS, Random, pick, token
from replay.scenarios.population import Span
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.simulation import Part
from replay.scenarios.workload import new_families

#: The model that is released within the window, and the one whose price falls.
NEW_MODEL, CHEAP_MODEL = "gamma-5", "gamma-4-nano"
#: Share of ordinary accounts that come to use a new model, in their own time.
_ADOPTERS = 0.15


@dataclass(frozen=True, slots=True)
class Template:
    """What a popular framework sends of its own: its program, its system prompt and one family of prompts."""

    user_agent: str
    system_prompt: str
    families: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """The events of a window; times are epoch milliseconds."""

    released_ms: int
    cheaper_ms: int
    holidays: dict[str, tuple[int, int]]
    """First and last moment of each country's holidays."""
    templates: tuple[Template, ...]


def new_market(random: Random, span: Span) -> Market:
    """Draw the events of a window."""

    def moment(earliest: float, latest: float) -> int:
        return span.start_ms + int(random.uniform(earliest, latest) * span.days * DAY_MS)

    holidays = {}
    for country in sorted({place[0] for place in PLACES}):
        begin = moment(0.2, 0.8) // DAY_MS * DAY_MS
        holidays[country] = (begin, begin + int(random.integers(1, max(2, min(10, span.days // 2)))) * DAY_MS)
    templates = tuple(
        Template(pick(random, USER_AGENTS)[0], token(random, 32), new_families(random, int(random.integers(1, 4))))
        for _ in range(int(random.integers(1, 4)))
    )
    return Market(moment(0.3, 0.7), moment(0.2, 0.8), holidays, templates)


def moved(stream: Stream, model: str, chosen: NDArray[np.bool_]) -> Stream:
    """The same calls, the chosen ones to another model."""
    models = stream.identity.models if model in stream.identity.models else (*stream.identity.models, model)
    choices = stream.choices.copy()
    choices[chosen, 3] = models.index(model)
    return replace(stream, identity=replace(stream.identity, models=models), choices=choices)


def gradually(stream: Stream, begin_ms: int, within_ms: float, share: float, random: Random) -> NDArray[np.bool_]:
    """Calls chosen with a chance that grows from 0 at `begin_ms` to `share`, `within_ms` later."""
    chance = share * np.clip((stream.times - begin_ms) / max(within_ms, 1.0), 0.0, 1.0)
    return random.random(stream.times.size) < chance


def adopting(part: Part, market: Market, random: Random) -> Part:
    """An ordinary account that may come to use the new model, over days to weeks."""
    if random.random() >= _ADOPTERS:
        return part
    begin = market.released_ms + int(random.exponential(3.0) * DAY_MS)
    within, share = float(random.uniform(1.0, 14.0)) * DAY_MS, float(random.uniform(0.1, 1.0))
    streams = [moved(one, NEW_MODEL, gradually(one, begin, within, share, random)) for one in part.streams]
    return Part(streams, part.labels)
