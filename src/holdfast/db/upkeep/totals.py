"""What the sweeper asks of the database beside commands: old answers to remove, totals for the metrics."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.exact_sum import exact_sum
from holdfast.db.queries.settling import due as due_levels
from holdfast.db.queries.stuck import levels_beside

FORGET_MAX = 5_000
"""Most answers that one transaction removes."""

STALE_ROWS_MIN = 500
"""Rows that a table must have changed before its statistics are gathered anew."""

STATISTICS_LOCK_SECONDS = 1
"""How long gathering statistics waits for another process that does the same."""

_answered, _level, _hold = schema.answered.c, schema.level.c, schema.reservation.c


def due(database: Database, now: int, limit: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(organisation, [(product id, location id), ...]) of at most `limit` levels where time has ended something."""
    with database.reading() as connection:
        return due_levels(connection, now, limit)


def beside_waiting(database: Database, now: int, limit: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(organisation, [(product id, location id), ...]) of at most `limit` levels with free units for who waits
    elsewhere."""
    with database.reading() as connection:
        return levels_beside(connection, limit, now)


def forget_answers(database: Database, before: int) -> int:
    """Remove answers to idempotency keys older than `before` (microseconds); how many, at most FORGET_MAX."""
    old = (
        sa.select(_answered.org_id, _answered.key)
        .where(_answered.created_at < before)
        .order_by(_answered.created_at)
        .limit(FORGET_MAX)
    )
    with database.writing() as connection:
        gone = connection.execute(sa.delete(schema.answered).where(sa.tuple_(_answered.org_id, _answered.key).in_(old)))
    return int(gone.rowcount)


def refresh_statistics(database: Database) -> list[str]:
    """Gather PostgreSQL's statistics of tables that have doubled since the last time; the names of those tables.

    Autovacuum does it too, but up to a minute later: until then the planner takes every index that begins with the
    organisation for equally good, and reads a whole organisation to find one product.
    """
    if database.is_sqlite:
        return []
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        stale = [
            str(name)
            for (name,) in connection.execute(_STALE_TABLES, {"least": STALE_ROWS_MIN})
            if name in schema.metadata.tables
        ]
        connection.detach()  # its limits are its own
        connection.execute(sa.text(f"SET lock_timeout = '{STATISTICS_LOCK_SECONDS}s'"))
        connection.execute(sa.text("SET statement_timeout = 0"))
        for name in stale:
            # By way of its owner: who serves need not own the tables.
            connection.execute(sa.text("SELECT holdfast_analyze(CAST(:name AS regclass))"), {"name": name})
    return stale


_STALE_TABLES = sa.text(
    "SELECT s.relname FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid "
    "WHERE has_function_privilege('holdfast_analyze(regclass)', 'EXECUTE') AND s.schemaname = current_schema() "
    "AND s.n_mod_since_analyze > greatest(:least, c.reltuples)"
)


def totals(database: Database, now: int) -> tuple[int, int, int]:
    """Active holds, backordered units (smallest units), and holds that have expired but are not released yet."""
    active = sa.text("reservation.status = 'active'")
    with database.reading() as connection:
        holds = connection.execute(sa.select(sa.func.count()).select_from(schema.reservation).where(active)).scalar()
        waiting = connection.execute(sa.select(exact_sum(_level.backordered)).where(_level.backordered > 0)).scalar()
        expired = connection.execute(
            sa.select(sa.func.count())
            .select_from(schema.reservation)
            .where(active, _hold.expires_at.is_not(None), _hold.expires_at <= now)
        ).scalar()
    return int(holds or 0), int(waiting or 0), int(expired or 0)
