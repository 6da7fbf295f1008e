"""What all tests share: databases, fresh for each test.

`database_url` runs a test twice, on SQLite and on PostgreSQL; the tests of `IN_PARTITIONS` run once more where every
table lies in partitions by organisation. The server is one per test process, started when the first test asks for it,
or the one that HOLDFAST_TEST_POSTGRES_URL names (a superuser's address). From then on each statement that the product
sends to PostgreSQL is explained once, after the test that sent it: one that is not for one organisation fails the test
(see `tests.partitions`). On PostgreSQL the tests of `AS_APPLICATION` run as a role that may not rewrite the past.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import make_url

from holdfast import passwords
from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from tests.partitions.recorder import Recorder
from tests.partitions.schema import partition
from tests.postgres import temporary_server

DATABASES = ("sqlite", "postgresql")

PARTITIONED = "partitioned"
"""The third kind of database: PostgreSQL with every table in partitions by organisation."""

IN_PARTITIONS = (
    "core",
    "db/test_check",
    "db/test_day_ends",
    "db/test_reports",
    "executor",
    "races/test_batch",
    "races/test_sell_out",
    "races/test_sales",
)
"""Tests that also run there, by how their path begins."""


AS_APPLICATION = ("api", "db/test_append_only")
"""Tests that run as the application's role on PostgreSQL, by how their path begins."""

APPLICATION = "holdfast_test_application"
"""That role."""


class Postgres:
    """A running server on which tests make databases."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._connection = psycopg.connect(admin_url, autocommit=True)
        self._partitioned: str | None = None
        self._migrated: str | None = None

    def url(self, database: str) -> str:
        """The address of a database."""
        before, _, after = self.admin_url.partition("?")
        return f"{before.rsplit('/', 1)[0]}/{database}{'?' + after if after else ''}"

    def create_database(self, *, template: str = "template0") -> str:
        """Make a database with a name of its own, empty or as a copy of another, and return its name."""
        name = f"holdfast_test_{uuid.uuid4().hex}"
        # Copying files beats copying through the log, as long as nobody waits for them to reach the disk.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def create_partitioned(self) -> str:
        """Make a migrated database whose tables lie in partitions by organisation, and return its name."""
        if self._partitioned is None:
            name = self.create_database()
            database = Database(self.url(name))
            migrate(database)
            database.dispose()
            with psycopg.connect(self.url(name)) as connection:
                partition(connection)
            self._partitioned = name
        return self.create_database(template=self._partitioned)

    def create_role(self, name: str, password: str) -> None:
        """Make a role that may sign in, unless there is one of that name."""
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        with contextlib.suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            self._connection.execute(statement)

    def create_for_application(self) -> str:
        """Make a migrated database in which the role APPLICATION may do what a server needs, and return its name."""
        if self._migrated is None:
            self.create_role(APPLICATION, APPLICATION)
            name = self.create_database()
            database = Database(self.url(name))
            migrate(database, application_role=APPLICATION)
            database.dispose()
            self._migrated = name
        return self.create_database(template=self._migrated)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Close our connection."""
        self._connection.close()


_RECORDER = pytest.StashKey[Recorder]()


@pytest.fixture(scope="session")
def postgres_server(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """The server all tests of this process share; do not stop it."""
    named = os.environ.get("HOLDFAST_TEST_POSTGRES_URL")
    with contextlib.ExitStack() as opened:
        url = named or opened.enter_context(temporary_server(fsync=False)).url()
        server = Postgres(url)
        opened.callback(server.close)
        explained = server.create_partitioned()
        opened.callback(server.drop_database, explained)
        recorder = Recorder(server.url(explained))
        opened.callback(recorder.close)
        opened.enter_context(recorder.listening())
        pytestconfig.stash[_RECORDER] = recorder
        yield server


@pytest.fixture
def recorder(pytestconfig: pytest.Config, postgres_server: Postgres) -> Recorder:
    """The recorder that listens to all tests."""
    return pytestconfig.stash[_RECORDER]


@pytest.fixture(autouse=True)
def routed(pytestconfig: pytest.Config, request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test during which the product sent PostgreSQL a statement that is not for one organisation."""
    yield
    recorder = pytestconfig.stash.get(_RECORDER, None)
    if recorder is not None:
        recorder.assert_routed(request.node.nodeid)


@pytest.fixture(autouse=True, scope="session")
def quick_hashes() -> Iterator[None]:
    """Passwords are hashed in a thousandth of the time: `tests/api/test_sign_in.py` looks at what the product takes."""
    with pytest.MonkeyPatch.context() as patched:
        quick = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)
        patched.setattr(passwords, "_ARGON2", PasswordHash((quick,)))
        yield


@pytest.fixture(autouse=True)
def logs_left() -> Iterator[None]:
    """Fail a test that leaves the logs of the process set up: a later test would read them among its own words."""
    before = logging.getLogger().level
    yield
    assert logging.getLogger().level == before, "this test leaves the log's level changed"


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def partitioned_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of a PostgreSQL database that is migrated and empty, with every table in partitions."""
    name = postgres_server.create_partitioned()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def application_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of a PostgreSQL database that is migrated and empty, for the application's role."""
    name = postgres_server.create_for_application()
    yield as_role(postgres_server.url(name), APPLICATION)
    postgres_server.drop_database(name)


def as_role(url: str, role: str) -> str:
    """The address of the same database for a role whose password is its name."""
    return make_url(url).set(username=role, password=role).render_as_string(hide_password=False)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'holdfast.db'}"


URLS = {"sqlite": "sqlite_url", "postgresql": "postgres_url", PARTITIONED: "partitioned_url"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once on each kind of database."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "database_url" not in metafunc.fixturenames or any("database_url" in mark.args[0] for mark in marks):
        return
    where = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    kinds = (*DATABASES, PARTITIONED) if where.startswith(IN_PARTITIONS) else DATABASES
    metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once on each kind."""
    where = request.path.relative_to(Path(__file__).parent).as_posix()
    as_application = request.param == "postgresql" and where.startswith(AS_APPLICATION)
    url: str = request.getfixturevalue("application_url" if as_application else URLS[request.param])
    return url
