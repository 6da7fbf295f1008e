"""Lots: lists, single ones, where they came from and went (trace), and which an order got.

A row of the list is a lot at a location, newest lot first, as settling would leave it: a lot that has just expired has
no units at its shelf and has them in quarantine, whether it has a row there or not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.documents import lot_fields
from holdfast.core.records.number import from_minor
from holdfast.core.records.stock import Lot, LotStock
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.begun import ids_of_levels
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.filters import LOCATION, PRODUCT, STATUS, Filter
from holdfast.db.queries.paging import (
    EMPTY,
    NO_ID,
    SCAN_MAX,
    Json,
    Page,
    Part,
    Stores,
    among,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    not_walked,
)
from holdfast.db.queries.settled import astir, corners_of, foresee
from holdfast.db.queries.settling import OPEN, ended, expired_lots, instant

_stock, _lot, _level, _product = schema.lot_stock.c, schema.lot.c, schema.level.c, schema.product.c
STOCK_COLUMNS = columns_of(schema.lot_stock, LotStock)
LOT_COLUMNS = columns_of(schema.lot, Lot)
_JOINED = schema.lot_stock.join(schema.lot, (_lot.org_id == _stock.org_id) & (_lot.id == _stock.lot_id))


class LotFilter(Filter, frozen=True, kw_only=True):
    """Which lots at locations."""

    product: Annotated[str | None, PRODUCT] = None
    location: Annotated[str | None, LOCATION] = None
    lot_code: Annotated[str | None, Meta(description="Only with this code.")] = None
    status: Annotated[Literal["active", "quarantined"] | None, STATUS] = None
    in_stock: Annotated[bool, Meta(description="Only with units.")] = False


def listed(connection: sa.Connection, catalog: Catalog, filters: LotFilter, part: Part) -> Page:
    """A page of lots, a row per lot and location; `in_stock` leaves out those without units."""
    limit, cursor, now, org_id = bounded(part.limit), part.cursor, part.now, catalog.settings.id
    identity = _identity(connection, catalog, filters)
    places = places_of(catalog, stores=part.stores, location=filters.location)
    if identity is None or (places is not None and not places):
        return EMPTY
    where = [*identity, *_where_it_lies(catalog, filters, places, now)]
    own = [_stock.org_id == org_id]
    before: tuple[str, str] | None = None
    if cursor is not None:
        before = lot_id, level_id = decode_cursor(cursor, UUID, UUID)
        # The first of the two alone bounds the index; the pair is exact.
        own += [_stock.lot_id <= lot_id, sa.tuple_(_stock.lot_id, _stock.level_id) < sa.tuple_(*_ids(lot_id, level_id))]
    floor = None
    if filters.product is not None or filters.lot_code is not None:
        own += _keys_of_page(connection, [*own, *where], limit)
    elif where:
        end = sa.select(_stock.lot_id).where(*own).order_by(_stock.lot_id.desc()).offset(SCAN_MAX - 1).limit(1)
        floor = connection.execute(end).scalar()
        if floor is not None:
            own.append(_stock.lot_id >= floor)
    query = sa.select(*STOCK_COLUMNS, *_labelled()).select_from(_JOINED).where(*own, *where)
    rows = connection.execute(query.order_by(_stock.lot_id.desc(), _stock.level_id.desc()).limit(limit + 1)).all()
    found = [_read(row) for row in rows]
    if filters.status != "active":
        down_to = found[limit][1].lot_id if len(found) > limit else floor
        coming = _coming(connection, catalog, filters, identity, places, now, before, down_to, limit)
        found = sorted(found + coming, key=_place, reverse=True)
    items = describe(connection, catalog, settled(connection, catalog, found[:limit], now))
    if len(found) > limit:
        at = found[limit - 1][1]
        return Page(items, encode_cursor(at.lot_id, at.level_id))
    return Page(items, None if floor is None else encode_cursor(floor, NO_ID))


def _place(pair: tuple[Lot, LotStock]) -> tuple[str, str]:
    return pair[1].lot_id, pair[1].level_id


def _keys_of_page(
    connection: sa.Connection, where: Sequence[sa.ColumnElement[bool]], limit: int
) -> list[sa.ColumnElement[bool]]:
    """The condition that leaves only a page's lots, found by their bare keys: a product may have thousands."""
    first = not_walked(connection, _stock.lot_id)
    query = sa.select(_stock.lot_id).select_from(_JOINED).where(*where)
    lots = connection.execute(query.order_by(first.desc()).limit(limit + 1)).scalars()
    return [_stock.lot_id.in_(sorted(set(lots)))]


def _ids(*ids: str) -> list[sa.ColumnElement[str]]:
    return [sa.literal(name, schema.Id) for name in ids]


def _labelled() -> list[Any]:
    return [column.label(f"lot_{column.name}") for column in LOT_COLUMNS]


def _read(row: Sequence[Any]) -> tuple[Lot, LotStock]:
    width = len(STOCK_COLUMNS)
    return row_type(Lot).read(row[width:]), row_type(LotStock).read(row[:width])


def _identity(connection: sa.Connection, catalog: Catalog, filters: LotFilter) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on which lot it is; None when nothing can match."""
    org_id = catalog.settings.id
    where: list[sa.ColumnElement[bool]] = []
    if filters.product is not None:
        product = product_of(connection, org_id, filters.product)
        if product is None:
            return None
        levels = sa.select(_level.id).where(_level.org_id == org_id, _level.product_id == product.id)
        where.append(_stock.level_id.in_(connection.execute(levels).scalars().all()))
    if filters.lot_code is not None:
        coded = sa.select(_lot.id).where(_lot.org_id == org_id, _lot.code == filters.lot_code)
        where.append(_stock.lot_id.in_(connection.execute(coded).scalars().all()))
    return where


def _where_it_lies(
    catalog: Catalog, filters: LotFilter, places: Collection[str] | None, now: int
) -> list[sa.ColumnElement[bool]]:
    """The conditions on a stored row: where the lot lies, and as what."""
    where: list[sa.ColumnElement[bool]] = []
    if places is not None:
        where.append(_stock.location_id.in_(places))
    if filters.status is not None:
        where.append(_has_status(catalog, filters.status))
    if filters.in_stock:
        living = sa.or_(_stock.sellable_until.is_(None), _stock.sellable_until > now)
        where += [OPEN, living]
    return where


def _coming(
    connection: sa.Connection,
    catalog: Catalog,
    filters: LotFilter,
    identity: Sequence[sa.ColumnElement[bool]],
    places: Collection[str] | None,
    now: int,
    before: tuple[str, str] | None,
    down_to: str | None,
    limit: int,
) -> list[tuple[Lot, LotStock]]:
    """Rows in quarantine that the conditions on stored rows do not find: the first after the cursor, `limit` + 1 or
    more if there are, none of a lot below `down_to`."""
    corners = {shelf: corner for shelf, corner in corners_of(catalog).items() if places is None or corner in places}
    expired = [
        not_walked(connection, _stock.org_id) == catalog.settings.id,
        *expired_lots(now),
        _stock.location_id.in_(corners),
        *identity,
        *([] if before is None else [_stock.lot_id <= before[0]]),
        *([] if down_to is None else [_stock.lot_id >= down_to]),
    ]
    query = sa.select(_stock.lot_id).distinct().where(*expired).order_by(_stock.lot_id.desc())
    # The cursor may be at any row of its lot, so one lot more is looked at.
    lots = connection.execute(query.limit(limit + 2)).scalars().all()
    coming = _aside(connection, catalog, lots, now, closed=filters.in_stock)
    return [
        pair
        for pair in coming
        if pair[1].location_id in set(corners.values()) and (before is None or _place(pair) < before)
    ]


def _aside(
    connection: sa.Connection, catalog: Catalog, lots: Collection[str], now: int, *, closed: bool
) -> list[tuple[Lot, LotStock]]:
    """Rows in quarantine of expired lots that have none there, or, `closed`, one without units; empty as yet."""
    if not lots:
        return []
    org_id, corners = catalog.settings.id, corners_of(catalog)
    query = sa.select(*STOCK_COLUMNS, *_labelled()).select_from(_JOINED)
    rows = connection.execute(query.where(_stock.org_id == org_id, among(connection, _stock.lot_id, lots)))
    found = [_read(row) for row in rows]
    there = {(lot.id, at.location_id): at for lot, at in found}
    coming: dict[tuple[str, str], Lot] = {}
    for lot, at in found:
        if at.is_open and at.sellable_until is not None and at.sellable_until <= now:
            coming[lot.id, corners[at.location_id]] = lot
    keys = {(lot.product_id, place) for (_, place), lot in coming.items()}
    levels = ids_of_levels(connection, org_id, keys)
    rows_aside = []
    for (lot_id, place), lot in coming.items():
        known = there.get((lot_id, place))
        if known is None:
            rows_aside.append((lot, LotStock(levels[lot.product_id, place], lot_id, place, 0, 0, 0, None, True)))
        elif closed and not known.is_open:
            rows_aside.append((lot, known))
    return rows_aside


def settled(
    connection: sa.Connection, catalog: Catalog, found: Sequence[tuple[Lot, LotStock]], now: int
) -> list[tuple[Lot, LotStock]]:
    """Lots at locations as settling would leave them: without expired holds, expired ones in quarantine."""
    over = ended(connection, catalog.settings.id, now, levels={at.level_id for _, at in found})
    corners = {lot.product_id for lot, at in found if catalog.locations[at.location_id].kind == "quarantine"}
    products = corners | {lot.product_id for lot, at in found if at.level_id in over}
    products |= astir(connection, catalog, now, {lot.product_id for lot, _ in found})
    seen = foresee(connection, catalog, now, products)
    aside = seen.aside()
    shown = []
    for lot, at in found:
        settled_at = seen.lot(at)
        if settled_at is at and (lot.id, at.location_id) in aside:  # it has no row there yet
            units, value = aside[lot.id, at.location_id]
            settled_at = msgspec.structs.replace(at, on_hand=at.on_hand + units, value=at.value + value)
        shown.append((lot, settled_at))
    return shown


def _has_status(catalog: Catalog, status: str) -> sa.ColumnElement[bool]:
    """The condition that `core.records.documents.status_at` is the status."""
    places = catalog.locations.values()
    away = [place.id for place in places if not place.sellable]
    corners = [place.id for place in places if place.kind == "quarantine"]
    recalled = sa.or_(
        _lot.status == "quarantined",
        sa.and_(_lot.status != "active", _stock.location_id.in_(away)),
        _stock.location_id.in_(corners),
    )
    return recalled if status == "quarantined" else sa.not_(recalled)


def lies_at(connection: sa.Connection, catalog: Catalog, lot_id: str, stores: Stores) -> list[tuple[Lot, LotStock]]:
    """A lot wherever it is or was, within the stores, by location code."""
    query = sa.select(*STOCK_COLUMNS, *_labelled()).select_from(_JOINED)
    query = query.where(_stock.org_id == catalog.settings.id, _stock.lot_id == lot_id)
    places = places_of(catalog, stores=stores)
    found = [_read(row) for row in connection.execute(query)]
    return _by_code(catalog, [pair for pair in found if places is None or pair[1].location_id in places])


def _by_code(catalog: Catalog, found: Iterable[tuple[Lot, LotStock]]) -> list[tuple[Lot, LotStock]]:
    return sorted(found, key=lambda pair: catalog.locations[pair[1].location_id].code)


def describe(connection: sa.Connection, catalog: Catalog, lots: Iterable[tuple[Lot, LotStock]]) -> list[Json]:
    """Lots at locations as they go outside."""
    lots = list(lots)
    products = products_of(connection, catalog.settings.id, {lot.product_id for lot, _ in lots})
    return [
        lot_fields(lot, at, products[lot.product_id], catalog.locations[at.location_id], catalog.settings)
        for lot, at in lots
    ]


def one(
    connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """A lot by id: `{id, lot_code, product_id, sku, ..., on_hand, reserved, value, locations: [row per location]}`."""
    at, name = instant(now), as_id(ref)
    if name is None:
        return None
    places = places_of(catalog, stores=stores)
    coming = _aside(connection, catalog, [name], at, closed=False)
    here = [pair for pair in coming if places is None or pair[1].location_id in places]
    stored = lies_at(connection, catalog, name, stores)
    found = settled(connection, catalog, _by_code(catalog, stored + here), at)
    if not found:
        return None
    rows = describe(connection, catalog, found)
    lot = found[0][0]
    product = products_of(connection, catalog.settings.id, [lot.product_id])[lot.product_id]
    return {
        **{key: value for key, value in rows[0].items() if key != "location"},
        "kind": lot.kind,
        "gtin": lot.gtin,
        "on_hand": product.number(sum(stock.on_hand for _, stock in found)),
        "reserved": product.number(sum(stock.reserved for _, stock in found)),
        "value": from_minor(sum(stock.value for _, stock in found), catalog.settings.minor_digits),
        "locations": [row for row, (_, stock) in zip(rows, found, strict=True) if stock.on_hand],
    }
