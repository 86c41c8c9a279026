"""Accounts that leave memory for the store: the rows are those of a worker that kept all of them, whatever is killed."""

import random
import re
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline.event import ApiCall
from tests.faults.test_stream_recovery import START, TABLES, send
from tests.faults.test_stream_worker import Deployment, committed

pytestmark = pytest.mark.broker
DAY_MS = 86_400_000
#: Of a partition; there are four.
RESIDENT = 25
EVICTING = ("--set", f"engine.resident_accounts={RESIDENT}", "--set", "stream.checkpoint_s=0.2")


def passers_by(days: int, each_day: int) -> Iterator[ApiCall]:
    """New accounts every day with one call each, and twenty regular ones that come back every fifth day."""
    choose = random.Random(2)
    for day in range(days):
        names = [f"passer-{day}-{number}" for number in range(each_day)]
        if day % 5 == 0:
            names += [f"regular-{number}" for number in range(20) for _ in range(10)]
        choose.shuffle(names)
        for number, name in enumerate(names):
            yield ApiCall(
                event_id=f"{day}-{number}",
                ts=START + day * DAY_MS + number * (DAY_MS // len(names)),
                account_id=name,
                input_tokens=choose.randrange(10, 900),
                output_tokens=choose.randrange(20, 4000),
                model=f"model-{choose.randrange(3)}",
                client_ip=f"10.0.0.{choose.randrange(30)}",
                system_prompt_hash=f"{choose.randrange(12):016x}",
            )


def number_of(deployment: Deployment, metric: str) -> float:
    found = re.findall(rf"^{metric} (\S+)", deployment.page("/metrics"), re.MULTILINE)
    return float(found[0]) if found else -1.0


def done(deployment: Deployment, events: int) -> bool:
    return deployment.health().get("state") == "ok" and committed(deployment) == events


@pytest.mark.kafka_only
def test_accounts_that_left_come_back_as_they_were_also_after_kills(broker: str, tmp_path: Path) -> None:
    calls = list(passers_by(16, 130))
    pieces = [calls[begin : begin + 110] for begin in range(0, len(calls), 110)]
    folders = [tmp_path / name for name in ("keeping", "evicting")]
    for folder in folders:
        folder.mkdir()
    keeping, evicting = (Deployment(broker, folder) for folder in folders)
    try:
        send(keeping, calls)
        keeping.start()
        keeping.until(lambda: done(keeping, len(calls)))
        assert number_of(keeping, "stillwatch_accounts_resident") == number_of(keeping, "stillwatch_accounts")
        assert keeping.end() == 0, keeping.log()
        sent = 0
        for number, piece in enumerate(pieces):
            if not evicting.workers:
                evicting.start(*EVICTING)
            send(evicting, piece)
            sent += len(piece)
            if number in (8, 17):
                # At work, and with accounts that have left.
                evicting.until(lambda: number_of(evicting, "stillwatch_accounts_evicted_total") > 0)
                evicting.end(signal.SIGKILL)
            else:
                evicting.until(partial(done, evicting, sent))
        assert number_of(evicting, "stillwatch_accounts_restored_total") > 0
        assert number_of(evicting, "stillwatch_accounts") == len({one.account_id for one in calls})
        assert evicting.end() == 0, evicting.log()
        assert "a new engine" not in evicting.log()
        for name, sql in TABLES.items():
            assert evicting.query(sql) == keeping.query(sql), name
        assert len(evicting.query("SELECT account_id FROM account_states FINAL")) > 500
    finally:
        keeping.close()
        evicting.close()
