"""What goes over the wire: bodies of requests, as far as they are read, and answers, whose every text may be seen."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..errors import InputError
from ..visible import visible

OBJECT = 64 * 2**10
"""Bytes of a request that is no file."""


class Large(InputError):
    """More bytes than are read."""


async def body_of(request: Request, limit: int) -> bytes:
    """All of a request's body, unless it is larger; no more than the limit is ever held."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise Large(
                f"more than {limit // 2**20 or limit / 2**20:g} MB; save the photo smaller, and drop it in again"
            )
        parts.append(part)
    return b"".join(parts)


async def object_of(request: Request) -> dict[str, Any]:
    """The JSON object that a request holds."""
    data = await body_of(request, OBJECT)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InputError("a request is no JSON object")
    return found


def _shown(value: Any) -> Any:
    """With every text as it may be seen: names come from files and from others."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {name: _shown(held) for name, held in value.items()}
    return [_shown(held) for held in value] if isinstance(value, list) else value


def answer(value: Any, status: int = 200) -> Response:
    """JSON for the page."""
    return Response(json.dumps(_shown(value), allow_nan=False), status, media_type="application/json")


def line(event: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return json.dumps(_shown(event), allow_nan=False).encode() + b"\n"
