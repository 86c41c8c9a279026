"""Faust as its documentation has it: an agent with `async for event in stream`."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import faust

from bench.speed.same_work.work import Models, Stopwatch, arguments, new_group


def main(server: str, topic: str, events: int) -> None:
    models, watch = Models(), Stopwatch(events)
    app = faust.App(
        new_group("faust"),
        broker=f"kafka://{server}",
        value_serializer="json",
        topic_disable_leader=True,
        topic_allow_declare=False,
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        # Only the join is shorter by these: the embedded broker answers it after half the session timeout.
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.5,
    )

    @app.agent(app.topic(topic))
    async def score(stream: Any) -> None:
        async for call in stream:
            watch.start()
            models.score(call["account_id"], call.get("input_tokens"), call.get("output_tokens"))
            watch.done()

    sys.argv[1:] = ["worker", "-l", "error"]
    app.main()


if __name__ == "__main__":
    main(*arguments())
