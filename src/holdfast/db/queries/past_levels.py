"""Inventory entries as they stood at a past instant.

    listed_as_of(connection, catalog, LevelFilter(product="MUG-1", as_of=at), Part(limit=50, now=now))   -> Page

A level is what its ledger said at the instant, without what had ended by then, whenever that was settled. Units of a
lot that had expired lay in quarantine: a level there that was begun later, or is not begun to this day, is listed too.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import Number
from holdfast.core.records.product import Product, reorder_threshold
from holdfast.core.records.stock import Level, LevelKey
from holdfast.db import schema
from holdfast.db.queries.as_of import past_of
from holdfast.db.queries.begun import merged, to_begin
from holdfast.db.queries.catalog import products_of
from holdfast.db.queries.levels import COLUMNS, LevelFilter, conditions, entries, listed, read, sellable
from holdfast.db.queries.moved_late import moved_late
from holdfast.db.queries.paging import EMPTY, Page, Part, among, bounded, encode_cursor, id_of_cursor, newest
from holdfast.db.queries.settled import corners_of
from holdfast.db.queries.settling import Ended, as_settled

_level, _stock = schema.level.c, schema.lot_stock.c
_elsewhere = schema.lot_stock.alias("elsewhere")

PAST_SCAN_MAX = 400
"""Most levels that one page works out as of the past to find those that were low."""


def listed_as_of(connection: sa.Connection, catalog: Catalog, filters: LevelFilter, part: Part) -> Page:
    """A page of entries: with `as_of` those that existed then, as they stood then, else the listed ones as they stand.

    Of the past, an entry that is not listed any more is shown if it was not empty.
    """
    as_of = filters.as_of
    if as_of is None:
        return listed(connection, catalog, filters, part)
    where = conditions(connection, catalog, filters, part.stores)
    if where is None:
        return EMPTY
    limit, before = bounded(part.limit), id_of_cursor(part.cursor)
    count = PAST_SCAN_MAX if filters.only_low else limit
    found = newest(
        connection,
        schema.level,
        COLUMNS,
        catalog.settings.id,
        [*where.all, sa.or_(_level.created_at <= as_of, _begun_late(catalog, as_of))],
        before=before,
        limit=count,
        scan=None,
        indexed=filters.product is not None,
    )
    levels = read(found.rows)
    if not filters.only_low:  # what lies in quarantine never runs low
        down_to = levels[limit].id if len(levels) > limit else None
        begun = to_begin(
            connection, catalog, as_of, where.products, where.places, before=before, down_to=down_to, limit=limit
        )
        levels = merged(levels, begun)
    following = levels[count - 1].id if len(levels) > count else None
    shown = _as_they_stood(connection, catalog, levels[:count], as_of)
    if filters.only_low:
        products = products_of(connection, catalog.settings.id, {level.product_id for level in shown})
        shown = [level for level in shown if _low(catalog, products[level.product_id], level, filters.threshold)]
    if len(shown) > limit:
        shown, following = shown[:limit], shown[limit - 1].id
    return Page(entries(connection, catalog, shown), None if following is None else encode_cursor(following))


def _begun_late(catalog: Catalog, as_of: int) -> sa.ColumnElement[bool]:
    """The condition that a level in quarantine was begun after the instant, with a lot that had expired by then."""
    corners = [place.id for place in catalog.locations.values() if place.kind == "quarantine"]
    expired = (
        sa.select(_stock.lot_id)
        .join(_elsewhere, (_elsewhere.c.org_id == _stock.org_id) & (_elsewhere.c.lot_id == _stock.lot_id))
        # Within a subquery no planner knows that its organisation is the level's.
        .where(_stock.org_id == catalog.settings.id, _stock.level_id == _level.id)
        .where(_elsewhere.c.sellable_until <= as_of)
    )
    return sa.and_(_level.created_at > as_of, _level.location_id.in_(corners), expired.exists())


def _as_they_stood(connection: sa.Connection, catalog: Catalog, levels: Sequence[Level], as_of: int) -> list[Level]:
    """Those of the levels that there were at the instant."""
    past = past_of(connection, catalog.settings.id, as_of, {level.id: level.seq for level in levels})
    coming = _coming(connection, catalog, as_of, levels)
    moved = moved_late(connection, catalog, as_of, levels, past.seqs)
    shown: list[Level] = []
    for level in levels:
        begun = level.created_at <= as_of
        stood = _stood(level, past.entries.get(level.id), past.over.get(level.id), moved.get(level.id, 0))
        stood.on_hand += coming.get((level.product_id, level.location_id), 0)
        if not begun:  # it begins with the lots that have expired
            stood.created_at = stood.updated_at = as_of
        if (begun and level.listed) or stood.on_hand or stood.reserved or stood.backordered:
            shown.append(stood)
    return shown


def _stood(level: Level, then: Any, over: Ended | None, moved: int) -> Level:
    """The level as an entry of its ledger left it, without what had ended by then; empty before its first entry.

    `moved` are the promises, in smallest units, that come from other levels with that, or (below zero) go there.
    """
    if then is None:
        return msgspec.structs.replace(level, on_hand=0, reserved=0, backordered=0, updated_at=level.created_at)
    stood = msgspec.structs.replace(
        level,
        on_hand=then.balance_after,
        reserved=then.reserved_after,
        backordered=then.backordered_after,
        updated_at=then.created_at,
    )
    return as_settled(stood, over, moved)


def _coming(connection: sa.Connection, catalog: Catalog, as_of: int, levels: Sequence[Level]) -> dict[LevelKey, int]:
    """Units that had expired by an instant and were moved into those of the levels that are quarantines later."""
    corners = [level for level in levels if catalog.locations[level.location_id].kind == "quarantine"]
    if not corners:
        return {}
    query = sa.select(*COLUMNS).where(
        _level.org_id == catalog.settings.id,
        among(connection, _level.product_id, {level.product_id for level in corners}),
        _level.created_at <= as_of,
        _level.location_id.in_(sellable(catalog)),
    )
    shelves = read(connection.execute(query).all())
    past = past_of(connection, catalog.settings.id, as_of, {level.id: level.seq for level in shelves})
    coming: dict[LevelKey, int] = {}
    places = corners_of(catalog)
    for level in shelves:
        if level.id in past.over:
            key = (level.product_id, places[level.location_id])
            coming[key] = coming.get(key, 0) + past.over[level.id].expired
    return coming


def _low(catalog: Catalog, product: Product, level: Level, threshold: Number | None) -> bool:
    place = catalog.locations[level.location_id]
    if threshold is not None:
        return place.sellable and level.on_hand <= Decimal(threshold).scaleb(product.precision)
    line = reorder_threshold(product, place, catalog.settings)
    return place.sellable and line is not None and level.on_hand <= line
