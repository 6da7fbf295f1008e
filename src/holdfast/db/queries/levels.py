"""Inventory entries: lists with filters, single ones, a product's, and those that run low.

    listed(connection, catalog, Filter(product="MUG-1"), cursor=None, limit=50, now=now)   -> Page

An entry shows its level as settling would leave it (`settling`), or, with `as_of`, as it stood at that instant.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from holdfast.core.document import level_fields
from holdfast.core.holding import Level, LevelKey
from holdfast.core.lookup import Catalog
from holdfast.core.number import PRECISION_MAX, QUANTITY_MAX, Number
from holdfast.core.product import Location, Product, reorder_threshold
from holdfast.db import schema
from holdfast.db.queries.as_of import past_of
from holdfast.db.queries.catalog import columns_of, is_shown, places_of, product_of, products_of
from holdfast.db.queries.moved_late import moved_late
from holdfast.db.queries.paging import (
    EMPTY,
    Found,
    Json,
    Page,
    among,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    key_of_cursor,
    newest,
    page_of,
)
from holdfast.db.queries.products import Totals, matching, total_fields
from holdfast.db.queries.settled import Foreseen, corner_of, foresee, foresee_levels
from holdfast.db.queries.settling import Ended, as_settled, gone_units
from holdfast.db.rows import row_type

_level, _product, _location = schema.level.c, schema.product.c, schema.location.c
COLUMNS = columns_of(schema.level, Level)

PAST_SCAN_MAX = 400
"""Most levels that one page works out as of the past to find those that were low."""

_BEGUN = "begun"
"""Begins the cursor of a page that ends among entries which do not exist yet."""

LOW_MAX = 10_000
"""Most entries of a page of the low-stock list."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: product by id or SKU, location and store by id or code; `threshold` in whole units."""

    product: str | None = None
    location: str | None = None
    store: str | None = None
    search: str | None = None
    low_stock: bool = False
    threshold: Number | None = None
    stores: Collection[str] | None = None


def listed(
    connection: sa.Connection,
    catalog: Catalog,
    wanted: Filter,
    *,
    as_of: int | None,
    cursor: str | None,
    limit: int,
    now: int,
) -> Page:
    """A page of entries."""
    where = conditions(connection, catalog, wanted)
    if where is None:
        return EMPTY
    if as_of is not None:
        return _listed_as_of(connection, catalog, wanted, where, as_of, cursor, limit)
    limit = bounded(limit)
    if wanted.product is not None and not wanted.low_stock:
        return _listed_of_product(connection, catalog, wanted, where, cursor, limit, now)
    found = _found(connection, catalog, [*where, _level.listed], id_of_cursor(cursor), limit, wanted, now)
    return page_of(found, limit, lambda rows: describe(connection, catalog, _read(rows), now))


def _listed_of_product(
    connection: sa.Connection,
    catalog: Catalog,
    wanted: Filter,
    where: list[sa.ColumnElement[bool]],
    cursor: str | None,
    limit: int,
    now: int,
) -> Page:
    """A page of one product's entries; those that are about to begin in quarantine are the newest.

    They have no id to go on from: a cursor after one of them counts how many were shown.
    """
    product = product_of(connection, catalog.settings.id, wanted.product or "")
    assert product is not None
    seen = foresee(connection, catalog, now, {product.id})
    places = places_of(catalog, stores=wanted.stores, store=wanted.store, location=wanted.location)
    coming = begun(catalog, seen, places)
    shown, before = 0, None
    if cursor is not None:
        counted = key_of_cursor(cursor)[:1] == [_BEGUN]
        shown = decode_cursor(cursor, str, int)[1] if counted else len(coming)
        before = None if counted else id_of_cursor(cursor)
    first = coming[max(shown, 0) :][:limit]
    items = _entries(connection, catalog, first)
    if len(first) == limit:
        return Page(items, encode_cursor(_BEGUN, shown + limit))
    limit -= len(first)
    found = _found(connection, catalog, [*where, _level.listed], before, limit, wanted, now)
    page = page_of(
        found, limit, lambda rows: _entries(connection, catalog, [seen.level(level) for level in _read(rows)])
    )
    return Page(items + page.items, page.next_cursor)


def conditions(connection: sa.Connection, catalog: Catalog, wanted: Filter) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on the level (joined to its product when low ones are wanted); None when nothing can match."""
    where: list[sa.ColumnElement[bool]] = []
    org_id = catalog.settings.id
    if wanted.product is not None:
        product = product_of(connection, org_id, wanted.product)
        if product is None:
            return None
        where.append(_level.product_id == product.id)
    places = places_of(catalog, stores=wanted.stores, store=wanted.store, location=wanted.location)
    if places is not None:
        if not places:
            return None
        where.append(_level.location_id.in_(places))
    if wanted.search:
        ids = sa.select(_product.id).where(_product.org_id == org_id, matching(wanted.search))
        where.append(_level.product_id.in_(ids))
    return where


def _found(
    connection: sa.Connection,
    catalog: Catalog,
    where: Sequence[sa.ColumnElement[bool]],
    before: str | None,
    limit: int,
    wanted: Filter,
    now: int,
) -> Found:
    org_id, limit = catalog.settings.id, bounded(limit)
    if not wanted.low_stock:
        return newest(
            connection,
            schema.level,
            COLUMNS,
            org_id,
            where,
            before=before,
            limit=limit,
            scan=None,
            indexed=wanted.product is not None,
        )
    if before is not None:
        where = [*where, _level.id < before]
    query = low_levels(connection, catalog, wanted.threshold, COLUMNS, now)[0].where(*where)
    return Found(connection.execute(query.order_by(_level.id.desc()).limit(limit + 1)).all())


def low_levels(
    connection: sa.Connection,
    catalog: Catalog,
    threshold: Number | None,
    columns: Sequence[sa.ColumnElement[Any]],
    now: int,
) -> tuple[sa.Select[Any], sa.ColumnElement[int]]:
    """Levels at or below their line (the line given, else the reorder threshold of each), and their quantity.

    It is the quantity that an entry shows: without expired lots.
    """
    joined: sa.FromClause = schema.level.join(
        schema.product, (_product.org_id == _level.org_id) & (_product.id == _level.product_id)
    )
    quantity: sa.ColumnElement[int] = _level.on_hand
    gone = gone_units(connection, catalog.settings.id, now)
    if gone is not None:
        joined = joined.outerjoin(gone, gone.c.level_id == _level.id)
        quantity = _level.on_hand - sa.func.coalesce(gone.c.units, 0)
    where = [_level.org_id == catalog.settings.id]
    own = [units for place in catalog.locations.values() for units in place.reorder_points.values()]
    line: sa.ColumnElement[Any] = product_line(catalog) if threshold is None else _by_precision(threshold)
    if threshold is None and own:
        # Few are below both lines: only for those is a place's own one looked up.
        where.append(sa.or_(quantity <= line, quantity <= max(own)))
        points = reorder_points(connection, catalog.settings.id)
        joined = joined.outerjoin(
            points, (points.c.location_id == _level.location_id) & (points.c.product_id == _level.product_id)
        )
        line = sa.func.coalesce(points.c.units, line)
    where.append(quantity <= line)
    query = sa.select(*columns).select_from(joined).where(*where, _level.location_id.in_(sellable(catalog)))
    return query, quantity


def product_line(catalog: Catalog) -> sa.ColumnElement[Any]:
    """The reorder point of a product, else the organisation's, in smallest units; null when there is neither."""
    default = catalog.settings.default_reorder_point
    return sa.func.coalesce(_product.reorder_point, sa.null() if default is None else _by_precision(default))


def sellable(catalog: Catalog) -> list[str]:
    """The ids of the locations that sell: nothing runs low elsewhere."""
    return [place.id for place in catalog.locations.values() if place.sellable]


def reorder_points(connection: sa.Connection, org_id: str) -> sa.CTE:
    """The locations' own reorder points as rows: location_id, product_id, units."""
    if connection.dialect.name == "sqlite":
        each = sa.func.json_each(_location.reorder_points).table_valued("key", "value")
        product_id: sa.ColumnElement[Any] = each.c.key
        units: sa.ColumnElement[Any] = each.c.value
    else:
        each = sa.func.json_each_text(_location.reorder_points).table_valued("key", "value")
        product_id = each.c.key.cast(schema.Id)
        units = each.c.value.cast(sa.BigInteger)
    query = sa.select(
        _location.id.label("location_id"), product_id.label("product_id"), units.label("units")
    ).select_from(sa.join(schema.location, each, sa.true()))
    return query.where(_location.org_id == org_id).cte("reorder_points").prefix_with("MATERIALIZED")


def _by_precision(number: Number) -> sa.ColumnElement[int]:
    """A quantity in whole units as smallest units of whatever precision the product has."""
    most = Decimal(QUANTITY_MAX)
    scaled = [max(-most, min(most, Decimal(number).scaleb(places))) for places in range(PRECISION_MAX + 1)]
    whole = [int(units.to_integral_value(ROUND_FLOOR)) for units in scaled]
    return sa.case(*((_product.precision == places, units) for places, units in enumerate(whole)), else_=whole[0])


def _listed_as_of(
    connection: sa.Connection,
    catalog: Catalog,
    wanted: Filter,
    where: list[sa.ColumnElement[bool]],
    as_of: int,
    cursor: str | None,
    limit: int,
) -> Page:
    """The levels that existed at the instant, as they stood then; unlisted ones only if they were not empty."""
    limit = bounded(limit)
    count = PAST_SCAN_MAX if wanted.low_stock else limit
    found = newest(
        connection,
        schema.level,
        COLUMNS,
        catalog.settings.id,
        [*where, _level.created_at <= as_of],
        before=id_of_cursor(cursor),
        limit=count,
        scan=None,
        indexed=wanted.product is not None,
    )
    levels = _read(found.rows[:count])
    past = past_of(connection, catalog.settings.id, as_of, {level.id: level.seq for level in levels})
    coming = _coming(connection, catalog, as_of, levels)
    moved = moved_late(connection, catalog, as_of, levels, past.seqs)
    shown: list[Level] = []
    for level in levels:
        stood = _stood(level, past.entries.get(level.id), past.over.get(level.id), moved.get(level.id, 0))
        stood.on_hand += coming.get((level.product_id, level.location_id), 0)
        if level.listed or stood.on_hand or stood.reserved or stood.backordered:
            shown.append(stood)
    if wanted.low_stock:
        products = products_of(connection, catalog.settings.id, {level.product_id for level in shown})
        shown = [level for level in shown if _low(catalog, products[level.product_id], level, wanted.threshold)]
    following = levels[-1].id if len(found.rows) > count else None
    if len(shown) > limit:
        shown, following = shown[:limit], shown[limit - 1].id
    return Page(describe(connection, catalog, shown, None), None if following is None else encode_cursor(following))


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
    shelves = _read(connection.execute(query).all())
    past = past_of(connection, catalog.settings.id, as_of, {level.id: level.seq for level in shelves})
    coming: dict[LevelKey, int] = {}
    for level in shelves:
        if level.id in past.over:
            key = (level.product_id, corner_of(catalog, catalog.locations[level.location_id]).id)
            coming[key] = coming.get(key, 0) + past.over[level.id].expired
    return coming


def _low(catalog: Catalog, product: Product, level: Level, threshold: Number | None) -> bool:
    place = catalog.locations[level.location_id]
    if threshold is not None:
        return place.sellable and level.on_hand <= Decimal(threshold).scaleb(product.precision)
    line = reorder_threshold(product, place, catalog.settings)
    return place.sellable and line is not None and level.on_hand <= line


def _read(rows: Sequence[Any]) -> list[Level]:
    read = row_type(Level).read
    return [read(row) for row in rows]


def describe(connection: sa.Connection, catalog: Catalog, levels: Sequence[Level], now: int | None) -> list[Json]:
    """Entries of levels: as settled at `now`, or, without it, as they are given."""
    if not levels:
        return []
    seen = None if now is None else foresee_levels(connection, catalog, now, levels)
    return _entries(connection, catalog, [level if seen is None else seen.level(level) for level in levels])


def _entries(connection: sa.Connection, catalog: Catalog, levels: Sequence[Level]) -> list[Json]:
    """Entries of levels as they are given."""
    if not levels:
        return []
    products = products_of(connection, catalog.settings.id, {level.product_id for level in levels})
    rows = []
    for level in levels:
        place: Location = catalog.locations[level.location_id]
        store = catalog.stores[place.store_id]
        rows.append(level_fields(level, products[level.product_id], place, store, catalog.settings))
    return rows


def begun(catalog: Catalog, seen: Foreseen, places: Collection[str] | None) -> list[Level]:
    """Levels in quarantine that the next settling begins (or lists again), within the places, by location code."""
    again = [seen.level(level) for level in seen.before.values() if not level.listed and seen.level(level).listed]
    inside = [level for level in seen.begun + again if places is None or level.location_id in places]
    return sorted(inside, key=lambda level: catalog.locations[level.location_id].code)


def one(connection: sa.Connection, catalog: Catalog, level_id: str, stores: Collection[str] | None) -> Level | None:
    """A level by id, within the stores."""
    name = as_id(level_id)
    if name is None:
        return None
    query = sa.select(*COLUMNS).where(_level.org_id == catalog.settings.id, _level.id == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    level: Level = row_type(Level).read(row)
    return level if is_shown(catalog, level.location_id, stores) else None


def entry(
    connection: sa.Connection, catalog: Catalog, level_id: str, stores: Collection[str] | None, now: int
) -> Json | None:
    """An entry by its level's id, within the stores."""
    found = one(connection, catalog, level_id, stores)
    return None if found is None else describe(connection, catalog, [found], now)[0]


def key(
    connection: sa.Connection, catalog: Catalog, level_id: str, stores: Collection[str] | None
) -> tuple[str, str] | None:
    """(product id, location id) of a listed level, within the stores."""
    found = one(connection, catalog, level_id, stores)
    return None if found is None or not found.listed else (found.product_id, found.location_id)


def of_product(
    connection: sa.Connection, catalog: Catalog, product: Product, stores: Collection[str] | None
) -> list[Level]:
    """The listed levels of a product, within the stores, by location code."""
    query = sa.select(*COLUMNS).where(
        _level.org_id == catalog.settings.id, _level.product_id == product.id, _level.listed
    )
    places = places_of(catalog, stores=stores)
    levels = [
        level for level in _read(connection.execute(query).all()) if places is None or level.location_id in places
    ]
    return sorted(levels, key=lambda level: catalog.locations[level.location_id].code)


def summary(
    connection: sa.Connection, catalog: Catalog, ref: str, stores: Collection[str] | None, now: int
) -> Json | None:
    """A product's totals and its entries (SPEC `GET /store/inventory/product/{id}`)."""
    product = product_of(connection, catalog.settings.id, ref)
    if product is None:
        return None
    levels = of_product(connection, catalog, product, stores)
    seen = foresee(connection, catalog, now, {product.id})
    settled = [seen.level(level) for level in levels] + begun(catalog, seen, places_of(catalog, stores=stores))
    settled.sort(key=lambda level: catalog.locations[level.location_id].code)
    totals = Totals()
    for level in settled:
        sellable = catalog.locations[level.location_id].sellable
        totals = Totals(
            totals.on_hand + level.on_hand,
            totals.reserved + level.reserved,
            totals.available + (level.available if sellable else 0),
            totals.backordered + level.backordered,
        )
    return {
        "product_id": product.id,
        "sku": product.sku,
        "title": product.title,
        "unlimited": product.unlimited,
        **total_fields(product, totals),
        "locations": _entries(connection, catalog, settled),
    }


def low_stock(
    connection: sa.Connection, catalog: Catalog, wanted: Filter, now: int, *, cursor: str | None, limit: int
) -> Page:
    """A page of entries at or below their line, emptiest first, by the smallest units on hand; `limit` 1 to LOW_MAX."""
    where = conditions(connection, catalog, wanted)
    if where is None:
        return EMPTY
    limit = max(1, min(limit, LOW_MAX))
    query, quantity = low_levels(connection, catalog, wanted.threshold, COLUMNS, now)
    if cursor is not None:
        units, last = decode_cursor(cursor, int, UUID)
        where.append(sa.or_(quantity > units, sa.and_(quantity == units, _level.id < last)))
    query = query.add_columns(quantity.label("emptiness")).where(*where, _level.listed)
    rows = connection.execute(query.order_by(quantity, _level.id.desc()).limit(limit + 1)).all()
    shown = [row_type(Level).read(row[:-1]) for row in rows[:limit]]
    following = encode_cursor(rows[limit - 1][-1], rows[limit - 1].id) if len(rows) > limit else None
    return Page(describe(connection, catalog, shown, now), following)
