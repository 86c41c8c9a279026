"""What an incident says in words."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.incidents.incident import Reason

_WINDOW_NAMES = {60: "minute", 600: "ten minutes", 3600: "hour", 86_400: "day"}
_KINDS = (
    (("distinct_",), "diversity"),
    (("new_",), "novelty"),
    (("reasoning", "logprobs"), "elicitation"),
    (("error", "throttled"), "errors"),
)


def kind_of(reasons: Sequence[Reason]) -> str:
    """The kind of the reason with the largest share; `volume` where there is none."""
    if reasons:
        leading = max(reasons, key=lambda reason: reason.share).feature
        for prefixes, kind in _KINDS:
            if leading.startswith(prefixes):
                return kind
    return "volume"


def summarise(account_id: str, window_s: int, output_tokens: int, reasons: Sequence[Reason]) -> str:
    """One sentence: how much, and what was seen against what was expected, in the latest window."""
    parts = [
        f"{reason.feature.replace('_', ' ')} {number(reason.observed)} where {number(reason.expected)} was expected"
        for reason in reasons[:3]
    ]
    seen = "; ".join(parts) if parts else "unusual volume"
    window = _WINDOW_NAMES.get(window_s, f"{window_s} s")
    return f"{account_id} drew {number(output_tokens)} output tokens; in one {window}: {seen}."


def number(value: float) -> str:
    """A number for reading: 1,234,567, 12.3, 0.042."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
