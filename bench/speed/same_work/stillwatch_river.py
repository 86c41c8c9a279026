"""The same agent with River's own models, event by event as the peers have them: what the batching transport alone gives."""

from __future__ import annotations

from collections.abc import Sequence

from bench.speed.same_work.stillwatch import main
from bench.speed.same_work.work import Call, Models, arguments


def score_with(models: Models, calls: Sequence[Call]) -> None:
    """Score the calls one by one."""
    for call in calls:
        models.score(call.account_id, call.input_tokens, call.output_tokens)


if __name__ == "__main__":
    models = Models()
    main(*arguments(), lambda calls: score_with(models, calls))
