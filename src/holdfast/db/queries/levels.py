"""Inventory entries: lists with filters, single ones, a product's, and those that run low.

    listed(connection, catalog, LevelFilter(product="MUG-1"), Part(limit=50, now=now))   -> Page

An entry shows its level as settling would leave it (`settled`). How levels stood in the past is in `past_levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.documents import level_fields
from holdfast.core.records.number import PRECISION_MAX, QUANTITY_MAX, Number
from holdfast.core.records.organisation import Location
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.begun import begins, by_id, coming, merged
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.filters import LOCATION, PRODUCT, SEARCH, SORT, Filter, Instant, LowStock, Threshold
from holdfast.db.queries.paging import (
    EMPTY,
    Found,
    Json,
    Page,
    Part,
    Stores,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    id_of_cursor,
    newest,
)
from holdfast.db.queries.products import Totals, matching, total_fields
from holdfast.db.queries.settled import foresee, foresee_levels
from holdfast.db.queries.settling import gone_units, instant
from holdfast.db.queries.sorting import TEXT_CHARACTERS, Order

_level, _product, _location = schema.level.c, schema.product.c, schema.location.c
COLUMNS = columns_of(schema.level, Level)

LOW_MAX = 10_000
"""Most entries of a page of the low-stock list."""


LevelSort = Literal["title", "-title", "sku", "-sku", "available", "-available", "changed", "-changed"]
"""How entries may be sorted; a minus turns it round."""

LevelState = Literal["on_hand", "reserved", "available", "backordered", "out"]
"""What an entry has some of; `out`: nothing on hand."""

BEGUN_MAX = 1_000
"""Most levels that settling will begin which a sorted list looks at."""


class LevelFilter(Filter, frozen=True, kw_only=True):
    """Which entries; `store` by id or code. With `as_of`, the levels that existed then, as they stood then.

    `state` looks at a level as it is kept, before settling, and does not go with `as_of`; `products` are ids.
    """

    product: Annotated[str | None, PRODUCT] = None
    location: Annotated[str | None, LOCATION] = None
    search: Annotated[str | None, SEARCH] = None
    as_of: Annotated[Instant | None, Meta(description="The levels as they stood at this instant.")] = None
    low_stock: Annotated[
        LowStock,
        Meta(description="Only at or below the threshold of the entry (`true`), or at or below this number."),
    ] = False
    sellable: Annotated[bool | None, Meta(description="Only where goods are sold from, or only elsewhere.")] = None
    sort: Annotated[LevelSort | None, SORT] = None
    store: str | None = None
    state: LevelState | None = None
    products: tuple[str, ...] | None = None

    @property
    def only_low(self) -> bool:
        """Are only entries that run low asked for? A threshold of 0 asks for them too."""
        return self.low_stock is not False

    @property
    def of_units(self) -> bool:
        """Does it ask for units that lie there, or lack? What settling will begin in quarantine is not among them."""
        return self.only_low or self.state is not None

    @property
    def threshold(self) -> Number | None:
        """The threshold for all entries, in whole units; None: each has its own."""
        return None if isinstance(self.low_stock, bool) else self.low_stock


class LowStockFilter(Filter, frozen=True, kw_only=True):
    """Which of the entries that run low; `store` by id or code."""

    threshold: Annotated[Threshold | None, Meta(description="At or below this number instead of each entry's own.")] = (
        None
    )
    store: str | None = None


def listed(connection: sa.Connection, catalog: Catalog, filters: LevelFilter, part: Part) -> Page:
    """A page of entries as they stand; those that settling will begin are among them."""
    where = conditions(connection, catalog, filters, part.stores)
    if where is None:
        return EMPTY
    if filters.sort is not None:
        return _sorted(connection, catalog, filters, where, part)
    limit, before, now = bounded(part.limit), id_of_cursor(part.cursor), part.now
    found = _found(connection, catalog, [*where.all, _level.listed], before, limit, filters, now)
    rows = read(found.rows)
    if not filters.of_units:
        down_to = rows[limit].id if len(rows) > limit else None
        begun = coming(
            connection, catalog, now, where.products, where.places, before=before, down_to=down_to, limit=limit
        )
        rows = merged(rows, begun)
    shown = rows[:limit]
    following = encode_cursor(shown[-1].id) if len(rows) > limit else None
    return Page(describe(connection, catalog, shown, part.now), following)


def _sorted(connection: sa.Connection, catalog: Catalog, filters: LevelFilter, where: Conditions, part: Part) -> Page:
    """A page in another order than the newest first. What is available sorts as it is kept, before settling."""
    assert filters.sort is not None
    org_id, limit, name = catalog.settings.id, bounded(part.limit), filters.sort.lstrip("-")
    columns: dict[str, sa.ColumnElement[Any]] = {
        "title": _product.title,
        "sku": _product.sku,
        "available": _level.on_hand - _level.reserved,
        "changed": _level.updated_at,
    }
    order = Order(connection, filters.sort, columns[name], _level.id)
    query = sa.select(*COLUMNS, order.value).join_from(
        schema.level, schema.product, (_product.org_id == org_id) & (_product.id == _level.product_id)
    )
    if filters.only_low:
        query = low_levels(connection, catalog, filters.threshold, [*COLUMNS, order.value], part.now)[0]
    query = query.where(_level.org_id == org_id, *where.all, _level.listed, *order.after(part.cursor))
    rows = connection.execute(query.order_by(*order.by).limit(limit + 1)).all()
    places = {row.id: (row.sort_value, row.id) for row in rows}
    levels = read([row[:-1] for row in rows])
    if not filters.of_units:
        for level in _begun_behind(connection, catalog, where, part, order, name):
            places[level[1].id] = level[0], level[1].id
            levels.append(level[1])
        levels.sort(key=lambda level: places[level.id], reverse=order.descending)
    shown = levels[:limit]
    following = order.cursor(*places[shown[-1].id]) if len(levels) > limit else None
    return Page(describe(connection, catalog, shown, part.now), following)


def _begun_behind(
    connection: sa.Connection, catalog: Catalog, where: Conditions, part: Part, order: Order, name: str
) -> list[tuple[Any, Level]]:
    """What settling will begin, each with its value in the order, as far as it comes behind the cursor."""
    found = coming(
        connection, catalog, part.now, where.products, where.places, before=None, down_to=None, limit=BEGUN_MAX
    )
    products = products_of(connection, catalog.settings.id, {level.product_id for level in found}) if found else {}
    behind = None if part.cursor is None else order.key(part.cursor)
    begun = []
    for level in found:
        product = products[level.product_id]
        values: dict[str, Any] = {
            "title": product.title[:TEXT_CHARACTERS].lower(),
            "sku": product.sku[:TEXT_CHARACTERS].lower(),
            "available": level.available,
            "changed": level.updated_at,
        }
        place = values[name], level.id
        if behind is None or (place < behind if order.descending else place > behind):
            begun.append((values[name], level))
    return begun


class Conditions(NamedTuple):
    """What a filter asks of a level: of its product, where it may lie (None: everywhere), and of its units."""

    products: list[sa.ColumnElement[bool]]
    places: list[str] | None
    units: list[sa.ColumnElement[bool]]

    @property
    def all(self) -> list[sa.ColumnElement[bool]]:
        """All of it."""
        here = [] if self.places is None else [_level.location_id.in_(self.places)]
        return [*self.products, *here, *self.units]


def conditions(connection: sa.Connection, catalog: Catalog, filters: LevelFilter, stores: Stores) -> Conditions | None:
    """The conditions on the level (joined to its product when low ones are filters); None when nothing can match."""
    where: list[sa.ColumnElement[bool]] = []
    org_id = catalog.settings.id
    if filters.product is not None:
        product = product_of(connection, org_id, filters.product)
        if product is None:
            return None
        where.append(_level.product_id == product.id)
    places = places_of(catalog, stores=stores, store=filters.store, location=filters.location)
    if filters.sellable is not None:
        every = catalog.locations if places is None else places
        places = [name for name in every if catalog.locations[name].sellable is filters.sellable]
    if places is not None and not places:
        return None
    if filters.products is not None:
        if not filters.products:
            return None
        where.append(_level.product_id.in_(filters.products))
    if filters.search:
        ids = sa.select(_product.id).where(_product.org_id == org_id, matching(filters.search))
        where.append(_level.product_id.in_(ids))
    units = [] if filters.state is None else [_STATES[filters.state]]
    return Conditions(where, places, units)


_STATES: dict[str, sa.ColumnElement[bool]] = {
    "on_hand": _level.on_hand > 0,
    "reserved": _level.reserved > 0,
    "available": _level.on_hand > _level.reserved,
    "backordered": _level.backordered > 0,
    "out": _level.on_hand == 0,
}
"""The condition of each state."""


def _found(
    connection: sa.Connection,
    catalog: Catalog,
    where: Sequence[sa.ColumnElement[bool]],
    before: str | None,
    limit: int,
    filters: LevelFilter,
    now: int,
) -> Found:
    org_id, limit = catalog.settings.id, bounded(limit)
    if not filters.only_low:
        return newest(
            connection,
            schema.level,
            COLUMNS,
            org_id,
            where,
            before=before,
            limit=limit,
            scan=None,
            indexed=filters.product is not None or filters.products is not None,
        )
    if before is not None:
        where = [*where, _level.id < before]
    query = low_levels(connection, catalog, filters.threshold, COLUMNS, now)[0].where(*where)
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


def read(rows: Sequence[Any]) -> list[Level]:
    """The levels of rows whose columns are COLUMNS."""
    one_of = row_type(Level).read
    return [one_of(row) for row in rows]


def describe(connection: sa.Connection, catalog: Catalog, levels: Sequence[Level], now: int) -> list[Json]:
    """Entries of levels as settled at `now`."""
    if not levels:
        return []
    seen = foresee_levels(connection, catalog, now, levels)
    return entries(connection, catalog, [seen.level(level) for level in levels])


def entries(connection: sa.Connection, catalog: Catalog, levels: Sequence[Level]) -> list[Json]:
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


def one(connection: sa.Connection, catalog: Catalog, level_id: str, stores: Stores) -> Level | None:
    """A level by id, within the stores."""
    name = as_id(level_id)
    if name is None:
        return None
    query = sa.select(*COLUMNS).where(_level.org_id == catalog.settings.id, _level.id == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    level: Level = row_type(Level).read(row)
    return level if catalog.shows(level.location_id, stores) else None


def entry(
    connection: sa.Connection, catalog: Catalog, level_id: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """An entry by its level's id, within the stores; also one that settling will begin, or that is not listed any
    more (`listed` is not part of it)."""
    at, name = instant(now), as_id(level_id)
    found = one(connection, catalog, level_id, stores)
    if found is None and name is not None:
        found = by_id(connection, catalog, at, name)
        if found is not None and not catalog.shows(found.location_id, stores):
            return None
    return None if found is None else describe(connection, catalog, [found], at)[0]


def key(connection: sa.Connection, catalog: Catalog, level_id: str, *, stores: Stores = None) -> tuple[str, str] | None:
    """(product id, location id) of a listed level, within the stores."""
    found = one(connection, catalog, level_id, stores)
    return None if found is None or not found.listed else (found.product_id, found.location_id)


def of_product(connection: sa.Connection, catalog: Catalog, product: Product, stores: Stores) -> list[Level]:
    """The listed levels of a product, within the stores, by location code."""
    query = sa.select(*COLUMNS).where(
        _level.org_id == catalog.settings.id, _level.product_id == product.id, _level.listed
    )
    places = places_of(catalog, stores=stores)
    levels = [level for level in read(connection.execute(query).all()) if places is None or level.location_id in places]
    return sorted(levels, key=lambda level: catalog.locations[level.location_id].code)


def summary(
    connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """`{product_id, sku, title, unlimited, total_..., backordered, locations: [entry]}` of a product."""
    product = product_of(connection, catalog.settings.id, ref)
    if product is None:
        return None
    levels = of_product(connection, catalog, product, stores)
    seen = foresee(connection, catalog, instant(now), {product.id})
    settled = [seen.level(level) for level in levels] + begins(catalog, seen, places_of(catalog, stores=stores))
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
        "locations": entries(connection, catalog, settled),
    }


def low_stock(connection: sa.Connection, catalog: Catalog, filters: LowStockFilter, part: Part) -> Page:
    """A page of entries at or below their line, emptiest first, by the smallest units on hand; `limit` 1 to LOW_MAX."""
    here = conditions(connection, catalog, LevelFilter(store=filters.store), part.stores)
    if here is None:
        return EMPTY
    where = here.all
    limit = max(1, min(part.limit, LOW_MAX))
    query, quantity = low_levels(connection, catalog, filters.threshold, COLUMNS, part.now)
    if part.cursor is not None:
        units, last = decode_cursor(part.cursor, int, UUID)
        where.append(sa.or_(quantity > units, sa.and_(quantity == units, _level.id < last)))
    query = query.add_columns(quantity.label("emptiness")).where(*where, _level.listed)
    rows = connection.execute(query.order_by(quantity, _level.id.desc()).limit(limit + 1)).all()
    shown = [row_type(Level).read(row[:-1]) for row in rows[:limit]]
    following = encode_cursor(rows[limit - 1][-1], rows[limit - 1].id) if len(rows) > limit else None
    return Page(describe(connection, catalog, shown, part.now), following)
