"""Stillwatch's Faust app on its batching transport, with the same work in place of the engine."""

from __future__ import annotations

import asyncio
from typing import Any

import faust
import msgspec

from bench.speed.same_work.work import Call, Models, Stopwatch, arguments, new_group
from pipeline.settings import StreamSettings
from pipeline.stream.app import create_stream_app


def main(server: str, topic: str, events: int) -> None:
    models, watch = Models(), Stopwatch(events)
    decode = msgspec.json.Decoder(Call).decode
    settings = StreamSettings(broker=f"kafka://{server}", group=new_group("stillwatch"), session_timeout_s=6.0)
    app = create_stream_app(settings, [server], web=False)

    async def score(stream: Any) -> None:
        async for event in stream.noack().events():
            for record in event.value.records:
                watch.start()
                call = decode(record.value)
                models.score(call.account_id, call.input_tokens, call.output_tokens)
                watch.done()
            app.consumer.ack(event.message)

    app.agent(app.topic(topic, value_type=bytes), name="score")(score)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = faust.Worker(app, loop=loop, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main(*arguments())
