"""Turns at hashing passwords: each takes 64 MiB and a tenth of a second of every core, whoever asks for it.

    entered = await hashing.run(sign_in, ...)      a stranger's sign-in, in one of two threads of its own
    with hashing.turn(): ...                       a caller's password, in the thread in which it is

Two at a time in a process; a short queue behind them, and beyond it 503. Nothing else waits for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from holdfast.web.problems import UNAVAILABLE, Problem

T = TypeVar("T")

AT_ONCE = 2
"""Passwords that a process hashes at a time."""

QUEUE_MAX = 20
"""Most sign-ins that wait for their turn."""

CALLERS_MAX = 4
"""Most callers that wait for their turn: each keeps a thread for reads."""

RETRY_SECONDS = 2

NICENESS = 10
"""How far sign-ins stand behind requests when there is not enough of the processor (as in `nice`)."""


class Hashing:
    """The turns of one process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="holdfast-password", initializer=_step_back)
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._under_way = 0
        self._callers = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run what hashes passwords, when its turn comes; 503 when too many wait."""
        with self._lock:
            if self._under_way >= AT_ONCE + QUEUE_MAX:
                raise _busy()
            self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._in_turn, function, arguments)
        future.add_done_callback(lambda _: self._done())
        return await asyncio.shield(future)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Hash in this thread, when its turn comes; 503 when too many wait."""
        with self._lock:
            if self._callers >= CALLERS_MAX:
                raise _busy()
            self._callers += 1
        try:
            with self._turns:
                yield
        finally:
            with self._lock:
                self._callers -= 1

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _in_turn(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        with self._turns:
            return function(*arguments)

    def _done(self) -> None:
        with self._lock:
            self._under_way -= 1


def _step_back() -> None:
    """Let all other threads go first where the system can do that for one thread: hashing begins threads of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _busy() -> Problem:
    words = "Too many people sign in at this moment."
    numbers = {"retry_after": RETRY_SECONDS}
    return Problem(UNAVAILABLE, words, numbers=numbers, headers={"Retry-After": str(RETRY_SECONDS)})
