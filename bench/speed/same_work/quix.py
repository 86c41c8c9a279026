"""Quix Streams as its documentation has it: a StreamingDataFrame with `apply`, in one process.

Its own state holds JSON in RocksDB, not Python objects, so the models are in a dictionary of the process.
"""

from __future__ import annotations

import tempfile
from typing import Any

from quixstreams import Application

from bench.speed.same_work.work import Models, Stopwatch, arguments, new_group


def main(server: str, topic: str, events: int) -> None:
    models, watch = Models(), Stopwatch(events)
    app = Application(
        broker_address=server,
        consumer_group=new_group("quix"),
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=tempfile.mkdtemp(),
        loglevel="ERROR",
        # Only the join is shorter by these: the embedded broker answers it after half the session timeout.
        consumer_extra_config={"session.timeout.ms": 6000, "heartbeat.interval.ms": 1500},
    )

    def score(call: dict[str, Any]) -> float:
        watch.start()
        value = models.score(call["account_id"], call.get("input_tokens"), call.get("output_tokens"))
        watch.done()
        return value

    frame = app.dataframe(app.topic(topic, value_deserializer="json"))
    frame.apply(score)
    app.run(frame)


if __name__ == "__main__":
    main(*arguments())
