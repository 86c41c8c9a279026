"""The benchmark's questions have answers: its store is filled as it says, in small."""

from bench.queries.__main__ import DAYS, OTHERS, OWN, fill, questions
from pipeline.store.client import Store

ACCOUNTS = 2_500


def test_every_question_is_answered(chdb_store: Store) -> None:
    events = DAYS * 60
    fill(chdb_store, events, ACCOUNTS)
    assert chdb_store.query_rows("SELECT count() FROM call_scores") == [(events,)]
    ((calls, output_tokens),) = chdb_store.query_rows(
        "SELECT sum(calls), sum(output_tokens) FROM account_windows WHERE window_s = 600"
    )
    assert (calls, output_tokens) == chdb_store.query_rows("SELECT count(), sum(output_tokens) FROM api_calls")[0]
    answered = set()
    with chdb_store.read_only() as reader:
        for name, sql, asked in questions(ACCOUNTS, 30):
            if reader.query_rows(sql, {key: value for key, value in asked.items() if f"{{{key}:" in sql}):
                answered.add(name)
    assert answered == {*OWN, *OTHERS}
