"""The columns of a window and of an event's features: their order in the arrays, names and meaning, in one place."""

from pipeline.event.column_names import HASHED_FIELDS

#: Seconds of the tumbling windows, smallest first; all begin at whole multiples since the epoch, UTC.
WINDOW_S = (60, 600, 3600, 86_400)
#: Windows of one level in one of the next.
WINDOW_MINUTES = (1, 10, 60, 1440)
LEVELS = len(WINDOW_S)
HOUR_S = 3600
HOUR_LEVEL = WINDOW_S.index(HOUR_S)

#: Sums over a window, in the order of the arrays. `output_tokens_max` is a maximum.
SUM_NAMES = (
    "calls",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "errors",
    "throttled",
    "logprobs_calls",
    "streamed_calls",
    "output_tokens_max",
)
SUMS = len(SUM_NAMES)
MAXIMUM = SUM_NAMES.index("output_tokens_max")

#: Distinct values of a window by a bitmap of 64 bits (linear counting: exact to within a few per cent below 30, at most 266).
BITMAP_NAMES = (
    "distinct_system_prompts",
    "distinct_models",
    "distinct_keys",
    "distinct_addresses",
    "distinct_user_agents",
)
BITMAPS = len(BITMAP_NAMES)
#: Distinct values by HyperLogLog with 64 registers: standard error 13%, small numbers by linear counting.
SKETCH_NAMES = ("distinct_prompts", "distinct_families")
SKETCHES = len(SKETCH_NAMES)
REGISTERS = 64

DISTINCT_NAMES = SKETCH_NAMES + BITMAP_NAMES

#: The column of `EventBatch.hashes` behind each bitmap.
BITMAP_SOURCES = tuple(
    HASHED_FIELDS.index(name) for name in ("system_prompt_hash", "model", "api_key_id", "client_ip", "user_agent")
)
PROMPT_SOURCE = HASHED_FIELDS.index("prompt_hash")
#: The columns of `EventBatch.hashes` whose first use by an account is a feature.
NOVELTY_SOURCES = tuple(HASHED_FIELDS.index(name) for name in ("model", "api_key_id", "client_ip", "user_agent"))
NOVELTIES = len(NOVELTY_SOURCES)

#: Features of an event: name and what it would show.
EVENT_FEATURES = {
    "log_input_tokens": "ln(1 + input tokens): another kind of prompt than the account's own",
    "log_output_tokens": "ln(1 + output tokens): answers drawn out to the limit, as a teacher's are",
    "log_reasoning_tokens": "ln(1 + reasoning tokens): elicitation of chains of thought",
    "output_share": "output tokens over all tokens: short questions, long answers",
    "log_gap_s": "ln(1 + seconds since the account's previous call); a first call counts as after a day: machine rhythm",
    "error": "1 when the status is 400 or more: probing of limits",
    "throttled": "1 when the status is 429: drawing as fast as is allowed",
    "logprobs": "1 when log-probabilities are asked for: soft labels for distillation",
    "new_model": "1 at the account's first call of the model, an unset field being none",
    "new_key": "1 at the first use of the API key: rotation, or a new holder",
    "new_address": "1 at the first call from the address: a stolen key, a pool of proxies",
    "new_user_agent": "1 at the first call with the user agent: another program than before",
}
EVENT_FEATURE_NAMES = tuple(EVENT_FEATURES)
