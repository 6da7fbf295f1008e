"""Failures that are counted, for every process at once: of signing in, of passwords and codes, of PINs.

    with attempting(database) as attempts:
        until = attempts.count(org_id, "name", Rule(free=5, first=15, longest=900))     -> 0, or locked until then

A failure beyond the free ones locks for a pause that doubles up to the longest. What has not failed for an hour begins
anew. Times are microseconds since 1970, of this process's clock: a lock that is further ahead than its longest pause
was made by a clock that was ahead, and is over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from holdfast.db.engine import Database
from holdfast.db.schema import attempt

NOBODY = "00000000-0000-0000-0000-000000000000"
"""The organisation of those of whom no organisation is known yet."""

SECOND = 1_000_000

KEPT_SECONDS = 3600
"""So long after the last failure the count begins anew, and the sweeper may forget it."""

FORGET_MAX = 5_000
"""Most counters that one transaction removes."""

_DOUBLINGS_MAX = 20


class Rule(NamedTuple):
    """`free` failures cost nothing; each one more a pause of `first` seconds, doubled, at most `longest`."""

    free: int
    first: float
    longest: float

    def pause(self, failures: int) -> int:
        """The pause after so many failures, in microseconds."""
        if failures <= self.free:
            return 0
        doubled = self.first * 2 ** min(failures - self.free - 1, _DOUBLINGS_MAX)
        return int(min(doubled, self.longest) * SECOND)

    def locked(self, until: int, now: int) -> bool:
        """Does the lock hold now?"""
        return now < until <= now + int(self.longest * SECOND)


_COLUMNS = (
    attempt.c.failures,
    attempt.c.last_at,
    attempt.c.locked_until,
    attempt.c.waits_until,
    attempt.c.told_at,
    attempt.c.untold,
)


class Counter(NamedTuple):
    """A counter as it stands."""

    failures: int
    last_at: int
    locked_until: int
    waits_until: int
    told_at: int
    untold: int


class Attempts:
    """Counters, read and written in one transaction; each is locked from its first look on."""

    def __init__(self, connection: sa.Connection, now: int, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._insert = sqlite.insert if is_sqlite else postgresql.insert
        self.now = now

    def look(self, org_id: str, name: str, *, kept: int = KEPT_SECONDS) -> Counter:
        """The counter, begun when there is none, and locked; all at zero when it is old or from the future."""
        asked = (
            self._insert(attempt)
            .values(
                org_id=org_id,
                name=name_of(name),
                failures=0,
                last_at=self.now,
                locked_until=0,
                waits_until=0,
                told_at=0,
                untold=0,
            )
            .on_conflict_do_update(index_elements=["org_id", "name"], set_={"failures": attempt.c.failures})
            .returning(*_COLUMNS)
        )
        return self._counts(self._connection.execute(asked).one(), kept)

    def peek(self, org_id: str, name: str) -> Counter:
        """The counter as it was committed last, not locked."""
        asked = sa.select(*_COLUMNS).where(attempt.c.org_id == org_id, attempt.c.name == name_of(name))
        row = self._connection.execute(asked).first()
        return Counter(0, self.now, 0, 0, 0, 0) if row is None else self._counts(row)

    def _counts(self, row: Any, kept: int = KEPT_SECONDS) -> Counter:
        found = Counter(*row)
        if abs(self.now - found.last_at) < kept * SECOND:
            return found
        return found._replace(failures=0, locked_until=0, waits_until=0)

    def keep(self, org_id: str, name: str, **fields: int) -> None:
        """Set fields of a counter that was looked at."""
        same = sa.and_(attempt.c.org_id == org_id, attempt.c.name == name_of(name))
        self._connection.execute(sa.update(attempt).where(same).values(**fields))

    def forget(self, org_id: str, name: str) -> None:
        """Take the counter away."""
        same = sa.and_(attempt.c.org_id == org_id, attempt.c.name == name_of(name))
        self._connection.execute(sa.delete(attempt).where(same))

    def fail(self, org_id: str, name: str, rule: Rule) -> int:
        """Count a failure of a counter that was looked at; until when it is locked now (0: it is not)."""
        failures = self.look(org_id, name).failures + 1
        pause = rule.pause(failures)
        until = self.now + pause if pause else 0
        self.keep(org_id, name, failures=failures, last_at=self.now, locked_until=until)
        return until

    def give_back(self, org_id: str, name: str, until: int) -> None:
        """Take back one failure that `fail` has counted, and the lock that it made: `until` is what it answered.

        Failures of others stay, and so do their locks.
        """
        known = self.look(org_id, name)
        locked = 0 if known.locked_until == until else known.locked_until
        self.keep(org_id, name, failures=max(known.failures - 1, 0), locked_until=locked)

    def take(self, org_id: str, name: str, most: int, seconds: int) -> int:
        """Count one of at most `most` in a window of so many seconds; 0, or when the window ends if all are taken."""
        known = self.look(org_id, name, kept=seconds)
        end, taken = known.waits_until, known.failures
        if not self.now < end <= self.now + seconds * SECOND:
            end, taken = self.now + seconds * SECOND, 0
        if taken >= most:
            return end
        self.keep(org_id, name, failures=taken + 1, waits_until=end, last_at=self.now)
        return 0

    def undo(self) -> None:
        """Write nothing of this after all."""
        self._connection.rollback()


@contextmanager
def attempting(database: Database, now: int) -> Iterator[Attempts]:
    """Counters in a transaction; `now` in microseconds since 1970."""
    with database.writing() as connection:
        yield Attempts(connection, now, is_sqlite=database.is_sqlite)


@contextmanager
def peeking(database: Database, now: int) -> Iterator[Attempts]:
    """Counters to `peek` at: nothing is locked or written."""
    with database.reading() as connection:
        yield Attempts(connection, now, is_sqlite=database.is_sqlite)


def name_of(name: str) -> str:
    """What is kept of a counter's name: it may hold an email address."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def forget_attempts(database: Database, now: int) -> int:
    """Remove counters that have not failed for long and whose window is over; how many, at most FORGET_MAX."""
    old = sa.and_(attempt.c.last_at < now - 2 * KEPT_SECONDS * SECOND, attempt.c.waits_until < now)
    chosen = sa.select(attempt.c.org_id, attempt.c.name).where(old).order_by(attempt.c.last_at).limit(FORGET_MAX)
    with database.writing() as connection:
        gone = connection.execute(
            sa.delete(attempt).where(sa.tuple_(attempt.c.org_id, attempt.c.name).in_(chosen), old)
        )
    return int(gone.rowcount)
