"""The page's own files: all there are is known at the start, so no path is ever looked up on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


def add_files(app: web.Application) -> None:
    """Serve the page at `/` and what it loads under `/static/`."""
    root = resources.files(__package__) / "static"
    for name, file in _walk(root, ""):
        kind = _TYPES.get(name.rpartition(".")[2])
        if kind is None:
            continue
        path = "/" if name == "index.html" else f"/static/{name}"
        app.router.add_get(path, _serving(file.read_bytes(), kind))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _serving(body: bytes, kind: str):  # type: ignore[no-untyped-def]
    tag = hashlib.sha256(body).hexdigest()[:16]

    async def serve(request: web.Request) -> web.Response:
        # Asked for each time, sent again only when it is another: an upgraded console never runs with an old page.
        if any(etag.value == tag for etag in request.if_none_match or ()):
            response = web.Response(status=304)
        else:
            response = web.Response(body=body, content_type=kind, charset="utf-8")
        response.etag = tag
        response.headers["Cache-Control"] = "no-cache"
        return response

    return serve
