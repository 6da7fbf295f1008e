"""The response of one request, sent once: with its id, and with the headers that every answer has.

    answer = Answer(scope, send, request_id)
    await answer.send(200, body)                                  the whole response
    await answer.begin(200, headers); await answer.part(b"...")   one that comes in parts

A client that is gone ends the request (`ClientGone`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from holdfast.access import Actor
from holdfast.web.http.compression import GZIP, LEAST, VARY, GzipPage, compressed, is_text
from holdfast.web.http.request_body import ClientGone, Message, Scope, Send
from holdfast.web.http.request_log import NO_ROUTE
from holdfast.web.identity.auth import NOWHERE

Headers = list[tuple[bytes, bytes]]

HSTS_SECONDS = 31_536_000
"""How long a browser that came by HTTPS once comes by HTTPS alone: a year
(https://www.rfc-editor.org/rfc/rfc6797.html)."""

STRICT = (b"strict-transport-security", f"max-age={HSTS_SECONDS}".encode())

SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What every answer of the API says: it is what it says it is, nobody keeps a copy, and no browser shows it as a page
that does something."""

SECURE_HEADERS = (*SAFE_HEADERS, STRICT)
"""The same where the client came by HTTPS."""

JSON_TYPE = b"application/json"


class Download(NamedTuple):
    """A file to be sent in parts, which are made while it is sent, and its name."""

    parts: Iterator[bytes]
    name: str


class Answer:
    """The response of one request: sent once, with the request id, to a client that may be gone."""

    __slots__ = (
        "_head",
        "_page",
        "_safe",
        "_send",
        "actor",
        "decrypted",
        "gzip",
        "origin",
        "request_id",
        "route",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.actor: Actor | None = None
        self.decrypted: Callable[[bytes], bytes] = bytes
        self.origin = NOWHERE
        self.route = NO_ROUTE
        self.gzip: bool | None = False
        """Does who asks take gzip? None: nothing of this answer is compressed, for it may hold a secret."""
        self.started = False
        self.status = 0
        self._page: GzipPage | None = None
        self._safe = SECURE_HEADERS if scope.get("scheme") == "https" else SAFE_HEADERS
        self._send = send
        self._head = scope["method"] == "HEAD"

    async def send(
        self,
        status: int,
        body: bytes,
        media_type: bytes = JSON_TYPE,
        extra: Sequence[tuple[bytes, bytes]] = (),
        *,
        more: bool = False,
    ) -> None:
        """Send the whole response; with `more` its end is still to be said, which keeps the connection open.

        License keys in it are encrypted until here: what is kept for an Idempotency-Key holds none in plain. A body
        that has some is not compressed.
        """
        shown = self.decrypted(body)
        has_keys, body = shown is not body, shown
        own = {name for name, _ in extra}
        safe = [header for header in self._safe if header[0] not in own] if own else self._safe
        headers: Headers = [(b"x-request-id", self.request_id.encode()), *safe, *extra]
        if self.gzip is not None and not has_keys and len(body) > LEAST and is_text(media_type):
            headers.append(VARY)
            if self.gzip:
                body = await compressed(body)
                headers.append(GZIP)
        if status != 204:
            headers.append((b"content-type", media_type))
            headers.append((b"content-length", b"%d" % len(body)))
        self.started, self.status = True, status
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": b"" if self._head else body, "more_body": more})
        except OSError:
            raise ClientGone from None

    async def begin(self, status: int, headers: Headers) -> None:
        """Begin a response whose body comes in parts."""
        await self.pass_on({"type": "http.response.start", "status": status, "headers": headers})

    async def begin_download(self, name: str, media_type: str) -> None:
        """Begin a file whose parts follow."""
        kind = (b"content-type", f"{media_type}; charset=utf-8".encode())
        shown = (b"content-disposition", f'attachment; filename="{name}"'.encode())
        await self.begin(200, [*self._safe, kind, shown])

    async def part(self, body: bytes) -> None:
        """Send a part of the body."""
        await self.pass_on({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        """Say that the body is complete."""
        await self.pass_on({"type": "http.response.body", "body": b""})

    async def pass_page(self, message: Message) -> None:
        """Send one message of a page, compressed where that is worth it."""
        if not self.gzip or self._head:
            await self.pass_on(message)
            return
        if self._page is None:
            self._page = GzipPage()
        for one in self._page.sent(message):
            await self.pass_on(one)

    async def pass_on(self, message: Message) -> None:
        """Send one message; a page's response gets the request id and the wish for HTTPS here."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            if not any(name == b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", self.request_id.encode()))
            if self._safe is SECURE_HEADERS:
                headers.append(STRICT)
            message = {**message, "headers": headers}
        try:
            await self._send(message)
        except OSError:
            raise ClientGone from None
