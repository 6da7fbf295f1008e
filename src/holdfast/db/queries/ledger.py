"""Ledger entries: lists with filters (SPEC section 6).

A product, a lot and a location with few levels are read level by level: each level's entries are numbered without a
gap, so any stretch of it is a range of the unique index (level, seq), and a binary search finds where a time begins.
An order has its own index. Everything else is the whole ledger by id, newest first, a bounded stretch a page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.core.ledger import Entry
from holdfast.core.number import from_minor, instant_text
from holdfast.core.product import Location, Product, Settings
from holdfast.core.stock import Catalog
from holdfast.db import schema
from holdfast.db.queries.as_of import entries_at, seq_at
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.paging import (
    EMPTY,
    SCAN_MAX,
    Json,
    Page,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    newest,
    page_of,
)
from holdfast.db.queries.reservations import lots_of
from holdfast.db.rows import row_type

_ledger, _level, _stock = schema.ledger.c, schema.level.c, schema.lot_stock.c
COLUMNS = columns_of(schema.ledger, Entry)

LEVELS_MAX = 40
"""Up to so many levels are read one by one."""

SKEW = 3_600 * 1_000_000
"""Most microseconds by which the clock in an id and the database's may differ (an id's time narrows a search only)."""

Key = tuple[int, str, int]
"""The place of an entry in a list by levels: (created_at, level id, seq)."""


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: product by id or SKU, location by code or id, `from_ <= created_at < to` in microseconds."""

    product: str | None = None
    location: str | None = None
    lot_id: str | None = None
    order_number: str | None = None
    ref_type: str | None = None
    source: str | None = None
    actor: str | None = None
    from_: int | None = None
    to: int | None = None
    stores: Collection[str] | None = None


def listed(connection: sa.Connection, catalog: Catalog, wanted: Filter, *, cursor: str | None, limit: int) -> Page:
    """A page of entries."""
    limit, org_id = bounded(limit), catalog.settings.id
    where = _conditions(wanted)
    if where is None:
        return EMPTY
    places = places_of(catalog, stores=wanted.stores, location=wanted.location)
    levels = None
    if wanted.order_number is None:
        levels = _levels(connection, catalog, wanted, places)
        if levels is not None:
            return _by_levels(connection, catalog, wanted, where, levels, cursor, limit)
    if places is not None:
        where.append(_ledger.location_id.in_(places))
    if wanted.product is not None:
        product = product_of(connection, org_id, wanted.product)
        if product is None:
            return EMPTY
        where.append(_ledger.product_id == product.id)
    before = None if cursor is None else decode_cursor(cursor, _UUID)[0]
    scan = SCAN_MAX if wanted.order_number is None else None
    if wanted.to is not None:
        latest = id_floor(wanted.to + SKEW)
        before = latest if before is None else min(before, latest)
    if wanted.from_ is not None:
        where.append(_ledger.id >= id_floor(wanted.from_ - SKEW))
    found = newest(connection, schema.ledger, COLUMNS, org_id, where, before=before, limit=limit, scan=scan)
    if wanted.from_ is not None and found.floor is not None and found.floor < id_floor(wanted.from_ - SKEW):
        found = found._replace(floor=None)
    return page_of(found, limit, lambda rows: describe(connection, catalog, read(rows)))


_UUID = __import__("uuid").UUID


def id_floor(at: int) -> str:
    """The least UUIDv7 of an instant in microseconds since 1970."""
    text = f"{max(at, 0) // 1000:012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on the entry itself; None when nothing can match."""
    where: list[sa.ColumnElement[bool]] = []
    if wanted.lot_id is not None:
        name = as_id(wanted.lot_id)
        if name is None:
            return None
        where.append(_ledger.lot_id == name)
    if wanted.order_number is not None:
        where += [_ledger.order_number.is_not(None), _ledger.order_number == wanted.order_number]
    for column, value in (
        (_ledger.ref_type, wanted.ref_type),
        (_ledger.source, wanted.source),
        (_ledger.actor, wanted.actor),
    ):
        if value is not None:
            where.append(column == value)
    if wanted.from_ is not None:
        where.append(_ledger.created_at >= wanted.from_)
    if wanted.to is not None:
        where.append(_ledger.created_at < wanted.to)
    return where


def _levels(
    connection: sa.Connection, catalog: Catalog, wanted: Filter, places: list[str] | None
) -> dict[str, int] | None:
    """The levels to read one by one, each with its last seq; None when they are too many, or all."""
    if wanted.product is None and wanted.lot_id is None and places is None:
        return None
    query = sa.select(_level.id, _level.seq)
    where = [_level.org_id == catalog.settings.id]
    if wanted.product is not None:
        product = product_of(connection, catalog.settings.id, wanted.product)
        if product is None:
            return {}
        where.append(_level.product_id == product.id)
    if wanted.lot_id is not None:
        query = query.join(schema.lot_stock, (_stock.org_id == _level.org_id) & (_stock.level_id == _level.id))
        where.append(_stock.lot_id == as_id(wanted.lot_id))
    if places is not None:
        if not places:
            return {}
        where.append(_level.location_id.in_(places))
    rows = connection.execute(query.where(*where).limit(LEVELS_MAX + 1)).all()
    return {level_id: seq for level_id, seq in rows} if len(rows) <= LEVELS_MAX else None


def _by_levels(
    connection: sa.Connection,
    catalog: Catalog,
    wanted: Filter,
    where: Sequence[sa.ColumnElement[bool]],
    levels: dict[str, int],
    cursor: str | None,
    limit: int,
) -> Page:
    """A page merged from the levels' own ledgers, by (created_at, level, seq), newest first."""
    org_id = catalog.settings.id
    after: Key | None = None if cursor is None else decode_cursor(cursor, int, _UUID, int)  # type: ignore[assignment] # as the types say
    lows, highs = _stretches(connection, org_id, wanted, levels, after)
    levels = {level_id: high for level_id, high in highs.items() if high > lows.get(level_id, 0)}
    if not levels:
        return EMPTY
    narrow = len(where) > (wanted.from_ is not None) + (wanted.to is not None)
    each = max(limit + 1, SCAN_MAX // len(levels)) if narrow else limit + 1
    bottoms = {level_id: max(lows.get(level_id, 0), high - each) for level_id, high in levels.items()}
    ranges = [
        sa.and_(_ledger.level_id == level_id, _ledger.seq > bottoms[level_id], _ledger.seq <= high)
        for level_id, high in levels.items()
    ]
    order = (_ledger.created_at.desc(), _ledger.level_id.desc(), _ledger.seq.desc())
    parts = [
        sa.select(*COLUMNS).where(_ledger.org_id == org_id, stretch, *where).order_by(_ledger.seq.desc()).limit(limit + 1)
        for stretch in ranges
    ]
    entries: list[Entry] = []
    for part in parts:
        entries += read(connection.execute(part).all())
    entries.sort(key=_key, reverse=True)
    unseen = [(level_id, bottom + 1) for level_id, bottom in bottoms.items() if bottom > lows.get(level_id, 0)]
    cut = max(((row.created_at, row.level_id, row.seq) for row in entries_at(connection, org_id, unseen)), default=None)
    shown = [entry for entry in entries if cut is None or _key(entry) >= cut][:limit]
    more = len(shown) == limit and len(entries) > limit
    last = _key(shown[-1]) if more else cut
    del order
    return Page(describe(connection, catalog, shown), None if last is None else encode_cursor(*last))
