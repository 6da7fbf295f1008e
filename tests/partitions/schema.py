"""Give every table of a migrated database hash partitions by `org_id`; all else stays as the migrations made it.

    migrate(Database(url))
    with psycopg.connect(url, autocommit=True) as connection:
        partition(connection)

Columns, defaults, checks, keys, foreign keys, indexes and storage options are those that the database had, under their
names. PostgreSQL refuses a key without `org_id`, as Citus does. This module refuses a table without the column
(`NotDistributable`), unless it is one of `LOCAL`.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg
from psycopg import sql

PARTITIONS = 4
"""Partitions of each table; rows of one organisation lie in those of the same number, whatever the table."""

LOCAL = {
    "alembic_version": "says which migrations have run",
    "browser_session": "is found by its token alone, which tells whose it is: its key has no organisation",
}
"""Tables that stay whole, and why."""


class NotDistributable(AssertionError):
    """A table cannot be spread by organisation; the message names it."""


class _Table(NamedTuple):
    """A table as the catalogue has it: its name and how its rows are stored."""

    name: str
    options: list[str]


def partition(connection: psycopg.Connection) -> None:
    """Replace every table by a partitioned one; all tables must be empty."""
    tables = _tables(connection)
    constraints = _constraints(connection)
    indexes = _indexes(connection)
    connection.execute("CREATE SCHEMA whole")
    for table in tables:
        connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA whole").format(sql.Identifier(table.name)))
    for table in tables:
        _create(connection, table)
    names = {table.name for table in tables}
    for kind in ("p", "u", "c"):
        _constrain(connection, [entry for entry in constraints if entry.kind == kind and entry.table in names])
    for table_name, definition in indexes:
        if table_name in names:
            connection.execute(definition.encode())
    _constrain(connection, [entry for entry in constraints if entry.kind == "f" and entry.table in names])
    connection.execute("DROP SCHEMA whole CASCADE")


class _Constraint(NamedTuple):
    """A constraint as the catalogue has it; `kind` is p, u, c or f."""

    table: str
    name: str
    kind: str
    definition: str


def _tables(connection: psycopg.Connection) -> list[_Table]:
    rows = connection.execute(
        "SELECT c.relname, coalesce(c.reloptions, '{}'), EXISTS (SELECT FROM pg_attribute a "
        "WHERE a.attrelid = c.oid AND a.attname = 'org_id' AND a.attnotnull) "
        "FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1"
    ).fetchall()
    homeless = [name for name, _, has_org in rows if not has_org and name not in LOCAL]
    if homeless:
        raise NotDistributable(
            f"Table {homeless[0]} has no column org_id NOT NULL, so it cannot be spread by organisation."
        )
    return [_Table(name, options) for name, options, _ in rows if name not in LOCAL]


def _constraints(connection: psycopg.Connection) -> list[_Constraint]:
    rows = connection.execute(
        "SELECT conrelid::regclass::text, conname, contype::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'c', 'f') ORDER BY 1, 2"
    ).fetchall()
    return [_Constraint(*row) for row in rows]


def _indexes(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """(table, definition) of the indexes that no constraint made."""
    return connection.execute(
        "SELECT i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i "
        "JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace "
        "AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) "
        "ORDER BY 1, 2"
    ).fetchall()


def _create(connection: psycopg.Connection, table: _Table) -> None:
    """Make the table and its partitions, which have the storage options: the table itself stores nothing."""
    whole = sql.Identifier("whole", table.name)
    columns = "LIKE {} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION"
    like = f"CREATE TABLE {{}} ({columns}) PARTITION BY HASH (org_id)"
    connection.execute(sql.SQL(like).format(sql.Identifier(table.name), whole))
    options = sql.SQL(f" WITH ({', '.join(table.options)})" if table.options else "")
    part_of = sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES WITH (MODULUS {}, REMAINDER {})")
    for number in range(PARTITIONS):
        part = part_of.format(
            sql.Identifier(f"{table.name}_{number}"), sql.Identifier(table.name), sql.Literal(PARTITIONS), number
        )
        connection.execute(part + options)


def _constrain(connection: psycopg.Connection, constraints: list[_Constraint]) -> None:
    for constraint in constraints:
        statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} ").format(
            sql.Identifier(constraint.table), sql.Identifier(constraint.name)
        )
        connection.execute(statement + sql.SQL(constraint.definition))
