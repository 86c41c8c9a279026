"""`stillwatch worker`: runs the Faust worker."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.command_line.errors import Misuse
from pipeline.command_line.options import Common


def worker(
    *,
    web_port: Annotated[int | None, Parameter(name="--web-port", validator=validators.Number(gte=0, lte=65535))] = None,
    run_id: Annotated[str, Parameter(name="--run-id")] = "live",
    workers: Annotated[int, Parameter(name="--workers", validator=validators.Number(gte=1, lte=256))] = 1,
    until_idle: Annotated[float | None, Parameter(name="--until-idle", validator=validators.Number(gt=0))] = None,
    common: Common | None = None,
) -> None:
    """Run the Faust worker: events in, verdicts out.

    Reads api-calls, scores, writes to the store and publishes incidents, until SIGTERM or Ctrl-C; then it finishes what it
    has begun, commits, and leaves the group. With the embedded broker it starts one, which other commands run in this
    folder find. Several workers share the partitions of a Kafka cluster.

    Parameters
    ----------
    web_port
        Port of /health and /metrics; 0 takes any free one.
    run_id
        The run_id of the rows written.
    workers
        Processes of one group that share the partitions; their web pages are on the port given and those after it.
    until_idle
        Seconds without an event, once there was one, after which it stops by itself.
    """
    options = common or Common()
    settings = options.settings()
    from msgspec.structs import replace

    from pipeline.stream.run import run_worker

    if web_port is not None:
        settings = replace(settings, stream=replace(settings.stream, web_port=web_port))
    # The program takes --debug for all commands, before this one sees its options.
    debug = "--debug" in sys.argv
    if workers == 1:
        run_worker(settings, run_id=run_id, until_idle_s=until_idle, debug=debug)
        return
    if until_idle is not None:
        raise Misuse("worker: --until-idle is for one worker; leave it out, or --workers")
    from pipeline.stream.several import run_workers

    run_workers(settings, workers, run_id=run_id, debug=debug)
