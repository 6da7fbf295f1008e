"""The partitioned database is the migrated one in all but its partitions; tables that cannot have them are refused."""

from __future__ import annotations

import re

import psycopg
import pytest

from holdfast.db.engine import Database
from holdfast.db.migrate import migrate
from tests.partitions.schema import LOCAL, PARTITIONS, NotDistributable, partition

OF_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conparentid = 0 AND contype IN ('p', 'u', 'c', 'f')
    AND NOT (SELECT relispartition FROM pg_class WHERE pg_class.oid = conrelid)"""
OF_INDEXES = """
    SELECT c.relname, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('i', 'I') AND NOT c.relispartition"""
OF_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
    AND c.relkind IN ('r', 'p') AND NOT c.relispartition"""
OF_STORAGE = """
    SELECT DISTINCT regexp_replace(c.relname, '_[0-9]+$', ''), c.reloptions FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"""


@pytest.mark.parametrize("asked", [OF_CONSTRAINTS, OF_INDEXES, OF_COLUMNS, OF_STORAGE])
def test_all_is_as_the_migrations_made_it(postgres_url: str, partitioned_url: str, asked: str) -> None:
    _migrate(postgres_url)

    assert _rows(partitioned_url, asked) == _rows(postgres_url, asked)


def test_every_table_has_its_partitions(partitioned_url: str) -> None:
    rows = _rows(
        partitioned_url,
        "SELECT c.relname, (SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid) FROM pg_class c "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition",
    )

    assert {name for name, count in rows if count == 0} == set(LOCAL)
    assert {count for _, count in rows} == {0, PARTITIONS}


@pytest.mark.parametrize(
    ("table", "error", "told"),
    [
        ("CREATE TABLE note (id uuid PRIMARY KEY)", NotDistributable, "note has no column org_id"),
        ("CREATE TABLE note (org_id uuid NOT NULL, id uuid PRIMARY KEY)", psycopg.Error, "partitioning columns"),
        ("CREATE TABLE note (org_id uuid NOT NULL, id uuid UNIQUE)", psycopg.Error, "partitioning columns"),
    ],
)
def test_a_table_that_cannot_be_spread_is_refused(
    postgres_url: str, table: str, error: type[Exception], told: str
) -> None:
    _migrate(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute(table.encode())
        with pytest.raises(error, match=told):
            partition(connection)


def _migrate(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.dispose()


def _rows(url: str, asked: str) -> list[tuple[object, ...]]:
    """The rows in one order. PostgreSQL writes casts and parentheses anew each time that it reads a condition."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(asked.encode()).fetchall()
    return sorted((tuple(_CASTS.sub("", v) if isinstance(v, str) else v for v in row) for row in rows), key=repr)


_CASTS = re.compile(r"::(?:character varying|text)(?:\[\])?|[()]")
