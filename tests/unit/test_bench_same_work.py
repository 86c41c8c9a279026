"""The benchmark compares the same work: Stillwatch's compiled models give the scores of the peers' models."""

import random

import numpy as np

from bench.speed.same_work.stillwatch import CompiledModels
from bench.speed.same_work.work import Call, Models


def test_the_scores_are_those_of_rivers_models() -> None:
    choose = random.Random(4)
    calls = [
        Call(
            f"account-{choose.randrange(3)}",
            choose.choice([None, 0, choose.randrange(5_000)]),
            choose.randrange(3_000),
        )
        for _ in range(1_500)
    ]
    one_by_one = Models()
    expected = [one_by_one.score(call.account_id, call.input_tokens, call.output_tokens) for call in calls]
    batches = CompiledModels()
    found = np.concatenate([batches.score(calls[:700]), batches.score(calls[700:])])
    assert found.max() > 0.5
    np.testing.assert_array_equal(found, expected)
