"""Calls packed into rows of fixed size, and put in the order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.event import ApiCall
from replay.scenarios.calls import Stream
from replay.scenarios.identity import REASONING_MODELS, Identity
from replay.scenarios.rhythm import DAY_MS
from replay.scenarios.workload import Columns

#: One call: its time, the place of its stream among all streams, what was drawn for it, what it uses of the identity.
ROW = np.dtype(
    [
        ("ts", np.int64),
        ("sender", np.int32),
        ("event", np.uint64),
        ("input_tokens", np.int32),
        ("cached_tokens", np.int32),
        ("output_tokens", np.int32),
        ("reasoning_share", np.float64),
        ("prompt", np.uint64),
        ("simhash", np.uint64),
        ("status", np.int16),
        ("stream", np.bool_),
        ("logprobs", np.bool_),
        ("speed", np.float64),
        ("first_token_ms", np.float64),
        ("key", np.int32),
        ("address", np.int32),
        ("user_agent", np.int16),
        ("model", np.int16),
    ]
)
Rows = NDArray[np.void]

_CHOSEN = ("key", "address", "user_agent", "model")
#: Rows that become Python objects at a time.
_CHUNK = 10_000
_ERRORS = {400: "invalid_request_error", 429: "rate_limit_error", 500: "server_error"}


@dataclass(frozen=True, slots=True)
class Sender:
    """What all calls of a stream have in common."""

    identity: Identity
    n: int
    temperature: float | None
    max_tokens: int | None
    tools: int
    system_prompt: str | None


def sender_of(stream: Stream) -> Sender:
    """What the stream's calls have in common."""
    work = stream.workload
    return Sender(stream.identity, work.n, work.temperature, work.max_tokens, work.tools, work.system_prompt)


def rows_of(stream: Stream, sender: int) -> Rows:
    """The stream's calls as `ROW`s, `sender` being its place."""
    rows = np.empty(stream.times.size, ROW)
    rows["ts"], rows["sender"] = stream.times, sender
    for field in fields(Columns):
        rows[field.name] = getattr(stream.columns, field.name)
    for place, name in enumerate(_CHOSEN):
        rows[name] = stream.choices[:, place]
    return rows


def by_day(rows: Rows) -> Iterator[tuple[int, Rows]]:
    """Rows in the order of time, cut at midnight (UTC): each day since the epoch with its rows."""
    days, begins = np.unique(rows["ts"] // DAY_MS, return_index=True)
    bounds = [*begins.tolist(), rows.size]
    for index, day in enumerate(days.tolist()):
        yield day, rows[bounds[index] : bounds[index + 1]]


def in_order(streams: Sequence[Stream]) -> Iterator[ApiCall]:
    """The calls of all streams by time; at one time in the order of `streams`."""
    senders = [sender_of(stream) for stream in streams]
    days: dict[int, list[Rows]] = defaultdict(list)
    for index, stream in enumerate(streams):
        for day, rows in by_day(rows_of(stream, index)):
            days[day].append(rows)
    for day in sorted(days):
        yield from calls_of(np.concatenate(days.pop(day)), senders)


def calls_of(rows: Rows, senders: Sequence[Sender]) -> Iterator[ApiCall]:
    """The rows as calls, by time; those of one time stay in the order of `rows`."""
    order = np.argsort(rows["ts"], kind="stable")
    for begin in range(0, order.size, _CHUNK):
        for row in rows[order[begin : begin + _CHUNK]].tolist():
            yield _call(row, senders[row[1]])


def _call(row: tuple[Any, ...], sender: Sender) -> ApiCall:
    (
        ts,
        _,
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
        key,
        place,
        agent,
        model,
    ) = row
    who = sender.identity
    model_name = who.models[model]
    latency = first + speed * tokens_out
    return ApiCall(
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
        n=sender.n,
        temperature=sender.temperature,
        max_tokens=sender.max_tokens,
        logprobs=logprobs or None,
        tools=sender.tools or None,
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
        system_prompt_hash=sender.system_prompt,
    )
