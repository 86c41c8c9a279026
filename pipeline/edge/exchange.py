"""A request of a model's API and its response, as an event without their texts."""

import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from pipeline.event import ApiCall, EventLimits, Rejected, from_mapping
from pipeline.sources.content import fingerprints, texts_of

#: Where the prompt and the system prompt stand in chat, completion, embedding, responses and messages APIs.
_PROMPTS: Final = ("messages", "input", "prompt")
_SYSTEMS: Final = ("system", "instructions")
_COPIED: Final = ("model", "stream", "n", "temperature", "top_p")
_MAX_TOKENS: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")

Body = Mapping[str, Any]


def call_of_exchange(request: Body, response: Body | None, given: Mapping[str, object]) -> ApiCall | Rejected:
    """The event of one call; why it cannot be one where `given` does not fit the schema.

    `request` and `response` are the JSON bodies of an OpenAI or Anthropic style API (`response` of a streamed call: its last
    chunk with `usage`). `given` are fields of ApiCall that the gateway knows better: `account_id` is required; without
    `event_id` it is a random one, without `ts` now less `latency_ms`. What a caller wrote into the request and does not
    fit the schema is left out: it must not be a way not to be counted.
    """
    now = time.time_ns() // 1_000_000
    latency = given.get("latency_ms")
    elapsed = int(latency) if isinstance(latency, (int, float)) and 0 <= latency < now else 0
    prompt = _first(request, _PROMPTS)
    system = _first(request, _SYSTEMS)
    text, system_text = texts_of(prompt)
    certain: dict[str, object] = {"event_id": uuid.uuid4().hex, "ts": now - elapsed}
    certain |= fingerprints(text, texts_of(system)[0] or system_text)
    known = {name: value for name, value in given.items() if value is not None}
    limits = EventLimits()
    for asked in ({**_parameters(request), **_usage(response)}, _usage(response), {}):
        call = from_mapping({**asked, **certain, **known}, b"", received_at=now, limits=limits)
        if isinstance(call, ApiCall):
            return call
    return call


def _parameters(request: Body) -> dict[str, object]:
    found: dict[str, object] = {name: request.get(name) for name in _COPIED}
    found["max_tokens"] = _first(request, _MAX_TOKENS)
    if "logprobs" in request or "top_logprobs" in request:
        # A truth value in chat APIs, a number of alternatives in completion APIs.
        found["logprobs"] = bool(request.get("logprobs")) or bool(request.get("top_logprobs"))
    tools = _first(request, ("tools", "functions"))
    if isinstance(tools, list):
        found["tools"] = len(tools)
    return found


def _usage(response: Body | None) -> dict[str, object]:
    usage = response.get("usage") if isinstance(response, Mapping) else None
    if not isinstance(usage, Mapping):
        return {}
    found: dict[str, object] = {
        "input_tokens": _first(usage, ("prompt_tokens", "input_tokens")),
        "output_tokens": _first(usage, ("completion_tokens", "output_tokens")),
    }
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    if "prompt_tokens" not in usage and (read is not None or written is not None):
        # Anthropic counts cached input apart from `input_tokens`; the event's are all of the input.
        parts = (usage.get("input_tokens"), read, written)
        found["input_tokens"] = sum(part for part in parts if isinstance(part, int))
        found["cached_input_tokens"] = read
    details = _first(usage, ("prompt_tokens_details", "input_tokens_details"))
    if isinstance(details, Mapping):
        found["cached_input_tokens"] = details.get("cached_tokens")
    details = _first(usage, ("completion_tokens_details", "output_tokens_details"))
    if isinstance(details, Mapping):
        found["reasoning_tokens"] = details.get("reasoning_tokens")
    return found


def _first(body: Body, names: tuple[str, ...]) -> Any:
    return next((body[name] for name in names if body.get(name) is not None), None)
