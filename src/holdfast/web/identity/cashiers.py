"""Cashiers by their PINs, at a till and where one is opened.

    cashiers.of(Entry(org_id, register_id, caller), "4711", actor_name, origin)     -> UserRow

It blocks, and compares nothing while a PIN is not taken there; what compares is called in its turn (`hashing`).
401 for a PIN that nobody has, 429 while the register, who asks, or the organisation is locked for wrong ones. What a
comparison came to is remembered under a secret of this process, because each takes 50 ms; the PIN itself is not. A PIN
that is kept in an older way is kept in the present one as soon as it was used.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from concurrent.futures import Future
from typing import NamedTuple

from holdfast.core.organisation.pin import NewPin
from holdfast.core.organisation.sign_in import NoteSecurity, RefreshPin
from holdfast.core.stock.caller import SYSTEM
from holdfast.db import cashiers as rows
from holdfast.db.cashiers import Candidate, Entry
from holdfast.db.credentials import UserRow
from holdfast.db.engine import Database
from holdfast.executor import Executor, Overloaded, Reply, Submission, Unavailable
from holdfast.pins import index_of, is_pin, new_pin, old_hash
from holdfast.web.http.problems import RATE_LIMITED, UNAUTHORIZED, Problem
from holdfast.web.identity.security_log import Origin, SecurityLog

COMPARED_MAX = 10_000
"""Most comparisons that a process remembers."""

TILL_CHALLENGE = {"WWW-Authenticate": 'Register realm="Holdfast"'}


OWN_PINS_MAX = 5
"""How often a user may change their own PIN in a day: the answer tells whether somebody has it."""

GIVEN_PINS_MAX = 300
"""How many PINs a caller may give to users in a day, for the same reason."""


class Chooser(NamedTuple):
    """Who chooses a PIN: the organisation, what their wrong PINs are counted for, their name, how many a day."""

    org_id: str
    caller: str
    name: str
    most: int


class Cashiers:
    """Finds cashiers; it blocks."""

    def __init__(self, database: Database, executor: Executor, log: SecurityLog) -> None:
        self._database = database
        self._executor = executor
        self._log = log
        self._secret = secrets.token_bytes(32)
        self._compared: dict[bytes, bool] = {}

    def mark(self, org_id: str, pin: str) -> bytes:
        """What stands for a PIN in this process's memory."""
        return hashlib.blake2b(f"{org_id}:{pin}".encode(), key=self._secret).digest()

    def of(self, entry: Entry, pin: str, actor: str, origin: Origin) -> UserRow:
        """The user of a PIN; one that cannot be a PIN is nobody's."""
        self.require_unlocked(entry)
        now = time.time_ns() // 1000
        found = self._find(entry.org_id, pin) if pin else None
        entered = rows.enter(self._database, entry, None if found is None else found.user, now)
        if entered.locked_until:
            raise locked(entered.locked_until)
        if entered.user is None:
            self._tell(entry, entered.locks, actor, origin)
            raise wrong_pin()
        assert found is not None
        if ":" not in found.pin_hash:
            self._refresh(entry.org_id, found, pin)
        return entered.user

    def require_unlocked(self, entry: Entry) -> None:
        """429 while no PIN is taken there: nothing is compared then."""
        until = rows.locked_until(self._database, entry, time.time_ns() // 1000)
        if until:
            raise locked(until)

    def chosen(self, chooser: Chooser, own_id: str | None, pin: str, origin: Origin) -> NewPin:
        """A PIN as it is kept, for the user `own_id` or a new one; 429 when the chooser may choose none now.

        Whoever chooses one that another user has learns a PIN: it counts as a wrong PIN of theirs, and is told.
        """
        org_id, caller = chooser.org_id, chooser.caller
        choice = rows.choose(self._database, org_id, caller, chooser.most, time.time_ns() // 1000)
        if choice.locked_until:
            raise locked(choice.locked_until)
        if choice.used_until:
            raise no_more(choice.used_until, chooser.most)
        near = rows.candidates(self._database, org_id, index_of(org_id, pin), None)
        made = new_pin(org_id, pin, [one.pin_hash for one in near])
        taken = [one for one in near if one.pin_hash not in made.others]
        if rows.old_ones_left(self._database, org_id):
            taken += rows.candidates(self._database, org_id, -1, made.old_hash)
        if any(one.user.id != own_id for one in taken):
            locks = rows.count_taken(self._database, org_id, caller, time.time_ns() // 1000)
            note = NoteSecurity("pin_wrong", "app_user", own_id or "new", detail="taken")
            self._log.note(org_id, chooser.name, origin, note)
            if locks:
                self._log.note(org_id, chooser.name, origin, NoteSecurity("pin_locked", "caller", caller))
        return made

    def _find(self, org_id: str, pin: str) -> Candidate | None:
        near = rows.candidates(self._database, org_id, index_of(org_id, pin), None)
        found = next((one for one in near if self._is(org_id, pin, one.pin_hash)), None)
        if found is None and rows.old_ones_left(self._database, org_id):
            old = rows.candidates(self._database, org_id, -1, old_hash(org_id, pin))
            return old[0] if old else None
        return found

    def _is(self, org_id: str, pin: str, kept: str) -> bool:
        mark = hashlib.blake2b(f"{org_id}:{pin}:{kept}".encode(), key=self._secret).digest()
        known = self._compared.get(mark)
        if known is None:
            known = is_pin(pin, org_id, kept)
            if len(self._compared) >= COMPARED_MAX:
                self._compared.clear()
            self._compared[mark] = known
        return known

    def _tell(self, entry: Entry, locks: tuple[str, ...], actor: str, origin: Origin) -> None:
        self._log.note(entry.org_id, actor, origin, NoteSecurity("pin_wrong", "register", entry.register_id))
        for kind in locks:
            names = {"register": entry.register_id, "caller": entry.caller, "organisation": entry.org_id}
            self._log.note(entry.org_id, actor, origin, NoteSecurity("pin_locked", kind, names[kind]))

    def _refresh(self, org_id: str, found: Candidate, pin: str) -> None:
        """Keep the PIN in the present way; when that is not possible now, the next time."""
        command = RefreshPin(found.user.id, found.pin_hash, new_pin(org_id, pin, ()))
        future: Future[Reply] = Future()
        submission = Submission(
            SYSTEM, command, key=None, fingerprint="", render=None, status=200, loop=None, future=future
        )
        try:
            self._executor.submit(org_id, submission)
            future.result(timeout=10)
        except (Overloaded, Unavailable, TimeoutError):
            return


def no_more(until: int, most: int) -> Problem:
    """Too many new PINs; `until` in microseconds since 1970."""
    wait = max(1, round(until / 1_000_000 - time.time() + 0.5))
    detail = f"You may choose {most} PINs a day."
    return Problem(RATE_LIMITED, detail, numbers={"retry_after": wait}, headers={"Retry-After": str(wait)})


def wrong_pin() -> Problem:
    """Nobody has that PIN."""
    return Problem(UNAUTHORIZED, "The PIN is wrong.", headers=TILL_CHALLENGE)


def locked(until: int) -> Problem:
    """Too many wrong PINs; `until` in microseconds since 1970."""
    wait = max(1, round(until / 1_000_000 - time.time() + 0.5))
    detail = f"Too many wrong PINs: no PIN is taken here for {wait} seconds."
    return Problem(RATE_LIMITED, detail, numbers={"retry_after": wait}, headers={"Retry-After": str(wait)})
