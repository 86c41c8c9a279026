"""Prompt and completion text at the edge: it is fingerprinted here and goes no further."""

import re
from collections.abc import Iterable, Mapping, Set
from typing import Any, Final

import msgspec

from pipeline.event import RAW_LIMIT
from pipeline.event.content_names import CONTENT_NAMES

#: Longest text of a named field that a rejected record keeps; a name that should hold an identifier may hold a prompt.
KEPT_TEXT: Final = 512
#: What LiteLLM writes in place of messages when it is told not to log them.
REDACTED: Final = frozenset({"redacted-by-litellm", "redacted by litellm", "[REDACTED]", "REDACTED"})
_CONTENT_NAME: Final = re.compile(
    rb'"(?:' + b"|".join(sorted(name.encode() for name in CONTENT_NAMES)) + rb'|gen_ai\.[a-z_.]*)"\s*:', re.IGNORECASE
)
_SYSTEM: Final = frozenset({"system", "developer"})
_USER: Final = frozenset({"user", "human"})
_DEPTH: Final = 8

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def fingerprints(prompt: str | None, system: str | None) -> dict[str, object]:
    """The event's content fields for a prompt and a system prompt; nothing for a text that is absent, empty or redacted."""
    # Not before there is a text: it loads numpy, and most logs hold none.
    from pipeline.sources.fingerprint import prompt_hash, prompt_simhash

    found: dict[str, object] = {}
    if prompt and prompt not in REDACTED:
        found["prompt_hash"] = prompt_hash(prompt)
        simhash = prompt_simhash(prompt)
        if simhash is not None:
            found["prompt_simhash"] = simhash
    if system and system not in REDACTED:
        found["system_prompt_hash"] = prompt_hash(system)
    return found


def texts_of(messages: object) -> tuple[str | None, str | None]:
    """The prompt and the system prompt of a call's messages.

    The prompt is the text of the last message of the user, since earlier turns are sent again with every call; without such
    a message it is all text that is not the system's. `messages` is a text, a message, or a list of either, as
    chat and completion APIs take them; a text may be any of these as JSON. Parts are joined by newlines.
    """
    if isinstance(messages, str):
        messages = _decoded(messages)
    if isinstance(messages, dict):
        messages = messages["messages"] if isinstance(messages.get("messages"), list) else [messages]
    if isinstance(messages, str):
        return messages or None, None
    if not isinstance(messages, list):
        return None, None
    system: list[str] = []
    others: list[str] = []
    last: str | None = None
    for message in messages:
        text = "\n".join(_texts(message, 0))
        role = message.get("role") if isinstance(message, dict) else None
        if not text:
            continue
        if isinstance(role, str) and role in _SYSTEM:
            system.append(text)
            continue
        others.append(text)
        if isinstance(role, str) and role in _USER:
            last = text
    return last or "\n".join(others) or None, "\n".join(system) or None


def withhold(record: object, known: Set[str]) -> bytes:
    """`record` as JSON for `Rejected.raw`, without any text that may be content.

    Numbers and truth values stay; a text stays where `known` has its name or dotted path and it is short. Others leave
    their length.
    """
    return _encoder.encode(_without_text(record, known, "", 0))[:RAW_LIMIT]


def without_content(raw: bytes, known: Set[str]) -> bytes:
    """`raw` as it is, unless it has a field whose name tells of content: then what `withhold` leaves of it."""
    if not _CONTENT_NAME.search(raw):
        return raw
    try:
        return withhold(_decoder.decode(raw), known)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return withheld_bytes(raw)


def withheld_bytes(raw: bytes) -> bytes:
    """What is kept of a record that cannot be taken apart, so that nothing in it can be told from content."""
    return _encoder.encode({"withheld": "not readable as a record, may hold prompts", "bytes": len(raw)})


def _without_text(value: object, known: Set[str], path: str, depth: int) -> object:
    if isinstance(value, str):
        if path in known and len(value) <= KEPT_TEXT:
            return value
        return f"[text of {len(value)} characters withheld]"
    if depth > _DEPTH:
        return "[withheld]"
    if isinstance(value, list):
        if len(value) > 64 or (path not in known and any(isinstance(item, str) for item in value)):
            return f"[list of {len(value)} withheld]"
        return [_without_text(item, known, path, depth + 1) for item in value]
    if isinstance(value, Mapping):
        return {
            (key if len(key) <= 128 else key[:32] + "..."): _without_text(
                item, known, f"{path}.{key}" if path else key, depth + 1
            )
            for key, item in _items(value)
        }
    return value


def _items(mapping: Mapping[Any, object]) -> Iterable[tuple[str, object]]:
    return ((str(key), item) for key, item in mapping.items())


def _decoded(text: str) -> object:
    if text.lstrip()[:1] in ("[", "{"):
        try:
            return _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return text
    return text


def _texts(value: object, depth: int) -> list[str]:
    # A message is text, {role, content}, {role, parts: [{type: text, content}]}, {type: text, text} or a list of parts.
    if isinstance(value, str):
        return [value] if value else []
    if depth > _DEPTH:
        return []
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, depth + 1)]
    if isinstance(value, dict):
        for key in ("content", "parts", "text", "input_text", "message"):
            if value.get(key):
                return _texts(value[key], depth + 1)
    return []
