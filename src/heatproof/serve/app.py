"""The addresses that the page asks: what there is, a photo, what the model says of it, maps, the quick test, exports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from ..catalogue import line_of
from ..errors import HeatproofError, InputError, out_of_memory
from ..types import METHODS, name_of, spec_of
from ..visible import visible
from .exports import audit_command, exported
from .guard import Guard
from .jobs import Busy, Event, Jobs
from .maps import explained, tested
from .page import page
from .pictures import png_uri
from .session import MOST_CLASSES, Asked, Session, safe_method
from .wire import Large, answer, body_of, line, object_of

UPLOAD = 40 * 2**20
"""Bytes of a photo's file."""
FIRST = ("gradcam", "gradient", "guided_backprop", "lrp", "rectgrad", "edge_map")
"""Methods that are ticked at first: quick ones, and a control that shows what a picture of edges looks like."""


def make_app(session: Session, port: int, token: str, once: str = "") -> Starlette:
    """The server of a page; see `Guard` for whom it answers."""
    html, policy = page()
    pages = _Pages(session, Jobs(), html)

    @asynccontextmanager
    async def alive(_: Starlette) -> AsyncIterator[None]:
        yield
        pages.jobs.close()

    posts: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "photo": pages.photo,
        "method": pages.method,
        "look": pages.look,
        "maps": partial(pages.stream, explained),
        "test": partial(pages.stream, tested),
        "command": pages.command,
        "export/{kind}": pages.export,
    }
    routes = [Route("/", pages.home), Route("/api/start", pages.start)]
    routes += [Route(f"/api/{name}", _told(handle), methods=["POST"]) for name, handle in posts.items()]
    guard = Middleware(Guard, port=port, token=token, policy=policy, once=once)
    app = Starlette(routes=routes, middleware=[guard], lifespan=alive)
    app.state.end = pages.jobs.close
    return app


class _Pages:
    """What each address answers."""

    def __init__(self, session: Session, jobs: Jobs, html: str) -> None:
        self.session, self.jobs, self.html = session, jobs, html

    async def home(self, request: Request) -> Response:
        return HTMLResponse(self.html)

    async def start(self, request: Request) -> Response:
        """Models and methods."""
        models = [
            {"name": one.name, "count": one.count, "names": list(one.names), "untrained": one.trained is False}
            for one in self.session.models
        ]
        methods = [
            {"name": name, "line": line_of(METHODS[name]), "control": _is_control(name), "first": name in FIRST}
            for name in sorted(METHODS, key=lambda name: (_is_control(name), name not in FIRST, name))
        ]
        return answer({"models": models, "methods": methods, "most": MOST_CLASSES, "megabytes": UPLOAD // 2**20})

    async def photo(self, request: Request) -> Response:
        """Take in a photo: its file is the body."""
        data = await body_of(request, UPLOAD)
        name = visible(request.query_params.get("name", "") or "photo")[-200:]
        return answer({"photo": await self.jobs.result(lambda: self.session.add_photo(data, name)), "name": name})

    async def method(self, request: Request) -> Response:
        """What a text of the user's names."""
        made = safe_method((await object_of(request)).get("text"))
        return answer({"name": name_of(made), "line": line_of(made)})

    async def look(self, request: Request) -> Response:
        """What the model sees in the photo, and what it says of it."""
        asked = self.session.asked(await object_of(request))

        def looked() -> dict[str, Any]:
            chances = asked.served.chances(asked.image.pixels)
            picture = asked.image.picture(0)
            return {
                "picture": png_uri(picture), "height": picture.shape[0], "width": picture.shape[1],
                "chances": [round(chance, 5) for chance in chances.tolist()],
                "best": chances.argsort(descending=True, stable=True)[:5].tolist(),
            }  # fmt: skip

        return answer(await self.jobs.result(looked))

    async def stream(self, work: Callable[[Session, Asked], Iterator[Event]], request: Request) -> Response:
        """One line of JSON for each event, as they come."""
        asked = self.session.asked(await object_of(request))
        if not asked.classes or not asked.methods:
            raise InputError("choose at least one class and one method")

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for event in self.jobs.events(work(self.session, asked), request.is_disconnected):
                    yield line(event)
            except Busy as error:
                yield line({"event": "failed", "why": str(error)})

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    async def command(self, request: Request) -> Response:
        return answer({"command": audit_command(self.session.asked(await object_of(request)))})

    async def export(self, request: Request) -> Response:
        asked = self.session.asked(await object_of(request))
        data, media = await self.jobs.result(lambda: exported(self.session, asked, request.path_params["kind"]))
        return Response(data, media_type=media)


def _told(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Errors of ours, and too little memory, as a text that the page shows."""

    async def tried(request: Request) -> Response:
        try:
            return await handle(request)
        except HeatproofError as error:
            return answer({"error": str(error)}, 413 if isinstance(error, Large) else 400)
        except Exception as error:
            if not out_of_memory(error):
                raise
            return answer({"error": "out of memory; a smaller photo needs less"}, 400)

    return tried


def _is_control(name: str) -> bool:
    spec = spec_of(METHODS[name])
    return spec is not None and not spec.uses_model
