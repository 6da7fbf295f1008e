"""Remembers what happened with API keys, and writes it down a moment later, beside the requests.

    notes.used(actor)                        -> written within a second, at most once a minute for each key
    notes.refused(actor, "203.0.113.7")      -> an entry of the audit log, at most once a minute for each key

It costs a request the look into a dictionary. One thread writes, one bundle at a time, so that a database that is away
or locked keeps nothing else waiting. What cannot be written is forgotten.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from holdfast.access import Actor
from holdfast.db import key_notes
from holdfast.db.engine import Database

WRITE_SECONDS = 1.0
"""How long notes are collected before they are written."""

NOTED_SECONDS = 60.0
"""How long nothing more of the same kind is noted of a key."""

NOTED_MAX = 10_000
"""Most keys that are remembered, and most notes that wait."""

Uses = dict[tuple[str, str], int]
Refusals = dict[tuple[str, str], tuple[str, int]]

log = structlog.get_logger("holdfast.web")


class KeyNotes:
    """Notes of one process."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._noted: dict[tuple[str, str], float] = {}
        self._uses: Uses = {}
        self._refusals: Refusals = {}
        self._timer: asyncio.TimerHandle | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="holdfast-notes")

    def used(self, actor: Actor) -> None:
        """A request came with the key."""
        if self._is_new("used", actor):
            self._uses[actor.org_id, actor.id] = time.time_ns() // 1000
            self._write_soon()

    def refused(self, actor: Actor, address: str | None) -> None:
        """A request came with the key, from an address that it may not be used from."""
        if self._is_new("refused", actor):
            self._refusals[actor.org_id, actor.id] = ((address or "unknown")[:100], time.time_ns() // 1000)
            log.warning("key refused", key_id=actor.id)
            self._write_soon()

    def close(self) -> None:
        """Write what was noted; it blocks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._thread.shutdown()
        self._write(*self._taken())

    def _taken(self) -> tuple[Uses, Refusals]:
        """What waits, which from now on waits no more."""
        taken = self._uses, self._refusals
        self._uses, self._refusals = {}, {}
        return taken

    def _write(self, uses: Uses, refusals: Refusals) -> None:
        try:
            key_notes.note_uses(self._database, uses)
            for (org_id, key_id), (address, at) in refusals.items():
                key_notes.note_refused(self._database, org_id, key_id, address, at)
        except Exception as error:  # noqa: BLE001 - the database may be away: a lost note is no loss
            log.warning("key_notes_lost", error=type(error).__name__)

    def _is_new(self, what: str, actor: Actor) -> bool:
        name, now = (what, actor.id), self._clock()
        if self._noted.get(name, now) > now:
            return False
        if len(self._noted) >= NOTED_MAX:
            self._noted.clear()
        self._noted[name] = now + NOTED_SECONDS
        return len(self._uses) + len(self._refusals) < NOTED_MAX

    def _write_soon(self) -> None:
        """Write in the thread, after a while in which more may come; nothing waits for it."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._begin)

    def _begin(self) -> None:
        try:
            written = asyncio.get_running_loop().run_in_executor(self._thread, self._write, *self._taken())
        except RuntimeError:  # closed meanwhile
            return
        written.add_done_callback(self._done)

    def _done(self, _: asyncio.Future[None]) -> None:
        """The next bundle may be collected, or written if it was meanwhile."""
        self._timer = None
        if self._uses or self._refusals:
            self._write_soon()
