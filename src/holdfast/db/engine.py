"""The database behind a URL: an engine for reads, and raw connections for the executor's batches.

    Database("sqlite:///shop.db"), Database("postgresql://user@host/shop")

SQLite runs in WAL mode with `synchronous=FULL` (an acknowledged hold survives a power loss) and foreign keys on;
PostgreSQL in READ COMMITTED. Reads never wait for a batch.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.types.string import TextLoader

BUSY_SECONDS = 10
"""How long a SQLite connection waits for another writer before it gives up."""

READERS_MAX = 16
"""Most connections that reads of one process use."""


READ_LOCK_SECONDS = 5
"""How long a read of a server waits for what somebody has locked (a table, while it is altered)."""

STEPS = 50_000
"""Steps of SQLite's machine after which a read looks at the clock: about a millisecond."""

IDLE_IN_TRANSACTION_SECONDS = 5
"""A batch waits for nobody between its two round trips: a process that stops longer has its transaction ended."""

LOCK_SECONDS = 1
"""How long a batch waits for what somebody else has locked; then who needs it is parked, and the others go on."""

CONNECT_SECONDS = 10
"""How long connecting to PostgreSQL may take."""

SILENCE_SECONDS = 20
"""How long a server that does not acknowledge is believed to be there."""


def _patience() -> dict[str, Any]:
    """libpq's limits, so that a server that vanished without a word is noticed."""
    return {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": SILENCE_SECONDS * 1000,
    }


_BATCH_SETTINGS = (
    "SELECT set_config(name, value, false) FROM (VALUES ('plan_cache_mode', CASE WHEN EXISTS (SELECT FROM pg_extension "
    "WHERE extname = 'citus') THEN current_setting('plan_cache_mode') ELSE 'force_generic_plan' END), "
    "('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_bitmapscan', 'off'), "
    "('enable_material', 'off'), ('jit', 'off'), "
    "('idle_in_transaction_session_timeout', %s::text), ('lock_timeout', %s::text), "
    "('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) "
    "AS s (name, value)"
)
"""A batch only ever probes indexes by key: its statements are planned once, and never as scans.

Citus has to know the organisation before it plans, so there every execution is planned by itself.
"""


class UnknownDatabase(ValueError):
    """The URL names no database that Holdfast can use."""


class Database:
    """A database by its URL. Opening it connects to nothing yet."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._read_seconds: float | None = None
        if url.startswith("sqlite:///"):
            self.dialect = "sqlite"
            self.path = url.removeprefix("sqlite:///")
            if not self.path:
                raise UnknownDatabase("sqlite:/// needs a file: sqlite:///holdfast.db")
            sa_url = f"sqlite:///{self.path}"
        elif url.startswith(("postgresql://", "postgres://")):
            self.dialect = "postgresql"
            self.path = url.replace("postgres://", "postgresql://", 1)
            sa_url = self.path.replace("postgresql://", "postgresql+psycopg://", 1)
        else:
            raise UnknownDatabase(f"{url!r}: use sqlite:///file.db or postgresql://user@host/name")
        try:
            self.engine = _engine(sa_url, self.dialect)
        except (ValueError, sa.exc.ArgumentError) as error:
            # Its own words would show the address, and the password in it.
            raise UnknownDatabase("the address cannot be read: use postgresql://user@host:port/name") from error

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, False for PostgreSQL."""
        return self.dialect == "sqlite"

    def limit_reads(self, seconds: float | None) -> None:
        """From now on a read is given up after `seconds`, and does not wait for a lock longer than READ_LOCK_SECONDS.

        None lets every read take its time, as a command on a terminal may.
        """
        self._read_seconds = seconds
        if not self.is_sqlite and seconds is not None:
            settings = f"SET statement_timeout = {int(seconds * 1000)}; SET lock_timeout = {READ_LOCK_SECONDS * 1000}"

            @sa.event.listens_for(self.engine, "connect")
            def limit(connection: Any, _record: object) -> None:
                connection.execute(settings)
                connection.commit()

            self.engine.dispose()  # those that are open know nothing of it

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent view for a read of several statements; it is read only."""
        connection = self.engine.connect()
        if not self.is_sqlite:
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection, self._in_time(connection), connection.begin():
            yield connection

    @contextmanager
    def _in_time(self, connection: sa.Connection) -> Iterator[None]:
        """SQLite has no limit of its own: its steps are counted, and a read that takes too long is interrupted."""
        if not self.is_sqlite or self._read_seconds is None:
            yield
            return
        raw: Any = connection.connection.dbapi_connection
        until = time.monotonic() + self._read_seconds
        raw.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        try:
            yield
        finally:
            raw.set_progress_handler(None, STEPS)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A short transaction outside the executor: sessions, sweeping answers, numbering events."""
        with self.engine.begin() as connection:
            if not self.is_sqlite and self._read_seconds is not None:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            yield connection

    def connect_sqlite(self) -> sqlite3.Connection:
        """A raw SQLite connection for batches; transactions are begun by hand."""
        _begin_private(self.path)
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        _prepare_sqlite(connection)
        connection.execute(f"PRAGMA busy_timeout={LOCK_SECONDS * 1000}")
        return connection

    def connect_postgresql(self) -> psycopg.Connection[Any]:
        """A raw PostgreSQL connection for batches; UUIDs and JSON come back as text, which is what rows hold."""
        connection = psycopg.connect(
            self.path, autocommit=True, prepare_threshold=0, application_name="holdfast", **_patience()
        )
        for name in ("uuid", "json", "jsonb"):
            connection.adapters.register_loader(name, TextLoader)
        connection.execute(_BATCH_SETTINGS, [f"{IDLE_IN_TRANSACTION_SECONDS}s", f"{LOCK_SECONDS}s"])
        return connection

    def dispose(self) -> None:
        """Close the connections of reads."""
        self.engine.dispose()


def _engine(sa_url: str, dialect: str) -> sa.Engine:
    if dialect == "sqlite":
        engine = sa.create_engine(
            sa_url,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
            pool_size=READERS_MAX,
            hide_parameters=True,  # an error of the driver goes into the log; values of rows do not
        )

        @sa.event.listens_for(engine, "do_connect")
        def begin_private(_dialect: object, _record: object, arguments: Any, _parameters: object) -> None:
            _begin_private(str(arguments[0]))

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: object) -> None:
            _prepare_sqlite(connection)

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN")

        return engine
    return sa.create_engine(
        sa_url, pool_size=READERS_MAX, pool_pre_ping=True, connect_args=_patience(), hide_parameters=True
    )


def _begin_private(path: str) -> None:
    """Make the file, where there is none yet, for its owner alone: it will hold hashes of passwords.

    SQLite gives the files beside it (`-wal`, `-shm`) the same permissions.
    """
    if not path.startswith((":", "file:")):
        with suppress(OSError):  # it is there, or cannot be: SQLite says so better
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: sqlite3.Connection) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")
