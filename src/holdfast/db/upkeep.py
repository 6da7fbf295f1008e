"""What the sweeper asks of the database beside commands: old answers to remove, totals for the metrics."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.queries.settling import due as due_levels

FORGET_MAX = 5_000
"""Most answers that one transaction removes."""

_answered, _level, _hold = schema.answered.c, schema.level.c, schema.reservation.c


def due(database: Database, now: int, limit: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(organisation, [(product id, location id), ...]) of at most `limit` levels where time has ended something."""
    with database.reading() as connection:
        return due_levels(connection, now, limit)


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


def totals(database: Database, now: int) -> tuple[int, int, int]:
    """Active holds, backordered units (smallest units), and holds that have expired but are not released yet."""
    active = sa.text("reservation.status = 'active'")
    with database.reading() as connection:
        holds = connection.execute(sa.select(sa.func.count()).select_from(schema.reservation).where(active)).scalar()
        waiting = connection.execute(
            sa.select(sa.func.coalesce(sa.func.sum(_level.backordered), 0)).where(_level.backordered > 0)
        ).scalar()
        dead = connection.execute(
            sa.select(sa.func.count())
            .select_from(schema.reservation)
            .where(active, _hold.expires_at.is_not(None), _hold.expires_at <= now)
        ).scalar()
    return int(holds or 0), int(waiting or 0), int(dead or 0)
