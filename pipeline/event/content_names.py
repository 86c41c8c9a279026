"""Names under which APIs and gateways log what was said: such fields are never kept."""

from typing import Final

_ASKED = (
    "messages",
    "message",
    "prompt",
    "prompts",
    "system_prompt",
    "system",
    "instructions",
    "input",
    "inputs",
    "query",
)
_ANSWERED = (
    "completion",
    "completions",
    "response",
    "responses",
    "output",
    "outputs",
    "choices",
    "content",
    "text",
    "answer",
)
_EITHER = ("request_body", "response_body", "body", "prompt_text", "system_prompt_text", "input_text", "output_text")
CONTENT_NAMES: Final = frozenset((*_ASKED, *_ANSWERED, *_EITHER))
CONTENT_PREFIXES: Final = ("gen_ai.prompt", "gen_ai.completion", "gen_ai.input", "gen_ai.output", "llm.prompts")


def is_content(name: str) -> bool:
    """Whether a field of this name holds prompts or completions."""
    return name.casefold() in CONTENT_NAMES or name.startswith(CONTENT_PREFIXES)
