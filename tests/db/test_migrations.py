"""A migrated database is what the schema says, on both databases, and migrating is safe to do twice or at once."""

from __future__ import annotations

import multiprocessing
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from holdfast.app import Holdfast, Outdated
from holdfast.db import migrations
from holdfast.db.engine import Database
from holdfast.db.migrate import MigrationRefused, migrate, revisions, state
from holdfast.db.schema import metadata
from holdfast.db.unreachable import DatabaseUnreachable

SECONDS_MAX = {"sqlite": 2.0, "postgresql": 4.0}
"""Far above what it takes (0.05 and 0.3 s), for a machine that runs other tests beside this one."""

STORED_APART = ("event_batch", "payload")
"""The one thing that the metadata cannot say: how PostgreSQL stores this column."""


@pytest.fixture
def database(database_url: str) -> Any:
    database = Database(database_url)
    yield database
    database.dispose()


def test_an_empty_database_becomes_current(database: Database) -> None:
    assert state(database) == "empty"

    started = time.perf_counter()
    told: list[str] = []
    ran = migrate(database, told.append)

    assert ran == told == list(revisions())
    assert state(database) == "current"
    assert time.perf_counter() - started < SECONDS_MAX[database.dialect]


def test_migrating_again_does_nothing(database: Database) -> None:
    migrate(database)

    assert migrate(database) == []


def test_looking_at_a_database_does_not_make_it(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"

    assert state(Database(f"sqlite:///{path}")) == "empty"
    assert not path.exists()


def test_alembic_finds_nothing_to_change(database: Database) -> None:
    migrate(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, metadata) == []


def test_the_catalogue_is_what_the_metadata_makes(database: Database) -> None:
    """Everything that the database itself remembers: types, checks, keys, index predicates, storage options."""
    migrate(database)
    with database.engine.begin() as connection:
        migrated = _catalogue(connection)
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.schema.DropTable(table))
        metadata.create_all(connection)
        made = _catalogue(connection)

    assert migrated == made


def test_payloads_are_stored_uncompressed(postgres_url: str) -> None:
    database = Database(postgres_url)
    migrate(database)
    asked = sa.text("SELECT attstorage FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attname = :c")
    with database.engine.connect() as connection:
        storage = connection.scalar(asked, {"t": STORED_APART[0], "c": STORED_APART[1]})
    database.dispose()

    assert storage in ("e", b"e")


def test_several_processes_may_start_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        ran = pool.map(_migrate, [database_url] * 4)

    assert sorted(ran, key=len) == [[], [], [], list(revisions())]


def test_a_newer_database_is_refused(database: Database) -> None:
    migrate(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    assert state(database) == "newer"
    with pytest.raises(Outdated, match="newer Holdfast: run that version"):
        Holdfast.open(database.url)
    with pytest.raises(MigrationRefused, match="newer Holdfast"):
        migrate(database)


def test_an_older_database_is_outdated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(database)
    monkeypatch.setattr("holdfast.db.migrate.revisions", lambda: (*revisions(), "0999"))

    assert state(database) == "outdated"


def test_somebody_elses_tables_are_left_alone(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE store (id INTEGER)")

    with pytest.raises(MigrationRefused, match="table store that no Holdfast made"):
        migrate(database)
    with database.engine.connect() as connection:
        assert not sa.inspect(connection).has_table("organisation")


def test_a_step_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with database.engine.begin() as connection:
        # The last table of the schema, under a name that the check for foreign tables does not see: an index.
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
        connection.exec_driver_sql("CREATE INDEX ix_count_sheet_draft ON other (id)")

    with pytest.raises(sa.exc.DBAPIError):
        migrate(database)

    with database.engine.connect() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"other", "alembic_version"}
    assert state(database) == "empty"


@pytest.mark.parametrize("url", ["postgresql://nobody:secret@127.0.0.1:1/none", "sqlite:////nowhere/at/all/shop.db"])
def test_a_database_that_is_away_is_named_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUnreachable) as caught:
        migrate(Database(url))

    assert "secret" not in str(caught.value)
    assert re.search(r"none|shop\.db", str(caught.value))


def test_another_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    path.write_text("milk, eggs, bread\n" * 100)

    with pytest.raises(DatabaseUnreachable, match="not an SQLite database"):
        state(Database(f"sqlite:///{path}"))


def test_the_file_names_are_the_revisions() -> None:
    scripts = ScriptDirectory(str(Path(next(iter(migrations.__path__)))))
    chain = [script.revision for script in scripts.walk_revisions()]

    assert tuple(reversed(chain)) == revisions()
    assert scripts.get_heads() == [revisions()[-1]]


def test_foreign_keys_hold_after_migrating(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    migrate(database)
    connection = database.connect_sqlite()
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        connection.execute("INSERT INTO product_cost VALUES ('o', 'p', 1)")
    connection.close()
    database.dispose()


def _migrate(url: str) -> list[str]:
    return migrate(Database(url))


def _catalogue(connection: sa.Connection) -> dict[str, Any]:
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master")
        found = {(kind, name): (table, _plain(sql)) for kind, name, table, sql in rows}
        return {str(key): value for key, value in found.items() if "alembic" not in key[1]}
    return {name: sorted(map(tuple, connection.exec_driver_sql(asked))) for name, asked in _POSTGRES_CATALOGUE.items()}


def _plain(sql: str | None) -> list[str]:
    """The lines of a definition, in one order: a constraint may stand before another, an added column behind all."""
    text = re.sub(r", (?=[a-z_]+ [A-Z]{2})", ",\n", (sql or "").strip().removesuffix(")"))
    return sorted(line.strip().rstrip(",") for line in text.splitlines() if line.strip())


_OURS = "n.nspname = 'public' AND c.relname NOT LIKE 'alembic%%'"
_POSTGRES_CATALOGUE = {
    "tables": f"""
        SELECT c.relname, c.relkind::text, coalesce(array_to_string(c.reloptions, ','), '')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}""",
    "columns": f"""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               CASE WHEN (c.relname, a.attname) = ('{STORED_APART[0]}', '{STORED_APART[1]}') THEN ''
                    ELSE a.attstorage::text END,
               coalesce(pg_get_expr(d.adbin, d.adrelid), '')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'""",
    "constraints": f"""
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS}""",
    "indexes": f"""
        SELECT c.relname, pg_get_indexdef(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS} AND c.relkind = 'i'""",
}
