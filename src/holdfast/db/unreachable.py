"""What it means, in plain words, when a database driver fails: the database is away, locked, full, or is none.

    with reaching(database):
        connection.execute(...)            -> DatabaseUnreachable("postgresql://shop@db/shop: connection refused.")

The address is told without its password. It translates what drivers raise and nothing else: a fault of ours stays what
it is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa

from holdfast.db.engine import Database

_SECRET = re.compile(r"(password=)[^&\s]+", re.IGNORECASE)


class DatabaseUnreachable(Exception):
    """There is no talking to the database; the message says why."""


@contextmanager
def reaching(database: Database) -> Iterator[None]:
    """Raise DatabaseUnreachable, with the database's address, for whatever a driver raises inside."""
    try:
        yield
    except (sa.exc.SQLAlchemyError, sqlite3.Error, psycopg.Error) as error:
        words = driver_words(error)
        if words is None:
            raise
        if "not a database" in words:
            raise DatabaseUnreachable(f"{database.path} is not an SQLite database.") from error
        password = database.engine.url.password
        if password:
            words = words.replace(password, "***")
        raise DatabaseUnreachable(f"{_address(database)}: {words}.") from error


def driver_words(error: BaseException) -> str | None:
    """What a driver says is wrong, on one line; None when the exception is no driver's."""
    if isinstance(error, sa.exc.TimeoutError):
        return "all connections of this process are in use"
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if not isinstance(cause, sqlite3.Error | psycopg.Error):
        return None
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return " ".join(lines[0].split()).removesuffix(".")


def _address(database: Database) -> str:
    shown = database.engine.url.render_as_string(hide_password=True).replace("+psycopg", "")
    return _SECRET.sub(r"\1***", shown)
