"""The evidence of extraction: quantities of an account's behaviour, and what in them speaks for it.

One table, from which the detector, its reasons and the reference in the docs are made. Each line is an observation that public
reports make of extraction, seen either against the account's own past (how much was drawn beyond what is usual for it) or
against its peers (how rare the quantity is among accounts). Weights are weights of evidence (Good 1985): log-odds per nat of
rarity.
"""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """Something measured of an account's latest hours; names that begin with `log_` hold ln(1 + value)."""

    name: str
    shows: str


QUANTITIES = (
    Quantity("log_output_tokens_a_day", "output tokens of new prompts, with a half-life of a day: volume"),
    Quantity("log_reasoning_tokens", "reasoning tokens of the latest hours: elicitation of chains of thought"),
    Quantity("log_logprobs_calls", "calls for log-probabilities in the latest hours: soft labels"),
    Quantity(
        "near_prompts_share",
        "share of prompts near to one of the latest: templates where high, broad coverage where low",
    ),
    Quantity("log_answer_length", "output tokens per call: answers drawn out"),
    Quantity("logprobs_share", "share of calls that ask for log-probabilities: soft labels"),
    Quantity("active_hours", "hours of the latest 24 with calls: round-the-clock drawing"),
    Quantity("system_prompt_shift", "share of output drawn with system prompts other than usual: a new purpose"),
    Quantity("model_shift", "share of output drawn from models other than usual: a pivot"),
    Quantity("program_shift", "share of output drawn by programs other than usual: another hand"),
    Quantity("origin_shift", "share of output drawn from networks other than usual: a stolen key"),
    Quantity("parameters_shift", "share of output drawn with parameters other than usual: another program"),
    Quantity("pace_spread", "standard deviation of ln(1 + seconds between calls): a machine's steady pace where low"),
    Quantity("tools_share", "share of calls with tools: a product that is no longer what runs, where low"),
    Quantity("output_share", "output over all tokens: short questions, long answers"),
    Quantity("cached_share", "cached over all input tokens: no context is kept, where low"),
    Quantity("conversation_share", "share of calls with cached input: nobody converses, where low"),
    Quantity("longest_share", "share of answers that max_tokens cut off: as much as can be had"),
    Quantity(
        "fresh_share", "distinct prompts over calls, a factor of all amounts: what is asked twice gives nothing new"
    ),
    Quantity(
        "log_growth", "growth of the latest days' output over that of the account's first days: a ramp, however slow"
    ),
)
QUANTITY_NAMES = tuple(one.name for one in QUANTITIES)

#: How a line of evidence looks at its quantity. The first six say how many tokens were drawn in a way beyond the account's own
#: usual: an amount above it, a share above or below it, longer answers, more hours, a steadier pace. The last two rank among
#: peers.
MORE, SHARE_ABOVE, SHARE_BELOW, LONGER, HOURS, STEADIER, HIGH, LOW = range(8)
#: Groups within which lines say much the same: the surprise of an hour counts the largest of each.
VOLUME, DIVERSITY, ELICITATION, MIX, RHYTHM, NO_GROUP = range(6)


class Evidence(NamedTuple):
    """A line of evidence: `quantity` seen as `view` says, beyond `deviations` of usual spread and `floor`."""

    name: str
    quantity: str
    view: int
    weight: float
    group: int = NO_GROUP
    deviations: float = 1.0
    floor: float = 0.0
    least_spread: float = 0.0
    common: float = 0.0
    """Nats that say nothing: rarity counts from there on."""


EVIDENCE = (
    Evidence("volume", "log_output_tokens_a_day", MORE, 0.1, VOLUME, least_spread=0.25),
    Evidence("hours", "active_hours", HOURS, 0.15, RHYTHM, least_spread=1.0),
    Evidence("templates", "near_prompts_share", SHARE_ABOVE, 0.2, DIVERSITY, floor=0.05),
    Evidence("coverage", "near_prompts_share", SHARE_BELOW, 0.2, DIVERSITY, floor=0.05),
    Evidence("length", "log_answer_length", LONGER, 0.1, ELICITATION, least_spread=0.1),
    Evidence("logprobs", "logprobs_share", SHARE_ABOVE, 0.6, ELICITATION, floor=0.05),
    Evidence("logprobs_calls", "log_logprobs_calls", MORE, 0.25, ELICITATION, least_spread=0.25),
    Evidence("reasoning", "log_reasoning_tokens", MORE, 0.05, ELICITATION, least_spread=0.25),
    Evidence("system_prompt", "system_prompt_shift", SHARE_ABOVE, 0.35, MIX, deviations=2.0, floor=0.1),
    Evidence("model", "model_shift", SHARE_ABOVE, 0.05, deviations=2.0, floor=0.1),
    Evidence("program", "program_shift", SHARE_ABOVE, 0.05, deviations=2.0, floor=0.1),
    Evidence("origin", "origin_shift", SHARE_ABOVE, 0.15, MIX, deviations=2.0, floor=0.1),
    Evidence("parameters", "parameters_shift", SHARE_ABOVE, 0.15, MIX, deviations=2.0, floor=0.1),
    Evidence("pace", "pace_spread", STEADIER, 0.2),
    Evidence("tools", "tools_share", SHARE_BELOW, 0.35, floor=0.05),
    Evidence("volume_among_peers", "log_output_tokens_a_day", HIGH, 0.2),
    Evidence("length_among_peers", "log_answer_length", HIGH, 0.4),
    Evidence("hours_among_peers", "active_hours", HIGH, 1.2),
    Evidence("output_among_peers", "output_share", HIGH, 0.4),
    Evidence("cache_among_peers", "cached_share", LOW, 0.1),
    Evidence("conversation_among_peers", "conversation_share", LOW, 0.4),
    Evidence("longest_among_peers", "longest_share", HIGH, 0.1),
    # Many accounts grow; not one day in fifty shows what counts here.
    Evidence("growth_among_peers", "log_growth", HIGH, 1.0, common=4.0),
)
#: Log-odds where no line says anything.
PRIOR_LOG_ODDS = -5.2
