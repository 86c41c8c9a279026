"""Stillwatch's Faust app on its batching transport, with the same work in place of the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import faust
import msgspec
import numpy as np

from bench.speed.same_work.work import MODEL, Call, Stopwatch, arguments, new_group
from pipeline.detectors.base import Float64
from pipeline.detectors.half_space_trees import HalfSpaceTreesDetector
from pipeline.engine.identity import AccountSlots
from pipeline.settings import StreamSettings
from pipeline.stream.app import create_stream_app


class CompiledModels:
    """The models of `work.Models`, a batch at a time: Stillwatch's compiled half-space trees."""

    def __init__(self) -> None:
        self._slots = AccountSlots()
        self._trees = HalfSpaceTreesDetector("trees", ("input", "output"), False, False, **MODEL)

    def score(self, calls: Sequence[Call]) -> Float64:
        """The score of each call before it is learnt, (N,)."""
        tokens = np.array([(call.input_tokens or 0, call.output_tokens or 0) for call in calls], np.float64)
        slots = self._slots.of([call.account_id for call in calls])
        return self._trees.judge(slots, tokens / (tokens + 1000.0), np.zeros_like(slots)).raw


def main(server: str, topic: str, events: int, score_batch: Callable[[Sequence[Call]], object]) -> None:
    """Consume `events` with `score_batch` for the calls of each fetched batch."""
    watch = Stopwatch(events)
    decode = msgspec.json.Decoder(Call).decode
    settings = StreamSettings(broker=f"kafka://{server}", group=new_group("stillwatch"), session_timeout_s=6.0)
    app = create_stream_app(settings, [server], web=False)

    async def score(stream: Any) -> None:
        async for event in stream.noack().events():
            watch.start()
            records = event.value.records
            score_batch([decode(record.value) for record in records])
            watch.done(len(records))
            app.consumer.ack(event.message)

    app.agent(app.topic(topic, value_type=bytes), name="score")(score)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    # Loads the compiled loops.
    CompiledModels().score([Call("nobody")])
    main(*arguments(), CompiledModels().score)
