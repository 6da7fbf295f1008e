"""Lots: lists, single ones, where they came from and went (trace), and which an order got.

A row of the list is a lot at a location, newest lot first, as settling would leave it: a lot that has just expired is
shown in quarantine, where it is about to go. Without `now` a row is what is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from holdfast.core.document import lot_fields
from holdfast.core.holding import Lot, LotStock
from holdfast.core.lookup import Catalog
from holdfast.core.number import from_minor
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.paging import (
    EMPTY,
    SCAN_MAX,
    Json,
    Page,
    among,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    not_walked,
)
from holdfast.db.queries.settled import Foreseen, Move, astir, corner_of, foresee
from holdfast.db.queries.settling import OPEN, ended, expired_lots
from holdfast.db.rows import row_type

_stock, _lot, _level, _product = schema.lot_stock.c, schema.lot.c, schema.level.c, schema.product.c
STOCK_COLUMNS = columns_of(schema.lot_stock, LotStock)
LOT_COLUMNS = columns_of(schema.lot, Lot)
_JOINED = schema.lot_stock.join(schema.lot, (_lot.org_id == _stock.org_id) & (_lot.id == _stock.lot_id))


_NO_ID = "00000000-0000-0000-0000-000000000000"
"""Below every id."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which lots: product by id or SKU, location by code or id; `in_stock`: only where units are."""

    product: str | None = None
    location: str | None = None
    lot_code: str | None = None
    status: str | None = None
    in_stock: bool = False
    stores: Collection[str] | None = None


def listed(
    connection: sa.Connection, catalog: Catalog, wanted: Filter, *, cursor: str | None, limit: int, now: int | None
) -> Page:
    """A page of lots at locations."""
    limit, org_id = bounded(limit), catalog.settings.id
    where = _conditions(connection, catalog, wanted, now)
    if where is None:
        return EMPTY
    own = [_stock.org_id == org_id]
    if cursor is not None:
        lot_id, level_id = decode_cursor(cursor, UUID, UUID)
        # The first of the two alone bounds the index; the pair is exact.
        own += [_stock.lot_id <= lot_id, sa.tuple_(_stock.lot_id, _stock.level_id) < sa.tuple_(*_ids(lot_id, level_id))]
    floor = None
    if wanted.product is not None or wanted.lot_code is not None:
        own += _keys_of_page(connection, [*own, *where], limit)
    elif where:
        end = sa.select(_stock.lot_id).where(*own).order_by(_stock.lot_id.desc()).offset(SCAN_MAX - 1).limit(1)
        floor = connection.execute(end).scalar()
        if floor is not None:
            own.append(_stock.lot_id >= floor)
    query = sa.select(*STOCK_COLUMNS, *_labelled()).select_from(_JOINED).where(*own, *where)
    rows = connection.execute(query.order_by(_stock.lot_id.desc(), _stock.level_id.desc()).limit(limit + 1)).all()
    found = [_read(row) for row in rows]
    items = describe(connection, catalog, settled(connection, catalog, found[:limit], now))
    if len(found) > limit:
        at = found[limit - 1][1]
        return Page(items, encode_cursor(at.lot_id, at.level_id))
    return Page(items, None if floor is None else encode_cursor(floor, _NO_ID))


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


def _conditions(
    connection: sa.Connection, catalog: Catalog, wanted: Filter, now: int | None
) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on lot and lot_stock; None when nothing can match."""
    org_id = catalog.settings.id
    where: list[sa.ColumnElement[bool]] = []
    product = None
    if wanted.product is not None:
        product = product_of(connection, org_id, wanted.product)
        if product is None:
            return None
        levels = sa.select(_level.id).where(_level.org_id == org_id, _level.product_id == product.id)
        where.append(_stock.level_id.in_(connection.execute(levels).scalars().all()))
    if wanted.lot_code is not None:
        coded = sa.select(_lot.id).where(_lot.org_id == org_id, _lot.code == wanted.lot_code)
        where.append(_stock.lot_id.in_(connection.execute(coded).scalars().all()))
    places = places_of(catalog, stores=wanted.stores, location=wanted.location)
    if places is not None:
        if not places:
            return None
        where.append(_lies_in(catalog, places, now))
    if wanted.status is not None:
        where.append(_has_status(catalog, wanted.status, now))
    if wanted.in_stock:
        where.append(OPEN)
    return where


def _lies_in(catalog: Catalog, places: Collection[str], now: int | None) -> sa.ColumnElement[bool]:
    """The condition that a lot lies in one of the places, or is about to."""
    here = _stock.location_id.in_(places)
    if now is None:
        return here
    leaving = [place.id for place in catalog.locations.values() if corner_of(catalog, place).id in places]
    gone = sa.and_(*expired_lots(now))
    return sa.or_(sa.and_(here, sa.not_(gone)), sa.and_(_stock.location_id.in_(leaving), gone))


def settled(
    connection: sa.Connection, catalog: Catalog, found: Sequence[tuple[Lot, LotStock]], now: int | None
) -> list[tuple[Lot, LotStock]]:
    """Lots at locations as settling would leave them: without dead holds, and in quarantine when they have expired."""
    if now is None:
        return list(found)
    over = ended(connection, catalog.settings.id, now, levels={at.level_id for _, at in found})
    corners = {lot.product_id for lot, at in found if catalog.locations[at.location_id].kind == "quarantine"}
    products = corners | {lot.product_id for lot, at in found if at.level_id in over}
    products |= astir(connection, catalog, now, {lot.product_id for lot, _ in found})
    seen = foresee(connection, catalog, now, products)
    moved = {(move.level_id, move.lot_id) for move in seen.moves}
    standing_in = _standing_in(connection, catalog, seen)
    shown = []
    for lot, at in found:
        key = (at.level_id, lot.id)
        if key not in moved:
            shown.append((lot, seen.lot(at)))
        elif key in standing_in:
            shown.append((lot, standing_in[key]))
    return shown


def _standing_in(connection: sa.Connection, catalog: Catalog, seen: Foreseen) -> dict[tuple[str, str], LotStock]:
    """Rows of expired lots that stand in for the rows in quarantine which their move will begin.

    By (level id, lot id) of the row that is left. A lot that lies in that quarantine already has its row there.
    """
    if not seen.moves:
        return {}
    lots, places = {move.lot_id for move in seen.moves}, {move.corner[1] for move in seen.moves}
    query = sa.select(_stock.lot_id, _stock.location_id).where(
        _stock.org_id == catalog.settings.id, among(connection, _stock.lot_id, lots), _stock.location_id.in_(places)
    )
    there = {(lot_id, place) for lot_id, place in connection.execute(query)}
    rows: dict[tuple[str, str], LotStock] = {}
    for (lot_id, place), moves in groupby(sorted(seen.moves, key=_target), key=_target):
        if (lot_id, place) not in there:
            parts = list(moves)
            level_id = max(move.level_id for move in parts)
            units, value = sum(move.units for move in parts), sum(move.value for move in parts)
            rows[level_id, lot_id] = LotStock(level_id, lot_id, place, units, 0, value, None, True)
    return rows


def _target(move: Move) -> tuple[str, str]:
    return move.lot_id, move.corner[1]


def _has_status(catalog: Catalog, status: str, now: int | None) -> sa.ColumnElement[bool]:
    """The condition that `core.document.status_at` is the status."""
    places = catalog.locations.values()
    away = [place.id for place in places if not place.sellable]
    corners = [place.id for place in places if place.kind == "quarantine"]
    recalled = sa.or_(
        _lot.status == "quarantined",
        sa.and_(_lot.status != "active", _stock.location_id.in_(away)),
        _stock.location_id.in_(corners),
        *([] if now is None else [sa.and_(*expired_lots(now))]),
    )
    return recalled if status == "quarantined" else sa.not_(recalled)


def lies_at(
    connection: sa.Connection, catalog: Catalog, lot_id: str, stores: Collection[str] | None
) -> list[tuple[Lot, LotStock]]:
    """A lot wherever it is or was, within the stores, by location code."""
    query = sa.select(*STOCK_COLUMNS, *_labelled()).select_from(_JOINED)
    query = query.where(_stock.org_id == catalog.settings.id, _stock.lot_id == lot_id)
    places = places_of(catalog, stores=stores)
    found = [_read(row) for row in connection.execute(query)]
    return sorted(
        (pair for pair in found if places is None or pair[1].location_id in places),
        key=lambda pair: catalog.locations[pair[1].location_id].code,
    )


def describe(connection: sa.Connection, catalog: Catalog, lots: Iterable[tuple[Lot, LotStock]]) -> list[Json]:
    """Lots at locations as they go outside."""
    lots = list(lots)
    products = products_of(connection, catalog.settings.id, {lot.product_id for lot, _ in lots})
    return [
        lot_fields(lot, at, products[lot.product_id], catalog.locations[at.location_id], catalog.settings)
        for lot, at in lots
    ]


def one(connection: sa.Connection, catalog: Catalog, ref: str, stores: Collection[str] | None, now: int) -> Json | None:
    """A lot by id: itself, its units over all locations, and a row per location."""
    name = as_id(ref)
    if name is None:
        return None
    found = settled(connection, catalog, lies_at(connection, catalog, name, stores), now)
    if not found:
        return None
    rows = describe(connection, catalog, found)
    lot = found[0][0]
    product = products_of(connection, catalog.settings.id, [lot.product_id])[lot.product_id]
    return {
        **{key: value for key, value in rows[0].items() if key != "location"},
        "kind": lot.kind,
        "gtin": lot.gtin,
        "on_hand": product.number(sum(at.on_hand for _, at in found)),
        "reserved": product.number(sum(at.reserved for _, at in found)),
        "value": from_minor(sum(at.value for _, at in found), catalog.settings.minor_digits),
        "locations": [row for row, (_, at) in zip(rows, found, strict=True) if at.on_hand],
    }
