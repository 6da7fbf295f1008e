"""Entries in quarantine that settling will begin, or list again: nothing is stored of them yet, and lists show them.

    coming(connection, catalog, now, [], None, before=None, limit=50)     -> their levels, empty, newest first
    by_id(connection, catalog, now, level_id)                            -> one of them, None when there is none
    begins(catalog, seen, None)                                          -> those of products that are foreseen

A lot has expired, its units are about to go to the quarantine of their store, and the product was never there. Such a
level has its id before (`core.stock.foreseen_id`), so a list by id has its place for it. What lies in it is worked out
in `settled`: what is found here is empty, for `Foreseen.level` to fill.

They are found from the expired lots that the sweeper has not come to: few, so a list pays one look that finds nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.stock import Level, LevelKey
from holdfast.core.stock.foreseen_id import corner_id, ids_around
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.as_of import given_rows
from holdfast.db.queries.catalog import columns_of
from holdfast.db.queries.paging import among, not_walked
from holdfast.db.queries.settled import Foreseen, corners_of
from holdfast.db.queries.settling import expired_lots

_stock, _level = schema.lot_stock.c, schema.level.c
_corner = schema.level.alias("corner")

AHEAD = 4
"""So many times the rows of a page are looked at first; as often as that does not do, so many times more."""


def coming(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
    *,
    before: str | None,
    down_to: str | None,
    limit: int,
) -> list[Level]:
    """The first levels, newest id first, that settling begins or lists again; `limit` + 1 of them at most.

    `conditions` are on the level's product; `places` (None: all) are where it lies. Their ids are below `before` and
    above `down_to`.
    """
    if not _any_expired(connection, catalog, now):
        return []
    unlisted = _unlisted(connection, catalog, now, conditions, places)
    again = [level for level in unlisted if _is_between(level, before, down_to)]
    begun = _first_begun(connection, catalog, now, conditions, places, before, down_to, limit)
    return merged(again, begun)[: limit + 1]


def to_begin(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
    *,
    before: str | None,
    down_to: str | None,
    limit: int,
) -> list[Level]:
    """Those of them that do not exist."""
    if not _any_expired(connection, catalog, now):
        return []
    return _first_begun(connection, catalog, now, conditions, places, before, down_to, limit)[: limit + 1]


def by_id(connection: sa.Connection, catalog: Catalog, now: int, level_id: str) -> Level | None:
    """The level with that id which settling will begin."""
    if not _any_expired(connection, catalog, now):
        return None
    low, high = ids_around(level_id)
    keys = _keys(connection, catalog, now, [_level.product_id.between(low, high)], None, None)
    return next((level for level in (_empty(key, now) for key in keys) if level.id == level_id), None)


def begins(catalog: Catalog, seen: Foreseen, places: Collection[str] | None) -> list[Level]:
    """Levels in quarantine that the next settling begins (or lists again), within the places, by location code."""
    again = [seen.level(level) for level in seen.before.values() if not level.listed and seen.level(level).listed]
    inside = [level for level in [*seen.begun.values(), *again] if places is None or level.location_id in places]
    return sorted(inside, key=lambda level: catalog.locations[level.location_id].code)


def ids_of_levels(connection: sa.Connection, org_id: str, keys: Collection[LevelKey]) -> dict[LevelKey, str]:
    """The ids of the levels, which those in quarantine have before they are begun."""
    query = sa.select(_level.product_id, _level.location_id, _level.id).where(
        _level.org_id == org_id, among(connection, _level.product_id, {product_id for product_id, _ in keys})
    )
    known = {(row[0], row[1]): row[2] for row in connection.execute(query)}
    return {key: known.get(key) or corner_id(*key) for key in keys}


def merged(stored: Sequence[Level], levels: Sequence[Level]) -> list[Level]:
    """Both as one list, newest id first."""
    if not levels:
        return list(stored)
    return sorted((*stored, *levels), key=lambda level: level.id, reverse=True)


def _any_expired(connection: sa.Connection, catalog: Catalog, now: int) -> bool:
    org = not_walked(connection, _stock.org_id)
    query = sa.select(_stock.lot_id).where(org == catalog.settings.id, *expired_lots(now)).limit(1)
    return connection.execute(query).first() is not None


def _is_between(level: Level, before: str | None, down_to: str | None) -> bool:
    return (before is None or level.id < before) and (down_to is None or level.id > down_to)


def _empty(key: tuple[str, str], now: int) -> Level:
    """A level at (product id, location id) that begins after the instant."""
    return Level(corner_id(*key), *key, 0, 0, 0, 0, True, now + 1, now + 1)


def _first_begun(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
    before: str | None,
    down_to: str | None,
    limit: int,
) -> list[Level]:
    """Those that do not exist, found along the products: an id lies next to its product's."""
    near = [] if before is None else [_level.product_id <= ids_around(before)[1]]
    near += [] if down_to is None else [_level.product_id >= ids_around(down_to)[0]]
    count = AHEAD * (limit + 1)
    while True:
        keys = _keys(connection, catalog, now, [*conditions, *near], places, count)
        levels = merged(
            [], [level for level in (_empty(key, now) for key in keys) if _is_between(level, before, down_to)]
        )
        if len(keys) < count:
            return levels
        # What was not looked at has products below the last one, so ids below those around it.
        floor = ids_around(keys[-1][0])[1]
        sure = [level for level in levels if level.id > floor]
        if len(sure) > limit:
            return sure
        count *= AHEAD


def _keys(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
    count: int | None,
) -> list[tuple[str, str]]:
    """(product id, quarantine location id) of levels that do not exist, at most `count`, the last products first."""
    given, query = _into_corners(connection, catalog, now, conditions, places)
    keys: sa.Select[Any] = query.with_only_columns(_level.product_id, given.c.corner)
    keys = keys.where(_corner.c.id.is_(None)).distinct().order_by(_level.product_id.desc())
    rows = connection.execute(keys if count is None else keys.limit(count))
    return [(str(row[0]), str(row[1])) for row in rows]


def _unlisted(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
) -> list[Level]:
    """Those that exist but were taken off the lists: few."""
    _, query = _into_corners(connection, catalog, now, conditions, places)
    columns = [_corner.c[column.name] for column in columns_of(schema.level, Level)]
    levels: sa.Select[Any] = query.with_only_columns(*columns).where(sa.not_(_corner.c.listed)).distinct()
    return [row_type(Level).read(row) for row in connection.execute(levels)]


def _into_corners(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
) -> tuple[Any, sa.Select[Any]]:
    """Levels where a lot has expired, beside the levels in quarantine (if any) to which their units will go."""
    org_id = catalog.settings.id
    corners = [pair for pair in corners_of(catalog).items() if places is None or pair[1] in places]
    lots = sa.select(_stock.level_id).where(not_walked(connection, _stock.org_id) == org_id, *expired_lots(now))
    given = given_rows(connection.dialect.name, {"place": schema.Id, "corner": schema.Id}, corners)
    query = (
        sa.select(_level.product_id)
        .select_from(schema.level)
        .join(given, given.c.place == _level.location_id)
        .outerjoin(
            _corner,
            (_corner.c.org_id == org_id)
            & (_corner.c.product_id == _level.product_id)
            & (_corner.c.location_id == given.c.corner),
        )
        .where(_level.org_id == org_id, _level.id.in_(lots), *conditions)
    )
    return given, query
