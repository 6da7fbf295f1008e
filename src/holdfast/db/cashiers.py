"""Whose PIN it is: the users to compare with, and wrong PINs counted for register, caller and organisation.

    candidates(database, org_id, index, old_hash)      -> [Candidate(user, pin_hash)]
    cashier_of(database, org_id, user_id)              -> Candidate: a user who has a PIN, by id
    found = enter(database, Entry(...), user, now)     -> Entered(user), or what is locked, or what this one has locked

Who compares asks `locked_until` before, because comparing is slow, and `enter` after: it tells nothing while something
is locked, so that whoever tries many at once learns no more than one after another. A right PIN writes nothing. Times
are microseconds since 1970.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.db import credentials as directory
from holdfast.db.attempts import Attempts, Rule, attempting
from holdfast.db.credentials import USER_COLUMNS, UserRow, user_of
from holdfast.db.engine import Database
from holdfast.db.schema import app_user, till_lock

CALLER_RULE = Rule(free=10, first=30, longest=900)
"""Wrong PINs of one key, user or till within an hour."""

ORGANISATION_RULE = Rule(free=100, first=5, longest=60)
"""Wrong PINs in one organisation: honest tills mistype too, so its pauses are short."""

DAY_SECONDS = 24 * 3600

LOCKS_MAX = 4
"""A till's lock doubles so often: at most 16 minutes where the first lasts one."""

LOCKS_KEPT = 3_600_000_000
"""So long after its last wrong PIN a till's locks begin anew."""


class Candidate(NamedTuple):
    """A user whose PIN it may be."""

    user: UserRow
    pin_hash: str


class Entry(NamedTuple):
    """Where a PIN was entered: at which register, by whose key, token or session."""

    org_id: str
    register_id: str
    caller: str


class Choice(NamedTuple):
    """Whether a PIN may be chosen: 0 and 0, or until when the caller is locked, or has no choices left."""

    locked_until: int = 0
    used_until: int = 0


WAITED_FOR_LOCK = 60_000_000
"""Longest that an entry may have waited for the till's row (microseconds): the clock was looked at before."""


class Entered(NamedTuple):
    """What became of a PIN: its user; or until when something is locked; or `locks`, what this wrong one has locked."""

    user: UserRow | None
    locked_until: int = 0
    locks: tuple[str, ...] = ()


def candidates(database: Database, org_id: str, index: int, old_hash: str | None) -> list[Candidate]:
    """The active users whose PIN has the index, or is kept in the old way with that hash."""
    of_pin = app_user.c.pin_index == index
    if old_hash is not None:
        of_pin = sa.or_(of_pin, app_user.c.pin_hash == old_hash)
    asked = sa.select(*USER_COLUMNS, app_user.c.pin_hash).where(
        app_user.c.org_id == org_id, app_user.c.active, app_user.c.pin_hash.is_not(None), of_pin
    )
    with database.reading() as connection:
        return [Candidate(user_of(row), row[-1]) for row in connection.execute(asked)]


def cashier_of(database: Database, org_id: str, user_id: str) -> Candidate | None:
    """The active user with that id, if they have a PIN."""
    asked = sa.select(*USER_COLUMNS, app_user.c.pin_hash).where(
        app_user.c.org_id == org_id, app_user.c.id == user_id, app_user.c.active, app_user.c.pin_hash.is_not(None)
    )
    with database.reading() as connection:
        row = connection.execute(asked).first()
    return None if row is None else Candidate(user_of(row), row[-1])


def old_ones_left(database: Database, org_id: str) -> bool:
    """Has a user of the organisation a PIN that is kept in the old way?"""
    asked = sa.select(sa.literal(1)).where(
        app_user.c.org_id == org_id, app_user.c.pin_index.is_(None), app_user.c.pin_hash.is_not(None)
    )
    with database.reading() as connection:
        return connection.execute(asked.limit(1)).first() is not None


def is_locked(until: int, now: int) -> bool:
    """Is a till locked? A lock further ahead than the longest was made by a clock that was ahead."""
    longest: int = directory.PIN_LOCK_MICROSECONDS * 2**LOCKS_MAX
    return now < until <= now + longest


def locked_until(database: Database, entry: Entry, now: int) -> int:
    """Until when no PIN is taken there; 0: one may be compared. It locks nothing: `enter` looks again."""
    of_till = sa.select(till_lock.c.locked_until).where(
        till_lock.c.org_id == entry.org_id, till_lock.c.register_id == entry.register_id
    )
    with database.reading() as connection:
        until = int(connection.execute(of_till).scalar() or 0)
        if is_locked(until, now):
            return until
        attempts = Attempts(connection, now, is_sqlite=database.is_sqlite)
        for name, rule in ((_of_caller(entry.caller), CALLER_RULE), ("pins", ORGANISATION_RULE)):
            until = attempts.peek(entry.org_id, name).locked_until
            if rule.locked(until, now):
                return until
    return 0


def choose(database: Database, org_id: str, caller: str, most: int, now: int) -> Choice:
    """May the caller choose a PIN now? One of `most` a day is taken, for oneself and for others apart."""
    with attempting(database, now) as attempts:
        known = attempts.look(org_id, _of_caller(caller))
        if CALLER_RULE.locked(known.locked_until, now):
            attempts.undo()
            return Choice(locked_until=known.locked_until)
        return Choice(used_until=attempts.take(org_id, f"pin-chosen:{most}:{caller}", most, DAY_SECONDS))


def count_taken(database: Database, org_id: str, caller: str, now: int) -> bool:
    """Count a PIN that another user has as a wrong one of who chose it; does it lock them?"""
    with attempting(database, now) as attempts:
        return bool(attempts.fail(org_id, _of_caller(caller), CALLER_RULE))


def _of_caller(caller: str) -> str:
    return f"pin-caller:{caller}"


def enter(database: Database, entry: Entry, user: UserRow | None, now: int) -> Entered:
    """Whose PIN it is, unless something is locked; a wrong one is counted, for every process at once."""
    insert = sqlite.insert if database.is_sqlite else postgresql.insert
    lock = (
        insert(till_lock)
        .values(org_id=entry.org_id, register_id=entry.register_id, wrong=0, since=now, locked_until=0, locks=0)
        .on_conflict_do_update(index_elements=["org_id", "register_id"], set_={"wrong": till_lock.c.wrong})
        .returning(till_lock.c.wrong, till_lock.c.since, till_lock.c.locked_until, till_lock.c.locks)
    )
    with database.writing() as connection:
        attempts = Attempts(connection, now, is_sqlite=database.is_sqlite)
        wrong, since, locked_until, locks = connection.execute(lock).one()
        if is_locked(locked_until, now):
            connection.rollback()
            return Entered(None, locked_until)
        names = (("caller", _of_caller(entry.caller), CALLER_RULE), ("organisation", "pins", ORGANISATION_RULE))
        for _, name, rule in names:
            known = attempts.peek(entry.org_id, name)
            if rule.locked(known.locked_until, now):
                connection.rollback()
                return Entered(None, known.locked_until)
        if user is not None:
            connection.rollback()
            return Entered(user)
        locked = [kind for kind, name, rule in names if attempts.fail(entry.org_id, name, rule)]
        age = now - since
        if -WAITED_FOR_LOCK < age < 0:
            age = 0  # it looked at the clock before it waited for the lock
        if not 0 <= age < directory.PIN_LOCK_MICROSECONDS:
            wrong, since = 0, now
        if not 0 <= age < LOCKS_KEPT:
            locks = 0
        locked_until = 0
        if wrong + 1 >= directory.PINS_WRONG_MAX:
            locked_until = now + directory.PIN_LOCK_MICROSECONDS * 2 ** min(locks, LOCKS_MAX)
            locked.insert(0, "register")
        connection.execute(
            till_lock.update()
            .where(till_lock.c.org_id == entry.org_id, till_lock.c.register_id == entry.register_id)
            .values(
                wrong=0 if locked_until else wrong + 1,
                since=since,
                locked_until=locked_until,
                locks=locks + 1 if locked_until else locks,
            )
        )
    return Entered(None, 0, tuple(locked))
