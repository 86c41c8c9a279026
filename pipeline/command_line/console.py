"""`stillwatch console`: the web page."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from pipeline.command_line.errors import Failure
from pipeline.command_line.options import Common

TOKEN_VARIABLE = "STILLWATCH_CONSOLE_TOKEN"


def console(
    *,
    host: Annotated[str, Parameter(name="--host")] = "127.0.0.1",
    port: Annotated[int, Parameter(name="--port", validator=validators.Number(gte=0, lte=65535))] = 8600,
    read_only: Annotated[bool, Parameter(name="--read-only", negative=())] = False,
    token_file: Annotated[Path | None, Parameter(name="--token-file")] = None,
    worker: Annotated[str | None, Parameter(name="--worker")] = None,
    allow_host: Annotated[tuple[str, ...], Parameter(name="--allow-host", negative=())] = (),
    session_hours: Annotated[float, Parameter(name="--session-hours", validator=validators.Number(gt=0))] = 12.0,
    common: Common | None = None,
) -> int:
    """Serve the console until Ctrl-C: accounts by risk, incidents to triage, campaigns, the stream's health, replays.

    Prints a link that signs in. The token in it is made anew at each start, unless --token-file or STILLWATCH_CONSOLE_TOKEN
    gives one, which is not printed.

    Parameters
    ----------
    host
        Address to listen on.
    port
        Port to listen on; 0 takes any free one.
    read_only
        Refuse everything that writes; the store is opened read only.
    token_file
        File with the token, 16 characters or more.
    worker
        Address of a worker's page; http://127.0.0.1 and stream.web_port by default, empty for none.
    allow_host
        A name, without port, by which the console is reached besides this machine's own, as behind a proxy; may be repeated.
    session_hours
        Hours after which one must sign in anew.
    """
    from pipeline.command_line.connect import open_store
    from pipeline.console.server import Serving, serve
    from pipeline.console.sign_in import new_token

    settings = (common or Common()).settings()
    given = token_given(token_file, os.environ)
    token = given or new_token()
    if worker is None:
        worker = f"http://127.0.0.1:{settings.stream.web_port}" if settings.stream.web_port else ""
    names = frozenset(_in_brackets(name.lower()) for name in (host, *allow_host))
    serving = Serving(
        token=token,
        host=host,
        port=port,
        read_only=read_only,
        worker=worker,
        allowed_hosts=names,
        session_s=session_hours * 3600,
    )

    def ready(actual: int) -> None:
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else _in_brackets(host)
        link = f"http://{shown}:{actual}/"
        mode = ", read only" if read_only else ""
        print(f"console{mode}: {link if given else f'{link}#token={token}'} (Ctrl-C stops it)", flush=True)

    if host not in ("127.0.0.1", "localhost", "::1"):
        print(
            f"stillwatch: {host} can be reached from other machines, without TLS: put a proxy with TLS before it",
            file=sys.stderr,
        )
    serve(lambda: open_store(settings, through_holder=True), settings, serving, ready)
    return 0


def token_given(file: Path | None, environ: Mapping[str, str]) -> str:
    """The token of the file, or of the environment; empty for neither. Raises `Failure`."""
    from pipeline.console.sign_in import SHORTEST_TOKEN

    if file is not None:
        try:
            token, where = file.read_text().strip(), str(file)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise Failure(f"--token-file {file} cannot be read: {reason}: name a file with the token") from None
    else:
        token, where = environ.get(TOKEN_VARIABLE, "").strip(), TOKEN_VARIABLE
        if not token:
            return ""
    if len(token) < SHORTEST_TOKEN:
        raise Failure(
            f"{where} has a token of less than {SHORTEST_TOKEN} characters: make one with `openssl rand -hex 32`"
        )
    return token


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
