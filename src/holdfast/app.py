"""Holdfast: the one object that every door holds (web, command line, Python).

    shop = Holdfast.open("sqlite:///shop.db")
    reply = shop.do(actor, Reserve("MUG-1", 2, "MAIN", Target("102")), key="order-102")
    reply.answer                                                          -> the reservation, or a Rejected

`submit`, `do` and `ask` are the same write in three ways of waiting; `reports` are the reads. Every command of a caller
passes here, whichever door it came through: its types are tested, and with a `key` it is done once. (The sweeper and
the security log give theirs to the executor.) It refuses what the actor may not give (`Forbidden`); every other no is a
`Rejected` in the Reply.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from holdfast.access import Actor, missing
from holdfast.core.fingerprint import KEY_WORDS, is_key
from holdfast.core.fingerprint import fingerprint as fingerprint_of
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Rejected, malformed
from holdfast.core.records.shape import shaped
from holdfast.core.reservations.appointments import ChangeAppointment
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate, state
from holdfast.encryption import Cipher
from holdfast.executor import Executor, Reply, Submission
from holdfast.reports import Reports
from holdfast.sweeper import Sweeper, serve_stuck, sweep


class Forbidden(Exception):
    """The actor may not give the command."""


class Outdated(RuntimeError):
    """The database's schema is not the one that this version needs."""


_NOTHING = ChangeAppointment("00000000-0000-0000-0000-000000000000")
"""A command that is always refused and changes nothing."""


class Holdfast:
    """A database with its executor and its reports."""

    def __init__(self, database: Database, *, secret_key: str | None = None, **limits: Any) -> None:
        """`limits` are those of the Executor; `secret_key` is the setting of that name (`holdfast.encryption`)."""
        self.database = database
        self.cipher = Cipher(database.url, secret_key)
        self.reports = Reports(database)
        self.executor = Executor(database, **limits)
        self._sweeper: Sweeper | None = None
        self._beside: list[Callable[[], None]] = []

    @classmethod
    def open(cls, url: str, *, migrate_empty: bool = True, read_seconds: float | None = None, **limits: Any) -> Self:
        """Open the database behind a URL; an empty one is set up, an outdated one is refused (Outdated).

        A read that takes longer than `read_seconds` is given up; None lets it take its time. `limits` (batch_max,
        queue_max, queue_age_seconds) are those of the Executor.
        """
        database = Database(url)
        found = state(database)
        if found == "empty" and migrate_empty:
            migrate(database)
        elif found != "current":
            database.dispose()
            raise Outdated(
                "The database was made by a newer Holdfast: run that version, or a newer one."
                if found == "newer"
                else f"The database is {found}: run `holdfast migrate`."
            )
        database.limit_reads(read_seconds)
        return cls(database, **limits)

    def start_sweeping(self, seconds: float, *, idempotency_hours: float = 48) -> None:
        """Sweep every `seconds` until closed: what a server does; a short-lived program need not."""
        self._sweeper = Sweeper(self.database, self.executor, seconds=seconds, idempotency_hours=idempotency_hours)

    def before_close(self, stop: Callable[[], None]) -> None:
        """Call `stop` when the shop closes, while commands are still taken: what works beside it ends by that."""
        self._beside.append(stop)

    def sweep(self) -> int:
        """Settle at once everything that time has made due, and serve who waits beside free units; how many levels."""
        return sweep(self.database, self.executor) + serve_stuck(self.database, self.executor)

    def close(self) -> None:
        """Answer what was accepted, then let go of the database."""
        for stop in self._beside:
            stop()
        if self._sweeper is not None:
            self._sweeper.stop()
        self.executor.close()
        self.database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self,
        actor: Actor,
        command: Command,
        *,
        key: str | None = None,
        fingerprint: str | None = None,
        render: Callable[[Any], bytes] | None = None,
        status: int = 200,
    ) -> Future[Reply]:
        """Queue a command; the future holds the Reply when its batch is done.

        Raises Forbidden, Overloaded or Unavailable at once when it cannot be queued. The future raises Overloaded or
        Unavailable (or a kind of it) when nothing was done or nobody knows, and by a defect what the decision raised.
        A command that has not the types which it declares is refused (a Reply with a Rejected), and nothing is done.

        With `key` the answer is kept in the same transaction and given again to the same key and command: the Reply is
        `replayed` and has the first answer. Another command under a used key is IDEMPOTENCY_KEY_REUSED. What "the same"
        means the command says itself; a `fingerprint` of at most 64 characters says it instead. With `render` the
        rendered body is kept, and a replay has that body and no answer.
        """
        future: Future[Reply] = Future()
        self._queue(actor, command, key, fingerprint, render, status, None, future)
        return future

    def do(self, actor: Actor, command: Command, **options: Any) -> Reply:
        """Give a command and wait for the Reply."""
        return self.submit(actor, command, **options).result()

    async def ask(
        self,
        actor: Actor,
        command: Command,
        *,
        key: str | None = None,
        fingerprint: str | None = None,
        render: Callable[[Any], bytes] | None = None,
        status: int = 200,
    ) -> Reply:
        """Give a command and wait for the Reply in an event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        self._queue(actor, command, key, fingerprint, render, status, loop, future)
        return await future

    async def ask_again(self, actor: Actor, key: str, fingerprint: str) -> Reply:
        """The answer that the key was given before; else a Reply that is not `replayed`, and nothing is done.

        It goes through the queue as a command does, so it comes behind a command of the same key that is under way.
        """
        return await self.ask(actor, _NOTHING, key=key, fingerprint=fingerprint)

    def _queue(
        self,
        actor: Actor,
        command: Command,
        key: str | None,
        fingerprint: str | None,
        render: Callable[[Any], bytes] | None,
        status: int,
        loop: asyncio.AbstractEventLoop | None,
        future: Any,
    ) -> None:
        given = shaped(command) if key is None or is_key(key, own=True) else malformed("key", KEY_WORDS).rejected
        permission = None
        if command is not _NOTHING:  # whoever asks again what they were answered does nothing
            permission = missing(actor, command if isinstance(given, Rejected) else given)
        if permission is not None:
            raise Forbidden(actor.lacks(permission))
        if isinstance(given, Rejected):
            future.set_result(Reply(given, 0, None))
            return
        caller = actor.caller
        if fingerprint is None:
            fingerprint = "" if key is None else fingerprint_of(given, caller)
        submission = Submission(
            caller,
            given,
            key=key,
            fingerprint=fingerprint,
            render=render,
            status=status,
            loop=loop,
            future=future,
        )
        self.executor.submit(actor.org_id, submission)


COLLECT_AFTER = 50_000
"""New containers, beyond those freed, after which Python looks for unreachable cycles among them."""


def spare_collector() -> None:
    """What a process that serves commands for long does once after its start: keep the garbage collector from it.

    A batch holds thousands of objects for milliseconds; by default Python would look through them, and through every
    library loaded, many times a second (measured: a third of the time of a reservation).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
