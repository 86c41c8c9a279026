"""A loop by hand: aiokafka's `getmany`, msgspec, a model per account."""

from __future__ import annotations

import asyncio

import msgspec
from aiokafka import AIOKafkaConsumer

from bench.speed.same_work.work import Call, Models, Stopwatch, arguments


async def run(server: str, topic: str, events: int) -> None:
    models, watch = Models(), Stopwatch(events)
    decode = msgspec.json.Decoder(Call).decode
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=server, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            for record in records:
                watch.start()
                call = decode(record.value)
                models.score(call.account_id, call.input_tokens, call.output_tokens)
                watch.done()


if __name__ == "__main__":
    asyncio.run(run(*arguments()))
