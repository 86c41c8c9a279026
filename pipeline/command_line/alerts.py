"""`stillwatch alerts run` and `stillwatch alerts test`: tell people and programs of incidents."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from pipeline.command_line.errors import Failure, Misuse
from pipeline.command_line.options import Common

if TYPE_CHECKING:
    from pipeline.alerts.follow import Follower
    from pipeline.settings import AlertTarget, Settings

#: The embedded broker waits half of it before a group may read.
EMBEDDED_SESSION_S = 2.0


def run(
    *,
    from_beginning: Annotated[bool, Parameter(name="--from-beginning", negative=())] = False,
    until_idle: Annotated[float | None, Parameter(name="--until-idle", validator=validators.Number(gt=0))] = None,
    common: Common | None = None,
) -> None:
    """Tell the targets of the settings of every incident, until SIGTERM or Ctrl-C.

    Follows the topic of incidents, each target in a consumer group of its own; see docs/alerts.md.

    Parameters
    ----------
    from_beginning
        A target that was never told anything hears of what is in the topic, not only of what comes from now on.
    until_idle
        Seconds without anything to tell after which it stops by itself.
    """
    options = common or Common()
    settings = options.settings()
    _targets(settings, ())
    asyncio.run(_follow_all(settings, from_beginning, until_idle))


def send_test(*names: str, common: Common | None = None) -> None:
    """Send a test message to the targets of the settings, or to those named, and say whether it arrived.

    Parameters
    ----------
    names
        Targets to send to; all by default.
    """
    options = common or Common()
    targets = _targets(options.settings(), names)
    failed = asyncio.run(_send_samples(targets))
    if failed:
        raise Failure(f"{failed} of {len(targets)} targets were not reached")


def _targets(settings: Settings, names: tuple[str, ...]) -> tuple[AlertTarget, ...]:
    there = {target.name: target for target in settings.alerts.targets}
    if not there:
        raise Misuse("alerts: the settings have no [[alerts.targets]]; see docs/alerts.md")
    unknown = [name for name in names if name not in there]
    if unknown:
        raise Misuse(f"alerts: there is no target {unknown[0]!r}; there are {', '.join(there)}")
    return tuple(there[name] for name in names) or settings.alerts.targets


async def _send_samples(targets: tuple[AlertTarget, ...]) -> int:
    from pipeline.alerts.delivery import deliver
    from pipeline.alerts.follow import sample
    from pipeline.alerts.pace import Message
    from pipeline.alerts.targets import sender_of

    failed = 0
    for target in targets:
        sender = sender_of(target, os.environ)
        outcome = await deliver(Message((sample(target.severity),)), sender, 0.0)
        await sender.close()
        failed += not outcome.arrived
        print(f"{target.name} ({target.kind}): {'arrived' if outcome.arrived else outcome.reason}")
    return failed


async def _follow_all(settings: Settings, from_beginning: bool, until_idle_s: float | None) -> None:
    from pipeline.alerts.follow import Follower
    from pipeline.alerts.targets import sender_of
    from pipeline.stream.address import bootstrap_servers, parse_address
    from pipeline.stream.security import security_of

    address = parse_address(settings.stream.broker)
    servers, security = bootstrap_servers(address), security_of(settings.stream)
    followers = [
        Follower(
            target,
            sender_of(target, os.environ),
            servers=servers,
            security=security,
            topic=settings.stream.incidents_topic,
            group=settings.alerts.group,
            session_timeout_s=EMBEDDED_SESSION_S if address.embedded else settings.stream.session_timeout_s,
            # The embedded broker lives as long as its worker and does not know where a topic ends.
            from_beginning=from_beginning or address.embedded,
            say=lambda line: print(f"stillwatch: {line}", file=sys.stderr, flush=True),
        )
        for target in settings.alerts.targets
    ]
    tasks = [asyncio.create_task(one.run(until_idle_s), name=one.target.name) for one in followers]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, tasks)
    try:
        await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        print(_report(followers), file=sys.stderr)


def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()


def _report(followers: list[Follower]) -> str:
    told = ", ".join(f"{one.target.name} {one.delivered} told, {one.failed} not" for one in followers)
    return f"stillwatch: stopped; {told}"
