"""Bytewax as its documentation has it: `KafkaSource`, a key, `stateful_map`, in one worker."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import operators as kop
from bytewax.connectors.stdio import StdOutSink
from bytewax.dataflow import Dataflow
from bytewax.testing import run_main
from river.anomaly import HalfSpaceTrees

from bench.speed.same_work.work import Stopwatch, arguments, new_model, score_and_learn


def main(server: str, topic: str, events: int) -> None:
    watch = Stopwatch(events)

    def keyed(message: Any) -> tuple[str, dict[str, Any]]:
        watch.start()
        call = msgspec.json.decode(message.value)
        return call["account_id"], call

    def score(model: HalfSpaceTrees | None, call: dict[str, Any]) -> tuple[HalfSpaceTrees, float]:
        model = model or new_model()
        value = score_and_learn(model, call.get("input_tokens"), call.get("output_tokens"))
        watch.done()
        return model, value

    flow = Dataflow("bench")
    source = kop.input("in", flow, brokers=[server], topics=[topic])
    scores = op.stateful_map("score", op.map("key", source.oks, keyed), score)
    # A dataflow needs an output; nothing reaches it.
    op.output("out", op.filter("none", scores, lambda _: False), StdOutSink())
    run_main(flow)


if __name__ == "__main__":
    main(*arguments())
