"""Live updates: one look at the store for all pages that listen, told as server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from pipeline.console.reading import Access
from pipeline.store.errors import StoreError

if TYPE_CHECKING:
    from pipeline.console.context import Context

LOOK_EVERY_S = 2.0
_STILL_HERE_EVERY_S = 15.0
MOST_LISTENERS = 32


class Pulse:
    """Notices that something was written, while anybody listens."""

    def __init__(self, access: Access, database: str, every_s: float = LOOK_EVERY_S) -> None:
        self._access = access
        self._database = database
        self._every_s = every_s
        self._told = ""
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    async def listen(self, known: str) -> str:
        """What the store is now, as soon as that is another than `known`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._told not in ("", known))
            return self._told

    def join(self) -> bool:
        """Begin to listen; False when there are as many listeners as there may be."""
        if self._listeners >= MOST_LISTENERS:
            return False
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        return True

    def leave(self) -> None:
        """Listen no more."""
        self._listeners -= 1

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        while self._listeners:
            try:
                found = await self._access.records("revision", database=self._database)
                told = f"at {found[0]['revision']}"
            except StoreError as error:
                told = f"away {error}"
            async with self._changed:
                self._told = told
                self._changed.notify_all()
            await asyncio.sleep(self._every_s)


async def stream(request: web.Request, context: Context, secret: str | None) -> web.StreamResponse:
    """Tell a page that what it shows has changed, until it goes away or its session ends."""
    pulse = context.pulse
    if not pulse.join():
        raise web.HTTPServiceUnavailable(reason=f"more than {MOST_LISTENERS} pages listen: close some")
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
    )
    try:
        await answer.prepare(request)
        known = ""
        while context.sign_in.session(secret) is not None:
            try:
                known = await asyncio.wait_for(pulse.listen(known), _STILL_HERE_EVERY_S)
            except TimeoutError:
                await answer.write(b": still here\n\n")
                continue
            what, _, detail = known.partition(" ")
            await answer.write(f"event: {what}\ndata: {' '.join(detail.split())}\n\n".encode())
        await answer.write(b"event: ended\ndata: the session has ended\n\n")
    except ConnectionResetError:
        pass
    finally:
        pulse.leave()
    return answer
