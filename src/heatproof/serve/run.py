"""The server on this machine's own address, until it is interrupted."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from ..errors import HeatproofError, InputError
from .served import Served

LOOPBACK = "127.0.0.1"


def run_server(
    models: Sequence[Served], port: int = 0, open_browser: bool = False, tell: Callable[[str], object] = print
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        port: 0 takes a free one.
        open_browser: show the page in the browser of this machine.
        tell: called with the address of the page, its token in it, once the server listens.

    Raises:
        HeatproofError: starlette or uvicorn is not installed. InputError: the port is taken.
    """
    check_installed()
    from .app import make_app
    from .session import Session

    token, once = secrets.token_urlsafe(32), secrets.token_urlsafe(32) if open_browser else ""
    with bound(port) as listening:
        number = listening.getsockname()[1]
        app = make_app(Session(models), number, token, once)
        tell(f"http://{LOOPBACK}:{number}/?token={token}")
        if once:
            _shown(f"http://{LOOPBACK}:{number}/?once={once}")
        server_of(app).run(sockets=[listening])


def server_of(app: Any) -> Any:
    """uvicorn's server of an app; it writes no log of addresses, which hold the token."""
    import uvicorn

    config = uvicorn.Config(
        app, http="h11", ws="none", loop="asyncio", log_level="warning", access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    handle = server.handle_exit

    def ending(sig: int, frame: FrameType | None) -> None:
        app.state.end()  # else what still streams is cut off, with a traceback
        handle(sig, frame)

    server.handle_exit = ending  # type: ignore[method-assign]
    return server


def check_installed() -> None:
    """Raise where the extra is missing: to be asked before models are loaded."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise HeatproofError(
            f"{error.name} is not installed; install it with: pip install 'heatproof[serve]'"
        ) from error


def bound(port: int) -> socket.socket:
    """A socket that listens on a port of this machine alone; 0 takes a free one."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((LOOPBACK, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise InputError(
            f"--port {port} cannot be used ({error}); give another, or leave it out for a free one"
        ) from error
    return listening


def _shown(address: str) -> None:
    """Started before the server is: the browser waits until it answers."""
    import webbrowser

    webbrowser.open(address)
