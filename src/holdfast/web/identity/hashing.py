"""Turns at hashing passwords and PINs: each takes memory and a tenth of a second, whoever asks for it.

    await hashing.run(sign_in, ..., place=Place(("address:192.0.2.1", "account:ana@shop.example")))
    await hashing.run(sign_in, ..., place=Place(("user:<id>",), known=True))
    with hashing.turn("<id of the caller>"): ...     a caller's password, in the thread in which it is

Two at a time in a process; a short queue behind them, and beyond it 503. No address, account or caller takes more than
its share of the queue. Who is known has places of its own and comes before strangers. Nothing else waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

from holdfast.web.http.problems import UNAVAILABLE, Problem

T = TypeVar("T")

AT_ONCE = 2
"""Passwords that a process hashes at a time."""

QUEUE_MAX = 20
"""Most sign-ins of strangers that wait for their turn, and as many of who is known."""

SHARE_MAX = 4
"""Most of one address, account or user that wait or hash."""

CALLERS_MAX = 4
"""Most callers that wait for their turn: each keeps a thread for reads."""

CALLER_SHARE_MAX = 3
"""Most of them that are of one caller."""

ORGANISATION_SHARE_MAX = 3
"""Most of them that are of one organisation."""

HASHING_RETRY_SECONDS = 2

NICENESS = 10
"""How far sign-ins stand behind requests when there is not enough of the processor (as in `nice`)."""


class Place(NamedTuple):
    """Whose place in the queue it is: what it is counted for, and whether it is of somebody known."""

    shares: tuple[str, ...] = ()
    known: bool = False


NOBODYS = Place()


class _Job(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future[Any]
    place: Place


class Hashing:
    """The turns of one process."""

    def __init__(self, at_once: int = AT_ONCE, queue_max: int = QUEUE_MAX, share_max: int = SHARE_MAX) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="holdfast-password", initializer=_step_back)
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._places_max = at_once + queue_max
        self._share_max = share_max
        self._taken = Counter[bool]()
        self._shares = Counter[str]()
        self._callers = Counter[str]()
        self._organisations = Counter[str]()
        # By whether they are of somebody known.
        self._waiting: dict[bool, deque[_Job]] = {True: deque(), False: deque()}

    async def run(self, function: Callable[..., T], *arguments: Any, place: Place = NOBODYS) -> T:
        """Run what hashes, when its turn comes; 503 when too many wait, or too many of one share."""
        job = _Job(function, arguments, Future(), place)
        with self._lock:
            if self._taken[place.known] >= self._places_max:
                raise _busy()
            if any(self._shares[share] >= self._share_max for share in place.shares):
                raise _busy()
            self._taken[place.known] += 1
            self._shares.update(place.shares)
            self._waiting[place.known].append(job)
        job.future.add_done_callback(lambda _: self._leave(place))
        self._threads.submit(self._do_next)
        return await asyncio.shield(asyncio.wrap_future(job.future))

    @contextlib.contextmanager
    def turn(self, caller: str = "", org_id: str = "") -> Iterator[None]:
        """Hash in this thread, when its turn comes; 503 when too many wait, or too many of the caller or its
        organisation."""
        with self._lock:
            of_caller = self._callers[caller] if caller else 0
            of_organisation = self._organisations[org_id] if org_id else 0
            if self._callers.total() >= CALLERS_MAX or of_caller >= CALLER_SHARE_MAX:
                raise _busy()
            if of_organisation >= ORGANISATION_SHARE_MAX:
                raise _busy()
            self._callers[caller] += 1
            self._organisations[org_id] += 1
        try:
            with self._turns:
                yield
        finally:
            with self._lock:
                _one_less(self._callers, caller)
                _one_less(self._organisations, org_id)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            left = [*self._waiting[True], *self._waiting[False]]
        for job in left:
            job.future.cancel()

    def _do_next(self) -> None:
        """Do the next job: chosen when its turn has come, so that who is known goes first."""
        with self._turns:
            with self._lock:
                job = self._waiting[bool(self._waiting[True])].popleft()
            if not job.future.set_running_or_notify_cancel():
                return
            try:
                answer = job.function(*job.arguments)
            except BaseException as error:  # noqa: BLE001 # whoever waits gets it, as from an executor
                job.future.set_exception(error)
            else:
                job.future.set_result(answer)

    def _leave(self, place: Place) -> None:
        with self._lock:
            self._taken[place.known] -= 1
            for share in place.shares:
                _one_less(self._shares, share)


def _one_less(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def _step_back() -> None:
    """Let all other threads go first where the system can do that for one thread: hashing begins threads of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _busy() -> Problem:
    words = "Too many people sign in at this moment."
    numbers = {"retry_after": HASHING_RETRY_SECONDS}
    return Problem(UNAVAILABLE, words, numbers=numbers, headers={"Retry-After": str(HASHING_RETRY_SECONDS)})
