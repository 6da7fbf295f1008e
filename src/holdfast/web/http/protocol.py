"""The HTTP protocol of the server with bounds on what a stranger may send: before anybody is asked who they are.

    a head (request line and headers) above 64 KiB, or of more than 100 headers     -> 431, closed
    framing and trailers of a body above 64 KiB and the body's own bytes            -> 431, closed
    more than 20 requests behind one another that are not answered                  -> closed
    a head that takes longer than 15 seconds, a body that takes longer than 60      -> 408, closed
    an answer that is not read for 30 seconds                                       -> closed
    more connections than the process takes                                         -> the idlest one is closed
    more than one address may have                                                  -> 503, closed

uvicorn reads and answers; this counts beside it. One timer a second looks at all connections, so that a request costs
no timer of its own. Trailers are counted and thrown away: they are no headers. A connection that has never sent a whole
head is closed first when there are too many: a slow stranger cannot keep a till out. Addresses of trusted proxies have
no bound of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar

import msgspec
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from holdfast.metrics import REGISTRY
from holdfast.web.http import problems

Network = IPv4Network | IPv6Network

LOOK_SECONDS = 1.0
"""How often it is looked whether a connection has taken too long."""

LINGER_SECONDS = 2.0
"""How long what a refused client still sends is thrown away: closing at once would reset the answer away."""

CLOSED = Counter("holdfast_connections_closed", "Connections closed by a bound, by which", ["bound"], registry=REGISTRY)


class Bounds(msgspec.Struct, frozen=True):
    """What a connection may use: bytes, counts and seconds."""

    head_bytes: int = 64 * 1024
    headers: int = 100
    head_seconds: float = 15
    body_seconds: float = 60
    unread_seconds: float = 30
    connections: int = 1000
    per_address: int = 200
    pipelined: int = 20
    proxies: tuple[Network, ...] = ()
    hosts: frozenset[str] | None = None
    """Names by which the server may be called; None: any."""


class Connections:
    """The open connections of this process: who is idle, and how many an address has."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.open: dict[BoundedProtocol, None] = {}
        self.strangers: dict[BoundedProtocol, None] = {}
        """Those that have not sent a whole head yet, oldest first."""
        self.resting: dict[BoundedProtocol, None] = {}
        """Those between two requests, the one that rests longest first."""
        self.of_address: dict[str, int] = {}
        self._watching = False

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at all connections once a second as long as there are any."""
        if not self._watching:
            self._watching = True
            loop.call_later(LOOK_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in list(self.open):
            connection.look(now)
        self._watching = False
        if self.open:
            self.watch(loop)

    def make_room(self) -> bool:
        """Close the connection that is missed least, when there are too many; False when all are busy."""
        if len(self.open) < self.bounds.connections:
            return True
        for idle in (self.strangers, self.resting):
            victim = next(iter(idle), None)
            if victim is not None:
                victim.end("connections")
                return True
        return False


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, counted."""

    known: ClassVar[Connections] = Connections(Bounds())

    # uvicorn gives the request in `scope` and `headers`; `cycle` is the request that is being answered.
    scope: Any
    cycle: Any

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = self.known.bounds
        self._address = ""
        self._refused = False
        self._in_head = True
        self._head_bytes = 0
        self._head_at_most = 0
        self._chunk_bytes = 0
        self._body_bytes = 0
        self._framing_bytes = 0
        self._head_since: float | None = None
        self._body_since: float | None = None
        self._unread_since: float | None = None
        self._ends_at: float | None = None
        self._answering: Any = None

    # The connection ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects; one too many is turned away, or makes an idle one go."""
        super().connection_made(transport)
        known = self.known
        self._address = _address_of(self.client[0]) if self.client else ""
        count = known.of_address.get(self._address, 0)
        known.of_address[self._address] = count + 1
        if count >= self._bounds.per_address and self._address and not self._is_proxy():
            self._refuse(503, problems.UNAVAILABLE, "Too many connections from this address.", "address")
        elif not known.make_room():
            self._refuse(503, problems.UNAVAILABLE, "Too many connections are open.", "connections")
        known.open[self] = None
        known.strangers[self] = None
        self._head_since = self.loop.time()
        known.watch(self.loop)

    def _is_proxy(self) -> bool:
        """Is it a proxy that is trusted? Those have no bound of their own."""
        try:
            address = ip_address(self.client[0].split("%")[0]) if self.client else None
        except ValueError:
            return False
        return address is not None and any(address in network for network in self._bounds.proxies)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._nobody_listens()
        super().connection_lost(exc)
        known = self.known
        for connections in (known.open, known.strangers, known.resting):
            connections.pop(self, None)
        left = known.of_address.get(self._address, 0) - 1
        if left > 0:
            known.of_address[self._address] = left
        else:
            known.of_address.pop(self._address, None)

    def end(self, bound: str) -> None:
        """Close it at once, because of a bound."""
        CLOSED.labels(bound).inc()
        for idle in (self.known.strangers, self.known.resting):
            idle.pop(self, None)
        self.known.open.pop(self, None)
        self._refused = True
        self._drop()

    def _drop(self) -> None:
        """Close it at once, whatever is under way on it."""
        self._nobody_listens()
        self.transport.abort()

    def _nobody_listens(self) -> None:
        """Tell the request that is being answered, which uvicorn forgets when another one came right behind it."""
        self.pipeline.clear()
        for cycle in (self._answering, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """A request is being answered now."""
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def look(self, now: float) -> None:
        """Has it taken too long?"""
        bounds = self._bounds
        if self._refused:
            if self._ends_at is not None and now > self._ends_at:
                self.transport.abort()
            return
        if self._unread_since is not None:
            if now - self._unread_since > bounds.unread_seconds:
                self.end("unread")
        elif self._head_since is not None and now - self._head_since > bounds.head_seconds:
            self._refuse(408, problems.REQUEST_TIMEOUT, "The request took too long to arrive.", "head")
        elif self._body_since is not None and now - self._body_since > bounds.body_seconds:
            if self.flow.read_paused:
                self._body_since = now  # it is we who do not read
            else:
                self._refuse(408, problems.REQUEST_TIMEOUT, "The body took too long to arrive.", "body")

    # The request ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, counted as long as its head is not complete."""
        if self._refused:
            return
        self._chunk_bytes = len(data)
        self._head_at_most += len(data)
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._framing_bytes += len(data)
            self._head_at_most = len(data)
        super().data_received(data)
        self._test_counts()

    def _test_counts(self) -> None:
        """Refuse what has more bytes than a head, or the framing of a body, may have."""
        if self._refused:
            return
        if self._in_head:
            if self._head_bytes > self._bounds.head_bytes:
                self._refuse_head()
        elif self._framing_bytes > self._bounds.head_bytes + 2 * self._body_bytes:
            self._refuse(431, problems.HEADERS_TOO_LARGE, "The body has more around it than in it.", "framing")

    def on_message_begin(self) -> None:
        """The first byte of a request, perhaps right behind another one."""
        if self._head_since is None:
            self._head_since = self.loop.time()
            self.known.resting.pop(self, None)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header more; what comes behind a body is a trailer, and nobody is told of it."""
        if not self._in_head:
            return
        if len(self.headers) < self._bounds.headers:
            super().on_header(name, value)
        elif not self._refused:
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The head is complete: the request begins."""
        if self._refused:
            return
        if self._head_at_most > self._bounds.head_bytes and self._head_size() > self._bounds.head_bytes:
            self._refuse_head()
            return
        if not self._is_called_rightly():
            self._refuse(400, "INVALID_REQUEST", "Host: is not a name by which this server may be called.", "host")
            return
        if len(self.pipeline) >= self._bounds.pipelined:
            self._refuse(503, problems.UNAVAILABLE, "Too many requests behind one another.", "pipeline")
            return
        self._in_head = False
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        self._head_at_most = self._chunk_bytes  # the next head may begin in what came with this one
        self._head_since = None
        self._body_since = self.loop.time()
        self.known.strangers.pop(self, None)
        super().on_headers_complete()

    def _head_size(self) -> int:
        """Bytes of the address and the headers."""
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _is_called_rightly(self) -> bool:
        """Exactly one Host, which an address in full must name too; and one of the names that are allowed."""
        named = [value for name, value in self.headers if name == b"host"]
        if not named and self.parser.get_http_version() == "1.0" and self._bounds.hosts is None:
            return True
        if len(named) != 1 or not named[0]:
            return False
        if not self.url.startswith((b"/", b"*")) and self.url.partition(b"://")[2].split(b"/")[0] != named[0]:
            return False
        return self._bounds.hosts is None or _name_of(named[0].decode("latin-1")) in self._bounds.hosts

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._refused:
            self._body_bytes += len(body)
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete; the next bytes are the head of another one."""
        if self._refused:
            return
        self._in_head = True
        self._head_bytes = 0
        self._body_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is sent: the connection rests until the next request."""
        super().on_response_complete()
        if self._head_since is None and self._in_head and not self.pipeline and not self.transport.is_closing():
            self.known.resting[self] = None

    # The answer ----------------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        """The client does not read what it is sent."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._unread_since = None
        super().resume_writing()

    def _refuse_head(self) -> None:
        bounds = self._bounds
        words = f"The head of a request may have {bounds.head_bytes // 1024} KiB and {bounds.headers} headers."
        self._refuse(431, problems.HEADERS_TOO_LARGE, words, "headers")

    def _refuse(self, status: int, code: str, words: str, bound: str) -> None:
        """Answer, unless an answer is under way, and close."""
        CLOSED.labels(bound).inc()
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete:
            self._drop()
            return
        body = problems.encode(problems.problem_document(code, words, "", {}))
        head = (
            b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\ncache-control: no-store\r\n"
            b"x-content-type-options: nosniff\r\n"
            b"connection: close\r\n\r\n" % (status, _PHRASES[status], problems.MEDIA_TYPE.encode(), len(body))
        )
        self.transport.write(head + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._ends_at = self.loop.time() + LINGER_SECONDS
        else:
            self.transport.close()


_PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def _name_of(host: str) -> str:
    """The name in a Host header, without its port, in lower case."""
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def hosts_of(setting: str) -> frozenset[str] | None:
    """The names of a setting that separates them by commas; None for `*`, any name."""
    names = frozenset(part.strip().lower() for part in setting.split(",") if part.strip())
    return None if "*" in names else names


def networks_of(text: str) -> tuple[Network, ...]:
    """The networks of a list of addresses and ranges, with commas between; what is neither (`*`) is no network."""
    networks = []
    for part in text.split(","):
        with contextlib.suppress(ValueError):
            networks.append(ip_network(part.strip(), strict=False))
    return tuple(networks)


def _address_of(host: str) -> str:
    """Who is counted as one: an IPv4 address, or the network of 64 bits that one IPv6 customer has."""
    if ":" not in host or host == "::1":
        return host
    mapped = host.removeprefix("::ffff:")
    if "." in mapped:
        return mapped
    return ":".join(host.split("%")[0].split(":")[:4])


def bound(bounds: Bounds) -> type[BoundedProtocol]:
    """The protocol of this process, within these bounds."""
    BoundedProtocol.known = Connections(bounds)
    return BoundedProtocol
