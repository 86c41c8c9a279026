"""What calls carry: tokens, prompts, parameters and outcomes, as columns over the calls of one account."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from replay.scenarios.fitted import traffic
from replay.scenarios.identity import POPULAR_SYSTEM_PROMPTS, Random, token

Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

_LONGEST_CONTEXT = 120_000
_LONGEST_ANSWER = 16_000
#: A conversation that rests for longer has ended.
_CONVERSATION_PAUSE_MS = 1_800_000


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Token counts whose natural logarithm is normal."""

    mean: float
    deviation: float

    def draw(self, count: int, random: Random) -> Float64:
        """`count` values."""
        return random.lognormal(self.mean, self.deviation, size=count)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Token counts as a real client's or trace's: quantiles at the fitted grid, times a factor."""

    quantiles: tuple[float, ...]
    factor: float = 1.0

    def draw(self, count: int, random: Random) -> Float64:
        """`count` values, interpolated between the quantiles' logarithms."""
        logs = np.log(np.maximum(np.array(self.quantiles, float), 1.0))
        values: Float64 = self.factor * np.exp(np.interp(random.random(count), traffic().grid, logs))
        return values


@dataclass(frozen=True, slots=True)
class Workload:
    """How an account's calls look."""

    input_tokens: Lognormal | Fitted
    output_tokens: Lognormal | Fitted
    families: tuple[int, ...] = ()
    """Simhashes of the prompt templates in use; none means that every prompt is different."""
    family_bits: int = 3
    """Bits in which prompts of one template differ from it, at most."""
    repeated: float = 0.05
    """Share of calls whose prompt was sent before."""
    conversation: float = 0.0
    """Chance that a call continues a conversation, whose history is sent again."""
    system_prompt: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stream: float = 0.5
    logprobs: float = 0.0
    reasoning: float = 0.8
    """Share of output that is reasoning, for models that reason."""
    errors: float = 0.008
    throttled: float = 0.004
    tools: int = 0
    n: int = 1
    """Answers asked for by each call; output tokens are those of all."""


@dataclass(slots=True)
class Columns:
    """Calls of one account; all arrays of one length."""

    event: UInt64
    """Random ids, so that they tell nothing."""
    input_tokens: Int64
    cached_tokens: Int64
    output_tokens: Int64
    reasoning_share: NDArray[np.float64]
    prompt: UInt64
    simhash: UInt64
    status: Int64
    stream: NDArray[np.bool_]
    logprobs: NDArray[np.bool_]
    speed: NDArray[np.float64]
    """Milliseconds per output token."""
    first_token_ms: NDArray[np.float64]

    def of(self, chosen: NDArray[np.bool_]) -> Columns:
        """The columns of the chosen calls."""
        return Columns(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


def ordinary_workload(random: Random, kind: str | None = None) -> Workload:
    """A workload with the tokens of some real client, or of a trace: `chat`, `code` or `conversation`."""
    known = traffic()
    traces = {"chat": known.azure_conv, "code": known.azure_code, "conversation": known.mooncake}
    # Nobody is exactly like the one that was measured.
    factors = np.exp(random.normal(0.0, 0.3, size=2)).tolist()
    if kind is not None and random.random() < 0.5:
        incoming, outgoing = traces[kind]["input"], traces[kind]["output"]
    else:
        client = known.clients[int(random.integers(0, len(known.clients)))]
        incoming, outgoing = tuple(map(float, client.input)), tuple(map(float, client.output))
    shares = known.reasoning_shares
    return Workload(
        input_tokens=Fitted(incoming, factors[0]),
        output_tokens=Fitted(outgoing, factors[1]),
        system_prompt=_system_prompt(random),
        temperature=float(random.choice([0.0, 0.2, 0.7, 1.0])) if random.random() < 0.7 else None,
        max_tokens=int(random.choice([256, 512, 1024, 2048, 4096])) if random.random() < 0.6 else None,
        stream=float(random.choice([0.0, 1.0, 0.5], p=[0.45, 0.45, 0.1])),
        reasoning=shares[int(random.integers(0, len(shares)))],
        errors=float(random.beta(1.2, 120.0)),
        throttled=float(random.beta(0.6, 160.0)),
        tools=int(random.choice([0, 0, 0, 2, 6])),
    )


def new_families(random: Random, count: int) -> tuple[int, ...]:
    """Simhashes of `count` unrelated templates."""
    return tuple(int(value) for value in random.integers(0, 1 << 63, size=count, dtype=np.uint64) * np.uint64(2))


def draw(workload: Workload, times: Int64, random: Random) -> Columns:
    """Columns of the calls at `times` (ascending, epoch milliseconds)."""
    count = times.size
    incoming = workload.input_tokens.draw(count, random)
    outgoing = workload.output_tokens.draw(count, random)
    pause = np.diff(times, prepend=times[:1] - 2 * _CONVERSATION_PAUSE_MS)
    continues = (random.random(count) < workload.conversation) & (pause < _CONVERSATION_PAUSE_MS)
    history = np.zeros(count)
    for index in np.flatnonzero(continues).tolist():
        history[index] = history[index - 1] + incoming[index - 1] + outgoing[index - 1]
    history = np.minimum(history, _LONGEST_CONTEXT)
    limit = workload.max_tokens or _LONGEST_ANSWER
    uniform = random.random(count)
    status = np.where(uniform < workload.throttled, 429, 200)
    status = np.where((uniform >= workload.throttled) & (uniform < workload.throttled + workload.errors), 500, status)
    status = np.where((status == 500) & (random.random(count) < 0.5), 400, status)
    failed = status >= 400
    prompt, simhash = _prompts(workload, count, random)
    return Columns(
        event=random.integers(1, 1 << 63, size=count, dtype=np.uint64),
        input_tokens=np.minimum(incoming + history, _LONGEST_CONTEXT).astype(np.int64) + 1,
        cached_tokens=(0.8 * history).astype(np.int64),
        output_tokens=np.where(failed, 0, workload.n * (np.minimum(outgoing, limit).astype(np.int64) + 1)),
        reasoning_share=np.clip(random.normal(workload.reasoning, 0.08, size=count), 0.0, 0.98),
        prompt=prompt,
        simhash=simhash,
        status=status.astype(np.int64),
        stream=random.random(count) < workload.stream,
        logprobs=random.random(count) < workload.logprobs,
        speed=random.lognormal(2.7, 0.35, size=count),
        # A refusal is quick; an error may come late.
        first_token_ms=np.where(status == 429, 0.1, 1.0) * random.lognormal(5.8, 0.5, size=count),
    )


def _prompts(workload: Workload, count: int, random: Random) -> tuple[UInt64, UInt64]:
    prompt = random.integers(1, 1 << 63, size=count, dtype=np.uint64)
    if workload.families:
        families = np.array(workload.families, np.uint64)
        simhash = families[random.integers(0, families.size, size=count)]
        for _ in range(workload.family_bits):
            # Each flip happens in half of the prompts, so that they differ in up to `family_bits` bits.
            bit = np.uint64(1) << random.integers(0, 64, size=count, dtype=np.uint64)
            simhash = np.where(random.random(count) < 0.5, simhash ^ bit, simhash)
    else:
        simhash = random.integers(1, 1 << 63, size=count, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    again = np.flatnonzero(random.random(count) < workload.repeated)
    again = again[again > 0]
    earlier = (random.random(again.size) * again).astype(np.int64)
    prompt[again], simhash[again] = prompt[earlier], simhash[earlier]
    return prompt, simhash


def _system_prompt(random: Random) -> str | None:
    draw_of = random.random()
    if draw_of < 0.2:
        return None
    if draw_of < 0.6:
        weights = np.array([0.45, 0.25, 0.15, 0.1, 0.05])
        return POPULAR_SYSTEM_PROMPTS[int(random.choice(len(POPULAR_SYSTEM_PROMPTS), p=weights))]
    return token(random, 32)
