"""Which fields of the event the engine reads, and in what order; light, so that names can be had without the columns."""

#: Text fields that the engine only compares and counts, in the order of `EventBatch.hashes`.
HASHED_FIELDS = (
    "prompt_hash",
    "system_prompt_hash",
    "model",
    "api_key_id",
    "client_ip",
    "user_agent",
    "payment_id",
    "org_id",
)
#: Number fields in the order of `EventBatch.numbers`; an absent one counts as 0.
NUMBER_FIELDS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "status",
    "logprobs",
    "stream",
    "asn",
    "signup_ts",
    "n",
    "tools",
    "max_tokens",
    "temperature",
)
