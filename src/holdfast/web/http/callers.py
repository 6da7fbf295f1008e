"""How much one caller may have under way in this process: requests and their bodies, reads and event streams.

    with callers.one_more(actor, size): ...        the 101st at once is a 429, and so are bodies of 32 MiB together
    async with callers.reading(actor): ...         the ninth read waits until one of the eight is done
    with callers.streaming(actor): ...             the 11th stream of a caller, the 101st of an organisation is a 429

A caller is a key, a user or a till. One that asks for everything at once keeps nobody else waiting.
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

CALLER_BYTES_MAX = 32 * 1024 * 1024
"""Most bytes of bodies that a caller sends at once: eight of the largest batches."""

BYTES_MAX = 128 * 1024 * 1024
"""Most bytes of bodies that all callers of a process send at once."""

READS_MAX = 8
"""Most reads of a caller that run at once: half of the threads that there are."""

STREAMS_MAX = 200
"""Most open event streams of a process."""

ORGANISATION_STREAMS_MAX = 100
"""Most open event streams of an organisation in a process."""

CALLER_STREAMS_MAX = 10
"""Most open event streams of a caller in a process."""

Caller = tuple[str, str, str | None]


class _OneMore:
    """A request while it is under way: `contextmanager` would cost every request as much as its look-up."""

    __slots__ = ("_caller", "_callers", "_size")

    def __init__(self, callers: Callers, caller: Caller, size: int) -> None:
        self._callers = callers
        self._caller = caller
        self._size = size

    def __enter__(self) -> None:
        self._callers.begin(self._caller)
        if self._size:
            try:
                self._callers.begin_body(self._caller, self._size)
            except Problem:
                self._callers.end(self._caller)
                raise

    def __exit__(self, *_: object) -> None:
        if self._size:
            self._callers.end_body(self._caller, self._size)
        self._callers.end(self._caller)


class Callers:
    """What every caller has under way."""

    def __init__(self, requests_max: int = REQUESTS_MAX) -> None:
        self._requests_max = requests_max
        self._requests: dict[Caller, int] = {}
        self._bytes: dict[Caller, int] = {}
        self._all_bytes = 0
        self._reads: dict[Caller, asyncio.Semaphore] = {}
        self._streams: dict[Caller | str, int] = {}
        self.streams = 0
        """Open event streams of all."""

    def one_more(self, actor: Actor, size: int = 0) -> _OneMore:
        """A request under way, with a body of at most `size` bytes; 429 when the caller has too many, or too much."""
        return _OneMore(self, _caller(actor), size)

    def begin(self, caller: Caller) -> None:
        """Count a request, or refuse it."""
        count = self._requests.get(caller, 0)
        if count >= self._requests_max:
            raise _too_many(f"You have {count} requests under way: wait for their answers.")
        self._requests[caller] = count + 1

    def begin_body(self, caller: Caller, size: int) -> None:
        """Count the bytes of a body that is about to be read, or refuse them: 503 when the process has too many."""
        sent = self._bytes.get(caller, 0)
        if sent + size > CALLER_BYTES_MAX:
            raise _too_many(f"You have {sent} bytes of bodies under way: wait for their answers.")
        if self._all_bytes + size > BYTES_MAX:
            words = "Too much is being sent at once."
            raise Problem(UNAVAILABLE, words, numbers={"retry_after": 1}, headers={"Retry-After": "1"})
        self._bytes[caller] = sent + size
        self._all_bytes += size

    def end_body(self, caller: Caller, size: int) -> None:
        """The request of that body is answered."""
        self._all_bytes -= size
        left = self._bytes[caller] - size
        if left:
            self._bytes[caller] = left
        else:
            del self._bytes[caller]

    def end(self, caller: Caller) -> None:
        """A request is answered."""
        left = self._requests[caller] - 1
        if left:
            self._requests[caller] = left
        else:
            del self._requests[caller]
            self._reads.pop(caller, None)

    @asynccontextmanager
    async def reading(self, actor: Actor) -> AsyncIterator[None]:
        """A read under way, as soon as the caller has few enough of them."""
        turns = self._reads.setdefault(_caller(actor), asyncio.Semaphore(READS_MAX))
        async with turns:
            yield

    @contextmanager
    def streaming(self, actor: Actor) -> Iterator[None]:
        """An open event stream; 429 when the caller or organisation has too many, 503 when the process has."""
        caller = _caller(actor)
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
    return actor.org_id, actor.id or actor.name, actor.session_id


def _too_many(words: str) -> Problem:
    return Problem(RATE_LIMITED, words, numbers={"retry_after": 1}, headers={"Retry-After": "1"})
