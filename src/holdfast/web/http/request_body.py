"""The body of a request as it comes in: up to its limit, and not a byte further than is of use.

    read_body(receive, 1_048_576)      -> the bytes, or a 413
    count_body(receive, 1_048_576)     -> a 413, or nothing: the body of somebody unknown is not kept
    drain(receive)                     -> takes what a refused client still sends, so that it hears the answer

It refuses what is larger before it is read, where the client announces it. It does not look into what it reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from holdfast.web.http import problems
from holdfast.web.http.problems import Problem, invalid

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DRAIN_MAX = 16 * 1024 * 1024
"""Most bytes that are still taken of a body that was refused for its size."""

DRAIN_SECONDS = 2.0
"""Longest that they are taken."""


class ClientGone(Exception):
    """Whoever asked does not listen any more."""


def client_of(scope: Scope) -> str | None:
    """The address of the client as the server tells it, which knows what proxies to trust."""
    client = scope.get("client")
    return None if client is None else client[0]


def length_of(headers: dict[bytes, bytes], body_max: int) -> int | None:
    """The announced length of the body, refused when it is too large; None when none is announced."""
    text = headers.get(b"content-length")
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise invalid("Content-Length", "is not a number.")
    length = int(text)
    if length > body_max:
        raise too_large(body_max)
    return length


async def read_body(receive: Receive, body_max: int, grow: Callable[[int], None] = lambda _: None) -> bytes:
    """The body, up to its limit; `grow` is told of its bytes as they come."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > body_max:
            raise too_large(body_max, Problem)
        grow(len(body))
        return body
    parts, size = [body], len(body)
    grow(size)
    while True:
        if size > body_max:
            raise too_large(body_max, TooLarge if message.get("more_body", False) else Problem)
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size <= body_max:
            grow(len(parts[-1]))
        if not message.get("more_body", False) and size <= body_max:
            return b"".join(parts)


async def count_body(receive: Receive, body_max: int) -> None:
    """Read a body of nobody known to its end and keep nothing of it; a 413 when it is above its limit."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size > body_max:
            raise too_large(body_max, TooLarge if more else Problem)
        if not more:
            return


class TooLarge(Problem):
    """The body is larger than the route takes, and the client has not sent all of it yet."""


async def drain(receive: Receive) -> None:
    """Take what the client still sends, within bounds: closing on it would reset the connection, answer and all."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAIN_MAX:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                size += len(message.get("body", b""))


def too_large(body_max: int, kind: type[Problem] = TooLarge) -> Problem:
    """The body is larger than the route takes."""
    return kind(problems.PAYLOAD_TOO_LARGE, f"The body may have at most {body_max} bytes.", numbers={"limit": body_max})
