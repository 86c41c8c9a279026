"""The calls of one account, from its identity, times and workload; and those of many in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.event import ApiCall
from replay.scenarios.identity import REASONING_MODELS, Identity, Random
from replay.scenarios.workload import Columns, Workload, draw

_ERRORS = {400: "invalid_request_error", 429: "rate_limit_error", 500: "server_error"}


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls that belong together: one identity's, with one workload, at `times` (ascending, epoch milliseconds)."""

    identity: Identity
    times: NDArray[np.int64]
    columns: Columns
    workload: Workload
    choices: NDArray[np.int64]
    """(calls, 4): which key, address, user agent and model each call uses."""


def new_stream(identity: Identity, times: NDArray[np.int64], workload: Workload, random: Random) -> Stream:
    """Draw what the calls at `times` carry. Keys are used one after the other, the rest at random, the first most."""
    count = times.size
    keys = np.arange(count) * len(identity.key_ids) // max(count, 1)
    others = [
        np.minimum(random.geometric(0.6, size=count) - 1, len(choices) - 1)
        for choices in (identity.addresses, identity.user_agents, identity.models)
    ]
    return Stream(
        identity,
        times,
        draw(workload, times, random),
        workload,
        np.column_stack([keys, *others]).astype(np.int64),
    )


def in_order(streams: Sequence[Stream]) -> Iterator[ApiCall]:
    """The calls of all streams by time; at one time in the order of `streams`."""
    generators = (_calls(stream, index) for index, stream in enumerate(streams) if stream.times.size)
    for _, _, _, call in heapq.merge(*generators, key=lambda item: item[:3]):
        yield call


def _calls(stream: Stream, index: int) -> Iterator[tuple[int, int, int, ApiCall]]:
    who, work, columns = stream.identity, stream.workload, stream.columns
    rows = zip(
        stream.times.tolist(),
        columns.event.tolist(),
        columns.input_tokens.tolist(),
        columns.cached_tokens.tolist(),
        columns.output_tokens.tolist(),
        columns.reasoning_share.tolist(),
        columns.prompt.tolist(),
        columns.simhash.tolist(),
        columns.status.tolist(),
        columns.stream.tolist(),
        columns.logprobs.tolist(),
        columns.speed.tolist(),
        columns.first_token_ms.tolist(),
        stream.choices.tolist(),
        strict=True,
    )
    for number, row in enumerate(rows):
        (
            ts,
            event,
            tokens_in,
            cached,
            tokens_out,
            reasoning,
            prompt,
            simhash,
            status,
            streamed,
            logprobs,
            speed,
            first,
            use,
        ) = row
        key, place, agent, model = use
        model_name = who.models[model]
        latency = first + speed * tokens_out
        call = ApiCall(
            event_id=f"evt_{event:016x}",
            ts=ts,
            account_id=who.account_id,
            api_key_id=who.key_ids[key],
            org_id=who.org_id,
            project_id=who.project_id,
            payment_id=who.payment_id,
            signup_ts=who.signup_ts,
            operation="chat",
            endpoint="/v1/chat/completions",
            provider="example",
            model=model_name,
            stream=streamed,
            n=1,
            temperature=work.temperature,
            max_tokens=work.max_tokens,
            logprobs=logprobs or None,
            tools=work.tools or None,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cached_input_tokens=cached or None,
            reasoning_tokens=int(reasoning * tokens_out) if model_name in REASONING_MODELS else None,
            request_bytes=4 * tokens_in + 400,
            response_bytes=4 * tokens_out + 600,
            status=status,
            error_type=_ERRORS.get(status),
            latency_ms=round(latency, 1),
            ttft_ms=round(first, 1) if streamed and status == 200 else None,
            client_ip=who.addresses[place],
            asn=who.asn,
            country=who.country,
            user_agent=who.user_agents[agent],
            prompt_hash=f"{prompt:016x}",
            prompt_simhash=f"{simhash:016x}",
            system_prompt_hash=work.system_prompt,
        )
        yield ts, index, number, call
