"""Bring a database to the schema that this version of Holdfast needs.

    database = Database("sqlite:///shop.db")
    state(database)       -> "empty"
    migrate(database)     -> ["0001"]
    state(database)       -> "current"
    migrate(database, application_role="holdfast_app")     grants that role what a server needs, and no more

All steps run in one transaction that holds a lock, so of several processes that start at once one does the work and
the others find it done, and a step that fails leaves the database as it was. It refuses a database that a newer
Holdfast made, and one whose tables are somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from holdfast.db import roles
from holdfast.db.engine import Database
from holdfast.db.unreachable import reaching

State = Literal["empty", "current", "outdated", "newer"]

VERSION_TABLE = "alembic_version"
_MIGRATIONS = Path(__file__).with_name("migrations")
_STEP_FILE = re.compile(r"(\d{4})_\w+\.py")
_CREATE_VERSION_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE}"
    f" (version_num VARCHAR(32) NOT NULL, CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)
_LOCK_SECONDS_MAX = 600
"""How long a process waits for another one that migrates: a big database takes its time."""


class MigrationRefused(Exception):
    """The database cannot be migrated; the message says why and what to do."""


@lru_cache(maxsize=1)
def revisions() -> tuple[str, ...]:
    """The revisions that this version knows, oldest first."""
    found = (_STEP_FILE.fullmatch(step.name) for step in (_MIGRATIONS / "versions").iterdir())
    return tuple(sorted(match.group(1) for match in found if match))


def state(database: Database) -> State:
    """How the database stands to this version; it is only looked at, and an SQLite file is not made by looking."""
    if database.is_sqlite and not Path(database.path).exists():
        return "empty"
    with reaching(database), database.engine.connect() as connection:
        return _state_of(_revision(connection))


def migrate(
    database: Database, progress: Callable[[str], None] | None = None, *, application_role: str | None = None
) -> list[str]:
    """Run the steps that the database lacks, all or none; their revisions. `progress` is told each before it runs.

    On PostgreSQL the application's role is granted what it needs (`roles`); without one, those that were granted before
    are granted it again, for the tables that have come.
    """
    if database.is_sqlite and application_role is not None:
        raise MigrationRefused("SQLite has no roles: --application-role is for PostgreSQL.")
    with _locked(database) as connection:
        revision = _revision(connection)
        if _state_of(revision) == "newer":
            raise MigrationRefused(
                f"The database has schema {revision}, which this version ({revisions()[-1]}) does not know: "
                "it was made by a newer Holdfast."
            )
        missing = [step for step in revisions() if revision is None or step > revision]
        if revision is None:
            _refuse_foreign_tables(connection)
        if missing:
            _run(connection, missing, progress)
        if database.is_sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone()
            assert broken is None, f"a step broke a foreign key: {broken}"
        else:
            try:
                roles.grant(connection, application_role)
            except roles.NotGrantable as error:
                raise MigrationRefused(str(error)) from error
    return missing


def _state_of(revision: str | None) -> State:
    if revision is None:
        return "empty"
    if revision == revisions()[-1]:
        return "current"
    return "outdated" if revision in revisions() else "newer"


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return found


def _refuse_foreign_tables(connection: sa.Connection) -> None:
    from holdfast.db.schema import metadata

    clashing = sorted(set(sa.inspect(connection).get_table_names()) & set(metadata.tables))
    if clashing:
        raise MigrationRefused(
            f"The database has a table {clashing[0]} that no Holdfast made: give Holdfast a database of its own."
        )


def _run(connection: sa.Connection, missing: list[str], progress: Callable[[str], None] | None) -> None:
    """Let Alembic run the steps on the connection, within the transaction that is open there."""
    # Alembic takes a third of a second to import, and most commands find nothing to do.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(_MIGRATIONS))

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return scripts._upgrade_revs("head", revision)  # as alembic.command.upgrade does

    if progress is not None:
        for step in missing:
            progress(step)
    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE, transactional_ddl=False)
        environment.run_migrations()


@contextmanager
def _locked(database: Database) -> Iterator[sa.Connection]:
    """A connection in one transaction that no other migration runs beside; committed at the end."""
    lock = _lock_sqlite if database.is_sqlite else _lock_postgresql
    with ExitStack() as opened:
        with reaching(database):
            connection = lock(database, opened)
        yield connection


def _lock_sqlite(database: Database, opened: ExitStack) -> sa.Connection:
    """SQLite: the write lock of the file, taken at once. Foreign keys rest while a step may rebuild a table."""
    engine = sa.create_engine("sqlite://", creator=database.connect_sqlite, poolclass=sa.pool.NullPool)
    connection = opened.enter_context(engine.connect())
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql(f"PRAGMA busy_timeout={_LOCK_SECONDS_MAX * 1000}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    opened.enter_context(_ended_by_hand(connection))
    return connection


@contextmanager
def _ended_by_hand(connection: sa.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def _lock_postgresql(database: Database, opened: ExitStack) -> sa.Connection:
    """PostgreSQL: a lock on the version table, which has to be there first."""
    # IF NOT EXISTS does not protect from another process that creates it in this very moment. Whatever else went
    # wrong here makes the lock below fail too, and say what it was.
    with suppress(sa.exc.IntegrityError, sa.exc.ProgrammingError), database.engine.begin() as connection:
        connection.exec_driver_sql(_CREATE_VERSION_TABLE)
    connection = opened.enter_context(database.engine.begin())
    if (owner := roles.other_owner(connection, VERSION_TABLE)) is not None:
        raise MigrationRefused(
            f"The tables belong to the role {owner}: run `holdfast migrate` as that role. The role of this address is "
            "for serving, and may not migrate."
        )
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS_MAX}s'")
    connection.exec_driver_sql(f"LOCK TABLE {VERSION_TABLE} IN ACCESS EXCLUSIVE MODE")
    return connection
