"""What a database says when something went wrong, as one of three kinds.

    with translated():
        connection.execute(...)     -> raises Conflict, Away (or a kind of it: Full, Lost), or what the driver raised

`Conflict`: try again (`Blocked`: a lock was in the way). `Away`: the database is not there, or cannot write. What the
driver raised: a bug, or a command that no database takes. This module tries nothing again itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus


class Conflict(Exception):
    """Another transaction came first (deadlock, serialization, unique key): the batch may simply be tried again."""


class Blocked(Conflict):
    """Somebody else holds a lock on what the batch needs, and did not let go of it in time."""


class Away(Exception):
    """The database does not answer, shuts down, or cannot write."""


class Full(Away):
    """The database answers but cannot write (a full disk, a read-only file): trying again at once is of no use."""


class Lost(Away):
    """A commit has no answer, or one that says too little: it may have gone through, or may yet."""


_BLOCKED = "55P03"
_TRY_AGAIN = ("40001", "40P01", "23505", "25P02", "22012")
_LITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_FULL = ("53100", "25006")
_AWAY = ("08", "53", "57", "58", "25P03")
_COMPLETION_UNKNOWN = "40003"


def _in_doubt(connection: psycopg.Connection[Any], state: str | None) -> bool:
    """Was it COMMIT that was answered with this error, and may it have gone through all the same?

    The transaction is over, so it was COMMIT: any other statement that fails leaves it open. Where a constraint or
    another transaction was in the way (classes 23 and 40), it was undone; what else comes, as from a Citus worker that
    does not answer, says nothing about what was committed.
    """
    if state is None or connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
        return False
    return state == _COMPLETION_UNKNOWN or not state.startswith(("23", "40"))


@contextmanager
def translated(*, committing: psycopg.Connection[Any] | None = None) -> Iterator[None]:
    """Turn what the drivers raise into Conflict or Away where it is one of them.

    `committing` is the connection whose transaction is being committed. When it ended without an answer from the
    server, or the answer is an error that leaves open whether the commit went through, that is Lost.
    """
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate
        if committing is not None and _in_doubt(committing, state):
            raise Lost(str(error)) from error
        if state == _BLOCKED:
            raise Blocked(str(error)) from error
        if state in _TRY_AGAIN:
            raise Conflict(str(error)) from error
        if state is None and not isinstance(error, psycopg.OperationalError):
            raise
        if state in _FULL:
            raise Full(str(error)) from error
        if state is None or state.startswith(_AWAY):
            ended = state is None or state.startswith(("08", "57P"))
            raise (Lost if committing is not None and ended else Away)(str(error)) from error
        raise
    except sqlite3.OperationalError as error:
        if (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise Blocked(str(error)) from error
        full = (error.sqlite_errorcode & 0xFF) in _LITE_FULL
        raise (Full if full else Away)(str(error)) from error
