"""How much one caller may have under way in this process: requests and their bodies, reads and event streams.

    with callers.one_more(actor) as request: ...   the 101st at once is a 429
        request.grow(65_536)                       and so are bodies of which 32 MiB have come
    async with callers.decoding(actor): ...        the second large body waits until the first one is read
    async with callers.reading(actor): ...         the seventh read waits until one of the six is done, and so does the
                                                   ninth of an organisation
    with callers.streaming(actor): ...             the 11th stream of a caller, the 101st of an organisation is a 429

A caller is a key with the tills that it opened, or a user, or a till of a user; of event streams each till has its own.
One that asks for everything at once keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from holdfast.access import Actor
from holdfast.web.http.metrics import STREAMS
from holdfast.web.http.problems import RATE_LIMITED, UNAVAILABLE, Problem

REQUESTS_MAX = 100
"""Most requests of a caller that are answered at once, where the settings do not say."""

SMALL_BODY = 64 * 1024
"""A body of so many bytes is not counted: it always has room, whatever others send."""

CALLER_BYTES_MAX = 32 * 1024 * 1024
"""Most bytes of larger bodies of a caller that have come and are not answered: eight of the largest batches."""

ORGANISATION_BYTES_MAX = 64 * 1024 * 1024
"""Most of them that are of one organisation."""

BYTES_MAX = 256 * 1024 * 1024
"""Most of them in a process."""

READS_MAX = 6
"""Most reads of a caller that run at once."""

ORGANISATION_READS_MAX = 8
"""Most reads of an organisation that run at once in a process: half of the threads that there are."""

ORGANISATION_CALLERS = 4
"""An organisation has as many requests under way in a process as so many callers may have."""

STREAMS_MAX = 200
"""Most open event streams of a process."""

ORGANISATION_STREAMS_MAX = 100
"""Most open event streams of an organisation in a process."""

CALLER_STREAMS_MAX = 10
"""Most open event streams of a caller in a process."""

Caller = tuple[str, str, str | None]


class _OneMore:
    """A request while it is under way: `contextmanager` would cost every request as much as its look-up.

    `grow` is told of the bytes of its body as they come: what was announced and does not come takes no room.
    """

    __slots__ = ("_caller", "_callers", "_counted", "_size")

    def __init__(self, callers: Callers, caller: Caller) -> None:
        self._callers = callers
        self._caller = caller
        self._size = 0
        self._counted = 0

    def __enter__(self) -> _OneMore:
        self._callers.begin(self._caller)
        return self

    def __exit__(self, *_: object) -> None:
        if self._counted:
            self._callers.count_bytes(self._caller, -self._counted)
        self._callers.end(self._caller)

    def grow(self, more: int) -> None:
        """So many bytes more have come; 429 or 503 where there is no room for them."""
        self._size += more
        if self._size > SMALL_BODY:
            added = self._size - self._counted
            self._callers.count_bytes(self._caller, added)
            self._counted += added


class Callers:
    """What every caller has under way."""

    def __init__(self, requests_max: int = REQUESTS_MAX) -> None:
        self._requests_max = requests_max
        self._requests: dict[Caller | str, int] = {}
        self._bytes: dict[Caller | str, int] = {}
        self._all_bytes = 0
        self._reads: dict[Caller | str, asyncio.Semaphore] = {}
        self._decodes: dict[Caller, asyncio.Semaphore] = {}
        self._streams: dict[Caller | str, int] = {}
        self.streams = 0
        """Open event streams of all."""

    def one_more(self, actor: Actor) -> _OneMore:
        """A request under way; 429 when the caller has too many."""
        return _OneMore(self, _caller(actor))

    def begin(self, caller: Caller) -> None:
        """Count a request, or refuse it."""
        count, ours = self._requests.get(caller, 0), self._requests.get(caller[0], 0)
        if count >= self._requests_max:
            raise _too_many(f"You have {count} requests under way: wait for their answers.")
        if ours >= self._requests_max * ORGANISATION_CALLERS:
            raise _too_many(f"The organisation has {ours} requests under way: wait for their answers.")
        self._requests[caller] = count + 1
        self._requests[caller[0]] = ours + 1

    def count_bytes(self, caller: Caller, more: int) -> None:
        """Bytes of a body have come, or (negative) were answered; refused where there is no room for them."""
        org_id = caller[0]
        mine, ours = self._bytes.get(caller, 0) + more, self._bytes.get(org_id, 0) + more
        if more > 0:
            if mine > CALLER_BYTES_MAX or ours > ORGANISATION_BYTES_MAX:
                raise _too_many("Too many bytes of your bodies are under way: wait for the answers.")
            if self._all_bytes + more > BYTES_MAX:
                words = "Too much is being sent at once."
                raise Problem(UNAVAILABLE, words, numbers={"retry_after": 1}, headers={"Retry-After": "1"})
        self._all_bytes += more
        for name, count in ((caller, mine), (org_id, ours)):
            if count:
                self._bytes[name] = count
            else:
                del self._bytes[name]

    def end(self, caller: Caller) -> None:
        """A request is answered."""
        for name in (caller, caller[0]):
            left = self._requests[name] - 1
            if left:
                self._requests[name] = left
            else:
                del self._requests[name]
                self._reads.pop(name, None)
        if caller not in self._requests:
            self._decodes.pop(caller, None)

    @asynccontextmanager
    async def reading(self, actor: Actor) -> AsyncIterator[None]:
        """A read under way, as soon as the caller has few enough of them, and then the organisation."""
        own = self._reads.setdefault(_caller(actor), asyncio.Semaphore(READS_MAX))
        ours = self._reads.setdefault(actor.org_id, asyncio.Semaphore(ORGANISATION_READS_MAX))
        async with own, ours:
            yield

    @asynccontextmanager
    async def decoding(self, actor: Actor) -> AsyncIterator[None]:
        """A large body that is taken apart, one of a caller at a time: it keeps a thread busy for up to a second."""
        turns = self._decodes.setdefault(_caller(actor), asyncio.Semaphore(1))
        async with turns:
            yield

    @contextmanager
    def streaming(self, actor: Actor) -> Iterator[None]:
        """An open event stream; 429 when the caller or organisation has too many, 503 when the process has."""
        caller = actor.org_id, actor.id or actor.name, actor.session_id
        if self._streams.get(caller, 0) >= CALLER_STREAMS_MAX:
            raise _too_many(f"You have {CALLER_STREAMS_MAX} event streams open: close one.")
        if self._streams.get(actor.org_id, 0) >= ORGANISATION_STREAMS_MAX:
            raise _too_many(f"The organisation has {ORGANISATION_STREAMS_MAX} event streams open.")
        if self.streams >= STREAMS_MAX:
            words = "Too many event streams are open."
            raise Problem(UNAVAILABLE, words, numbers={"retry_after": 5}, headers={"Retry-After": "5"})
        self._count(caller, actor.org_id, 1)
        try:
            yield
        finally:
            self._count(caller, actor.org_id, -1)

    def _count(self, caller: Caller, org_id: str, more: int) -> None:
        self.streams += more
        STREAMS.inc(more)
        for name in (caller, org_id):
            count = self._streams.get(name, 0) + more
            if count:
                self._streams[name] = count
            else:
                self._streams.pop(name, None)


def _caller(actor: Actor) -> Caller:
    if actor.key_id is not None:
        return actor.org_id, actor.key_id, None
    return actor.org_id, actor.id or actor.name, actor.session_id


def _too_many(words: str) -> Problem:
    return Problem(RATE_LIMITED, words, numbers={"retry_after": 1}, headers={"Retry-After": "1"})
