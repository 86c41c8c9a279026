"""Honest accounts that look like extraction, dealt out over their kinds; some of them are whole companies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from replay.scenarios import look_alikes as alike
from replay.scenarios.calls import new_stream
from replay.scenarios.identity import Random, in_company, new_identity, token
from replay.scenarios.market import Market
from replay.scenarios.mix import source
from replay.scenarios.population import Span, new_habit, times_of
from replay.scenarios.simulation import Part, label_of

_COMPANIES, _ALONE = range(2)
#: Share of the look-alikes that work for companies.
_IN_COMPANIES = 0.2
_LARGEST_COMPANY = 80

ALONE: dict[str, Callable[[Random, Span, Market], Part]] = {
    make.__name__: make
    for make in (
        alike.price_change,
        alike.launch_day,
        alike.popular_template,
        alike.load_test,
        alike.heavy_newcomer,
        alike.holiday,
        alike.honest_logprobs,
        alike.honest_reasoning,
        alike.month_end,
        alike.around_the_clock,
        alike.early_adopter,
        alike.time_zone,
        alike.honest_sampling,
    )
}
#: What happens to many accounts at once comes oftener.
_TURNS = (*ALONE, "price_change", "popular_template", "holiday", "popular_template", "price_change")


def bystanders(count: int, path: tuple[int, ...], span: Span, market: Market) -> Iterator[Part]:
    """`count` accounts: a fifth in companies of 5 to 80, the others of each kind in turn. `path` names their random streams."""
    left, number = round(_IN_COMPANIES * count), 0
    alone = count - left
    while left:
        random = source(*path, _COMPANIES, number)
        size = min(left, round(float(np.exp(random.uniform(np.log(5), np.log(_LARGEST_COMPANY))))))
        yield from company(size, random, span)
        left, number = left - size, number + 1
    for index in range(alone):
        yield ALONE[_TURNS[index % len(_TURNS)]](source(*path, _ALONE, index), span, market)


def company(size: int, random: Random, span: Span) -> Iterator[Part]:
    """Accounts behind one address, with one organisation or bill or both, and perhaps a system prompt of the company's own."""
    employer = new_identity(random, span.start_ms)
    one_bill, one_organisation, one_tool = (random.random() < chance for chance in (0.5, 0.7, 0.5))
    tool = token(random, 32)
    for _ in range(size):
        habit = new_habit(str(random.choice(["interactive", "interactive", "idle", "cron"])), random, span, None)
        own = habit.identity
        identity = in_company(own, employer)
        if not one_bill:
            identity = replace(identity, payment_id=own.payment_id)
        if not one_organisation:
            identity = replace(identity, org_id=own.org_id)
        work = replace(habit.workload, system_prompt=tool) if one_tool else habit.workload
        identity, times = times_of(replace(habit, identity=identity), random, span)
        yield Part(
            [new_stream(identity, times, work, random)],
            [label_of(identity, times, "company")] if times.size else [],
        )
