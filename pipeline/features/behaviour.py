"""How an account behaved within an hour: sums, and what its output was drawn with. What `stillwatch.Extraction` looks at.

Sums tell how much and in what manner: how long answers are, how evenly calls follow each other, whether prompts are new, near
to earlier ones or parts of conversations. Mixes tell with what: output tokens by system prompt, model, program, origin and
parameters, each value in one of 16 bins by its hash, so that an account's usual mix can be compared with its present one in a
fixed space.
"""

import math

import numba
import numpy as np

from pipeline.event.column_names import HASHED_FIELDS, NUMBER_FIELDS
from pipeline.event.hashing import mix

#: Sums over an hour, in the order of the arrays.
SUM_NAMES = (
    "calls",
    "repeated_calls",
    "output_tokens",
    "input_tokens",
    "reasoning_tokens",
    "logprobs_calls",
    "cached_input_tokens",
    "cached_calls",
    "tool_calls",
    "longest_calls",
    "throttled_calls",
    "log_gap",
    "log_gap_squared",
    "gaps",
    "fresh_calls",
)
SUMS = len(SUM_NAMES)
#: `fresh_calls` is known when the hour closes: the distinct prompts, with the calls whose prompt has no hash.
FRESH = SUM_NAMES.index("fresh_calls")

#: What output tokens are counted by.
MIX_NAMES = ("system_prompt", "model", "program", "origin", "parameters")
MIXES, BINS = len(MIX_NAMES), 16

#: Columns of a closed hour's behaviour: sums, then mixes.
BEHAVIOUR_NAMES = (
    *(f"behaviour.{name}" for name in SUM_NAMES),
    *(f"behaviour.{name}.{index}" for name in MIX_NAMES for index in range(BINS)),
)
BEHAVIOURS = len(BEHAVIOUR_NAMES)

#: An hour that is open. Distinct prompts are counted by a bitmap of 512 bits (linear counting, Whang et al. 1990: within 4%
#: for up to 500 in an hour, 8% for 2,000). With lateness of an hour at most, two are open at once.
HOUR = np.dtype([("sums", np.float32, SUMS), ("mix", np.float32, (MIXES, BINS)), ("prompts", np.uint64, 8)])
OPEN_HOURS = 2

#: Simhash bands (locality-sensitive hashing, 4 of 16 bits) of the latest prompts: one with a band in common is near to one of
#: them.
BANDS, LATEST = 4, 16

_PROMPT, _SYSTEM, _MODEL, _ADDRESS, _PROGRAM = (
    HASHED_FIELDS.index(name) for name in ("prompt_hash", "system_prompt_hash", "model", "client_ip", "user_agent")
)
(_INPUT, _OUTPUT, _CACHED, _REASONING, _STATUS, _LOGPROBS, _STREAM, _ASN, _N, _TOOLS, _MAX, _TEMPERATURE) = (
    NUMBER_FIELDS.index(name)
    for name in (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "reasoning_tokens",
        "status",
        "logprobs",
        "stream",
        "asn",
        "n",
        "tools",
        "max_tokens",
        "temperature",
    )
)
_ONE, _WORD, _WORD_BITS, _PROMPT_BITS = np.uint64(1), np.uint64(6), np.uint64(63), np.uint64(511)
_PROMPT_PLACES = 512.0
_BIN_BITS = np.uint64(BINS - 1)
_BAND_BITS = np.uint64(0xFFFF)
_SIXTEEN = np.uint64(16)
#: An answer this near to `max_tokens` was cut off by it.
_LONGEST_SHARE = 0.98
_LONGEST_GAP_S = 3600.0
_ODD = np.uint64(0x9E3779B97F4A7C15)


@numba.njit(cache=True, inline="always")
def _is_near(bands, simhash):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for b in range(BANDS):
        band = np.uint16((simhash >> (np.uint64(b) * _SIXTEEN)) & _BAND_BITS)
        for k in range(LATEST):
            if bands[b, k] == band:
                return True
    return False


@numba.njit(cache=True, inline="always")
def _remember(bands, place, simhash):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    for b in range(BANDS):
        bands[b, place] = np.uint16((simhash >> (np.uint64(b) * _SIXTEEN)) & _BAND_BITS)


@numba.njit(cache=True, inline="always")
def _parameters(numbers):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    # One number for the parameters that a program sets once and for all.
    value = np.uint64(numbers[_TEMPERATURE] * 1000.0 + 1.0)
    for column in (_MAX, _STREAM, _N, _TOOLS):
        value = mix(value * _ODD + np.uint64(numbers[column]))
    return value


@numba.njit(cache=True, inline="always")
def note_call(sums, mixes, prompts, bands, calls_before, gap_s, numbers, hashes, simhash):  # type: ignore[no-untyped-def] # pragma: no cover
    """Add a call to its account's open hour: `calls_before` are the account's calls so far, `gap_s` the time since then."""
    output = numbers[_OUTPUT]
    sums[0] += 1.0
    if hashes[_PROMPT] != 0:
        place = mix(hashes[_PROMPT]) & _PROMPT_BITS
        prompts[np.int64(place >> _WORD)] |= _ONE << (place & _WORD_BITS)
    else:
        sums[FRESH] += 1.0
    if simhash != 0:
        if calls_before > 0 and _is_near(bands, simhash):
            sums[1] += 1.0
        _remember(bands, calls_before % LATEST, simhash)
    sums[2] += output
    sums[3] += numbers[_INPUT]
    sums[4] += numbers[_REASONING]
    sums[5] += numbers[_LOGPROBS]
    sums[6] += numbers[_CACHED]
    sums[7] += 1.0 if numbers[_CACHED] > 0 else 0.0
    sums[8] += 1.0 if numbers[_TOOLS] > 0 else 0.0
    sums[9] += 1.0 if numbers[_MAX] > 0 and output >= _LONGEST_SHARE * numbers[_MAX] else 0.0
    sums[10] += 1.0 if numbers[_STATUS] == 429 else 0.0
    if calls_before > 0:
        log_gap = math.log1p(min(gap_s, _LONGEST_GAP_S))
        sums[11] += log_gap
        sums[12] += log_gap * log_gap
        sums[13] += 1.0
    # A call without an answer counts a little too, so that there is a mix wherever there are calls.
    weight = output + 1.0
    origin = np.uint64(numbers[_ASN]) if numbers[_ASN] > 0 else hashes[_ADDRESS]
    mixes[0, np.int64(mix(hashes[_SYSTEM] + _ODD) & _BIN_BITS)] += weight
    mixes[1, np.int64(mix(hashes[_MODEL] + _ODD) & _BIN_BITS)] += weight
    mixes[2, np.int64(mix(hashes[_PROGRAM] + _ODD) & _BIN_BITS)] += weight
    mixes[3, np.int64(mix(origin + _ODD) & _BIN_BITS)] += weight
    mixes[4, np.int64(mix(_parameters(numbers) + _ODD) & _BIN_BITS)] += weight


@numba.njit(cache=True)
def take_hour(sums, mixes, prompts, out):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    """Write a closed hour to a row of `BEHAVIOURS` columns, and empty it."""
    seen = 0.0
    for k in range(prompts.size):
        bits = prompts[k]
        prompts[k] = 0
        while bits != 0:
            bits &= bits - _ONE
            seen += 1.0
    distinct = _PROMPT_PLACES * math.log(_PROMPT_PLACES / max(_PROMPT_PLACES - seen, 0.5))
    sums[FRESH] = min(sums[0], sums[FRESH] + distinct)
    for k in range(SUMS):
        out[k] = sums[k]
        sums[k] = 0.0
    for m in range(MIXES):
        for k in range(BINS):
            out[SUMS + m * BINS + k] = mixes[m, k]
            mixes[m, k] = 0.0
