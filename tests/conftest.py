"""What all tests share: databases, fresh for each test.

`database_url` runs a test twice, on SQLite and on PostgreSQL. The server is one per test process, started
when the first test asks for it, or the one that HOLDFAST_TEST_POSTGRES_URL names (a superuser's address).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.postgres import temporary_server

DATABASES = ("sqlite", "postgresql")


class Postgres:
    """A running server on which tests make databases."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self._connection = psycopg.connect(admin_url, autocommit=True)

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

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close(self) -> None:
        """Close our connection."""
        self._connection.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """The server all tests of this process share; do not stop it."""
    named = os.environ.get("HOLDFAST_TEST_POSTGRES_URL")
    if named:
        server = Postgres(named)
        yield server
        server.close()
        return
    with temporary_server(fsync=False) as started:
        server = Postgres(started.url())
        yield server
        server.close()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """The address of an empty PostgreSQL database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'holdfast.db'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database, once on each kind."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url
