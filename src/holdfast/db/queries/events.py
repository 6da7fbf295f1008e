"""Events in the order of their positions, which they get when they are first read (decision 0005).

A batch of events is committed without a position. Whoever reads numbers first, one at a time an organisation, what has
committed meanwhile, by (clock of its batch, id). What commits later gets a higher position, so a cursor, which is a
position, never skips an event.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.records.learned_type import learned
from holdfast.db import schema
from holdfast.db.engine import Database
from holdfast.db.queries.paging import Page, as_id, bounded, decode_cursor, encode_cursor

_batch = schema.event_batch.c

NUMBER_MAX = 2_000
"""Most batches that get their positions in one transaction."""

_decode = msgspec.json.Decoder(learned(list[dict[str, Any]])).decode


def number(database: Database, org_id: str, most: int = NUMBER_MAX) -> None:
    """Give positions to at most `most` batches of the organisation that have none."""
    organisation = schema.organisation
    with database.writing() as connection:
        if not database.is_sqlite:
            # One at a time: whoever numbers next sees what was numbered before. In SQLite the update below is the
            # first statement, so it takes the one write lock before it reads.
            connection.execute(
                sa.select(organisation.c.org_id).where(organisation.c.org_id == org_id).with_for_update(key_share=True)
            )
        own = _batch.org_id == org_id
        chosen = (
            sa.select(_batch.id, sa.func.row_number().over(order_by=(_batch.at, _batch.id)).label("number"))
            .where(own, _batch.position.is_(None))
            .order_by(_batch.at, _batch.id)
            .limit(most)
            .cte("chosen")
        )
        other = schema.event_batch.alias("other").c
        last = sa.select(sa.func.coalesce(sa.func.max(other.position), 0)).where(other.org_id == org_id)
        update = (
            sa.update(schema.event_batch)
            .values(position=last.scalar_subquery() + chosen.c.number)
            .where(own, _batch.id == chosen.c.id)
        )
        connection.execute(update)


def unnumbered(connection: sa.Connection, org_id: str) -> bool:
    """Is there a batch without a position?"""
    query = sa.select(_batch.id).where(_batch.org_id == org_id, _batch.position.is_(None)).limit(1)
    return connection.execute(query).first() is not None


def after(connection: sa.Connection, org_id: str, cursor: str | None, limit: int) -> Page:
    """At most `limit` events that have positions, from the cursor on; the cursor behind the last of them."""
    position, index = place_of(cursor)
    items: list[dict[str, Any]] = []
    sizes = (
        sa.select(_batch.position, _batch.size)
        .where(_batch.org_id == org_id, _batch.position.is_not(None), _batch.position >= position)
        .order_by(_batch.position)
        .limit(limit + 1)
    )
    wanted, count = [], -index
    for at, size in connection.execute(sizes):
        wanted.append((at, size))
        count += size
        if count >= limit:
            break
    if not wanted:
        return Page([], cursor_at(position, index))
    query = sa.select(_batch.position, _batch.payload).where(
        _batch.org_id == org_id, _batch.position.between(wanted[0][0], wanted[-1][0])
    )
    for at, payload in connection.execute(query.order_by(_batch.position)):
        told = _decode(payload)
        first = index if at == position else 0
        part = told[first : first + limit - len(items)]
        items += part
        position, index = (at, first + len(part)) if first + len(part) < len(told) else (at + 1, 0)
        if len(items) == limit:
            break
    return Page(items, cursor_at(position, index))


def listed(database: Database, org_id: str, cursor: str | None, limit: int) -> Page:
    """The next `limit` events after the cursor; when those with positions run out, the others get theirs."""
    if as_id(org_id) is None:
        return Page([], cursor_at(*place_of(cursor)))
    limit = bounded(limit)
    items: list[dict[str, Any]] = []
    while True:
        with database.reading() as connection:
            page = after(connection, org_id, cursor, limit - len(items))
            items += page.items
            waits = len(items) < limit and unnumbered(connection, org_id)
        if len(items) == limit or (page.next_cursor == cursor and not waits):
            return Page(items, page.next_cursor)
        if page.next_cursor == cursor:
            number(database, org_id)
        cursor = page.next_cursor


def end(database: Database, org_id: str) -> str:
    """The cursor behind the newest event."""
    if as_id(org_id) is None:
        return cursor_at(0, 0)
    while True:
        with database.reading() as connection:
            if not unnumbered(connection, org_id):
                query = sa.select(sa.func.max(_batch.position)).where(_batch.org_id == org_id)
                return cursor_at((connection.execute(query).scalar() or 0) + 1, 0)
        number(database, org_id)


def cursor_at(position: int, index: int) -> str:
    """The cursor whose next event is number `index` of the batch at `position`."""
    return encode_cursor(position, index)


def place_of(cursor: str | None) -> tuple[int, int]:
    """(position, index) of a cursor; BadCursor when it is none."""
    if cursor is None:
        return 0, 0
    position, index = decode_cursor(cursor, int, int)
    return position, max(0, index)
