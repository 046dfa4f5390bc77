"""Who may ask: only who has the token, only by this machine's own name, only from the page itself.

The token stands in the address of the page and in a header of all other requests. A cookie would do less: browsers send
those of 127.0.0.1 to whatever listens on any of its ports. A page of another origin can neither read the token nor send
the header, since no request with one of its own is allowed across origins (no CORS here).
"""

from __future__ import annotations

from secrets import compare_digest

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-heatproof-token"
FIXED = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guard:
    """Refuses every request that is not the page's own, before anything else reads it.

    Args:
        port: that the server listens on.
        token: that every request needs.
        once: opens the page a single time in the token's place, since other users of the machine see the address with
            which a browser is started; "" for none.
        policy: Content-Security-Policy of every answer.
    """

    def __init__(self, app: ASGIApp, port: int, token: str, policy: str, once: str = "") -> None:
        self.app, self.token, self.once = app, token, once
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.headers = {**FIXED, "content-security-policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        answer = self._answer(Request(scope)) if scope["type"] == "http" else PlainTextResponse("only HTTP", 403)
        await (answer or self.app)(scope, receive, with_headers)

    def _answer(self, request: Request) -> Response | None:
        """A refusal, or where to go instead; None for the page's own requests."""
        if request.headers.get("host", "") not in self.hosts:
            return _refused("this name is not one of the server's; open the address that heatproof serve printed")
        if request.method == "POST" and request.headers.get("origin", "") not in {f"http://{h}" for h in self.hosts}:
            return _refused("this request comes from another page")
        if self.once and request.url.path == "/" and same(request.query_params.get("once", ""), self.once):
            self.once = ""
            return RedirectResponse(f"/?token={self.token}", 303)
        page = request.method == "GET" and request.url.path == "/"
        given = request.query_params.get("token", "") if page else request.headers.get(HEADER, "")
        if not same(given, self.token):
            return _refused("the token is missing or wrong; open the address that heatproof serve printed, all of it")
        return None


def same(given: str, token: str) -> bool:
    """Whether two texts are the same, in a time that tells nothing of where they differ."""
    return compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def _refused(why: str) -> Response:
    return PlainTextResponse(f"heatproof: {why}\n", 403)
