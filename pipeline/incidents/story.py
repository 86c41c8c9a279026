"""What an incident says in words."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.incidents.incident import Reason

_KINDS = (
    (("distinct_", "near_prompts", "fresh_share"), "diversity"),
    (("new_", "system_prompt_shift", "model_shift", "program_shift", "origin_shift", "parameters_shift"), "novelty"),
    (("reasoning", "logprobs", "answer_length", "longest_share", "output_share"), "elicitation"),
    (("active_hours", "pace_spread"), "rhythm"),
    (("error", "throttled"), "errors"),
)
#: Every kind of incident.
KINDS = ("volume", *(kind for _, kind in _KINDS))
#: Sentences for what a reason saw; the others are told by name.
_PHRASES = {
    "output_tokens_a_day": "about {seen} output tokens of new prompts a day where {usual} were usual",
    "reasoning_tokens": "{seen} reasoning tokens in its latest hours where {usual} were usual",
    "logprobs_calls": "{seen} calls for log-probabilities in its latest hours where {usual} were usual",
    "near_prompts_share": "{seen} of prompts near to one before, {usual} as a rule",
    "answer_length": "{seen} tokens an answer where {usual} were usual",
    "logprobs_share": "log-probabilities asked for in {seen} of calls, {usual} as a rule",
    "active_hours": "calls in {seen} of the latest 24 hours, in {usual} as a rule",
    "system_prompt_shift": "{seen} of its output drawn with unusual system prompts",
    "model_shift": "{seen} of its output drawn from unusual models",
    "program_shift": "{seen} of its output drawn by unusual programs",
    "origin_shift": "{seen} of its output drawn from unusual networks",
    "parameters_shift": "{seen} of its output drawn with unusual parameters",
    "pace_spread": "an even pace",
    "tools_share": "tools in {seen} of calls, in {usual} as a rule",
    "output_share": "{seen} of all tokens are output, {usual} as a rule",
    "cached_share": "{seen} of input from a cache, {usual} as a rule",
    "conversation_share": "{seen} of calls go on with a conversation, {usual} as a rule",
    "longest_share": "{seen} of answers as long as allowed, {usual} as a rule",
    "growth": "{seen} times more than in its first days",
    "fresh_share": "{seen} of prompts never sent before, {usual} as a rule",
}
_SHARES = ("_share", "_shift")


def kind_of(reasons: Sequence[Reason]) -> str:
    """The kind of the reason with the largest share; `volume` where there is none."""
    if reasons:
        leading = max(reasons, key=lambda reason: reason.share).feature
        for prefixes, kind in _KINDS:
            if leading.startswith(prefixes):
                return kind
    return "volume"


def summarise(account_id: str, output_tokens: int, reasons: Sequence[Reason]) -> str:
    """One sentence: how much was drawn, and what was seen against what was expected."""
    seen = "; ".join(map(phrase, reasons[:4])) if reasons else "unusual volume"
    return f"{account_id} drew {number(output_tokens)} output tokens: {seen}."


def number(value: float) -> str:
    """A number for reading: 1,234,567, 12.3, 0.042."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def phrase(reason: Reason) -> str:
    """What one reason saw against what was expected, in words."""
    template = _PHRASES.get(reason.feature)
    if template is None:
        name = reason.feature.replace("_", " ")
        return f"{name} {number(reason.observed)} where {number(reason.expected)} was expected"
    share = reason.feature.endswith(_SHARES)
    told = [f"{value:.0%}" if share else number(value) for value in (reason.observed, reason.expected)]
    return template.format(seen=told[0], usual=told[1])
