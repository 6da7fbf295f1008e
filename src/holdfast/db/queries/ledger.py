"""Ledger entries: lists with filters (docs/reference/ledger.md).

A product, a lot and a location with few levels are read level by level: each level's entries are numbered without a
gap, so any stretch of it is a range of the unique index (level, seq), and a binary search finds where a time begins.
An order has its own index. Everything else is the whole ledger by id, newest first, a bounded stretch a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry, RefType
from holdfast.core.records.number import from_minor
from holdfast.core.records.organisation import Location, Settings
from holdfast.core.records.product import Product
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.as_of import entries_at, given_rows, seq_at, stretches_of_lot
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.filters import BEFORE, LOCATION, NOT_BEFORE, PRODUCT, SOURCE, Filter, Instant
from holdfast.db.queries.paging import (
    EMPTY,
    SCAN_MAX,
    Json,
    Page,
    Part,
    as_id,
    bounded,
    decode_cursor,
    encode_cursor,
    key_of_cursor,
    newest,
    page_of,
)
from holdfast.db.queries.reservations import lots_of

_ledger, _level, _stock = schema.ledger.c, schema.level.c, schema.lot_stock.c
COLUMNS = columns_of(schema.ledger, Entry)

LEVELS_MAX = 40
"""Up to so many levels are read one by one."""

SKEW = 3_600 * 1_000_000
"""Most microseconds by which the clock in an id and the database's may differ (an id's time narrows a search only)."""

Key = tuple[int, str, int]
"""The place of an entry in a list by levels: (created_at, level id, seq)."""


class LedgerFilter(Filter, frozen=True, kw_only=True):
    """Which entries: `from_ <= created_at < to`."""

    product: Annotated[str | None, PRODUCT] = None
    location: Annotated[str | None, LOCATION] = None
    lot_id: Annotated[str | None, Meta(description="Only of this lot.")] = None
    order_number: Annotated[str | None, Meta(description="Only for this order.")] = None
    ref_type: Annotated[RefType | None, Meta(description="Only of this kind.")] = None
    source: Annotated[str | None, SOURCE] = None
    actor: Annotated[str | None, Meta(description="Only by this actor, as `key:till 3`.")] = None
    from_: Annotated[Instant | None, NOT_BEFORE] = msgspec.field(default=None, name="from")
    to: Annotated[Instant | None, BEFORE] = None


def listed(connection: sa.Connection, catalog: Catalog, filters: LedgerFilter, part: Part) -> Page:
    """A page of entries (docs/reference/ledger.md) with `from_ <= created_at < to`, in microseconds."""
    limit, cursor, org_id = bounded(part.limit), part.cursor, catalog.settings.id
    where = _conditions(filters)
    if where is None:
        return EMPTY
    places = places_of(catalog, stores=part.stores, location=filters.location)
    begun_by_id = cursor is not None and len(key_of_cursor(cursor)) == 1
    if filters.order_number is None and not begun_by_id:
        levels = _levels(connection, catalog, filters, places, LEVELS_MAX if cursor is None else None)
        if levels is not None:
            return _by_levels(connection, catalog, filters, where, levels, cursor, limit)
    if places is not None:
        where.append(_ledger.location_id.in_(places))
    if filters.product is not None:
        product = product_of(connection, org_id, filters.product)
        if product is None:
            return EMPTY
        where.append(_ledger.product_id == product.id)
    before = None if cursor is None else decode_cursor(cursor, UUID)[0]
    if filters.to is not None:
        latest = id_floor(filters.to + SKEW)
        before = latest if before is None else min(before, latest)
    if filters.from_ is not None:
        where.append(_ledger.id >= id_floor(filters.from_ - SKEW))
    found = newest(
        connection,
        schema.ledger,
        COLUMNS,
        org_id,
        where,
        before=before,
        limit=limit,
        indexed=filters.order_number is not None,
    )
    if filters.from_ is not None and found.floor is not None and found.floor < id_floor(filters.from_ - SKEW):
        found = found._replace(floor=None)
    return page_of(found, limit, lambda rows: describe(connection, catalog, read(rows)))


def id_floor(at: int) -> str:
    """The least UUIDv7 of an instant in microseconds since 1970."""
    text = f"{max(at, 0) // 1000:012x}"
    return f"{text[:8]}-{text[8:12]}-0000-0000-000000000000"


def _conditions(filters: LedgerFilter) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on the entry itself; None when nothing can match."""
    where: list[sa.ColumnElement[bool]] = []
    if filters.lot_id is not None:
        name = as_id(filters.lot_id)
        if name is None:
            return None
        where.append(_ledger.lot_id == name)
    if filters.order_number is not None:
        where += [_ledger.order_number.is_not(None), _ledger.order_number == filters.order_number]
    for column, value in (
        (_ledger.ref_type, filters.ref_type),
        (_ledger.source, filters.source),
        (_ledger.actor, filters.actor),
    ):
        if value is not None:
            where.append(column == value)
    if filters.from_ is not None:
        where.append(_ledger.created_at >= filters.from_)
    if filters.to is not None:
        where.append(_ledger.created_at < filters.to)
    return where


def _levels(
    connection: sa.Connection, catalog: Catalog, filters: LedgerFilter, places: list[str] | None, most: int | None
) -> dict[str, int] | None:
    """The levels to read one by one, each with its last seq; None when they are more than `most`, or all."""
    if filters.product is None and filters.lot_id is None and places is None:
        return None
    query = sa.select(_level.id, _level.seq)
    where = [_level.org_id == catalog.settings.id]
    if filters.product is not None:
        product = product_of(connection, catalog.settings.id, filters.product)
        if product is None:
            return {}
        where.append(_level.product_id == product.id)
    if filters.lot_id is not None:
        query = query.join(schema.lot_stock, (_stock.org_id == _level.org_id) & (_stock.level_id == _level.id))
        where.append(_stock.lot_id == as_id(filters.lot_id))
    if places is not None:
        if not places:
            return {}
        where.append(_level.location_id.in_(places))
    query = query.where(*where)
    rows = connection.execute(query if most is None else query.limit(most + 1)).all()
    return None if most is not None and len(rows) > most else dict(rows)


def _by_levels(
    connection: sa.Connection,
    catalog: Catalog,
    filters: LedgerFilter,
    where: Sequence[sa.ColumnElement[bool]],
    levels: dict[str, int],
    cursor: str | None,
    limit: int,
) -> Page:
    """A page merged from the levels' own ledgers, by (created_at, level, seq), newest first."""
    org_id = catalog.settings.id
    after: Key | None = None if cursor is None else decode_cursor(cursor, int, UUID, int)
    lows, highs = _stretches(connection, org_id, filters, levels, after)
    if filters.lot_id is not None:
        of_lot = stretches_of_lot(connection, org_id, filters.lot_id)
        for name in levels:
            low, high = of_lot.get(name, (0, 0))
            lows[name], highs[name] = max(low, lows.get(name, 0)), min(high, highs[name])
    levels = {level_id: high for level_id, high in highs.items() if high > lows.get(level_id, 0)}
    if not levels:
        return EMPTY
    narrow = len(where) > (filters.from_ is not None) + (filters.to is not None)
    each = max(limit + 1, SCAN_MAX // len(levels)) if narrow else limit + 1
    stretches = [(name, max(lows.get(name, 0), high - each), high) for name, high in levels.items()]
    entries = read(_within(connection, org_id, stretches, where, limit + 1))
    unseen = [(name, bottom + 1) for name, bottom, _ in stretches if bottom > lows.get(name, 0)]
    cut = max(((row.created_at, row.level_id, row.seq) for row in entries_at(connection, org_id, unseen)), default=None)
    sure = [entry for entry in entries if cut is None or _key(entry) >= cut]
    last = _key(sure[limit - 1]) if len(sure) > limit else cut
    return Page(describe(connection, catalog, sure[:limit]), None if last is None else encode_cursor(*last))


def _stretches(
    connection: sa.Connection, org_id: str, filters: LedgerFilter, levels: dict[str, int], after: Key | None
) -> tuple[dict[str, int], dict[str, int]]:
    """Each level's part that the times and the cursor leave: entries above the first number, up to the second."""
    lows: dict[str, int] = {}
    highs = dict(levels)
    if filters.from_ is not None:
        lows = seq_at(connection, org_id, {name: (seq, filters.from_ - 1) for name, seq in levels.items()})
    until = {} if filters.to is None else dict.fromkeys(levels, filters.to - 1)
    if after is not None:
        at, last_level, last_seq = after
        for name in levels:
            instant = at if name <= last_level else at - 1
            until[name] = min(instant, until.get(name, instant))
        if last_level in levels:
            highs[last_level] = min(highs[last_level], last_seq - 1)
    if until:
        highs |= {
            name: min(highs[name], seq)
            for name, seq in seq_at(
                connection, org_id, {name: (seq, until[name]) for name, seq in highs.items()}
            ).items()
        }
    return lows, highs


def _within(
    connection: sa.Connection,
    org_id: str,
    stretches: Sequence[tuple[str, int, int]],
    where: Sequence[sa.ColumnElement[bool]],
    limit: int,
) -> Sequence[Any]:
    """The newest entries of stretches (level id, above seq, up to seq) of several levels."""
    kinds = {"level_id": schema.Id, "low": sa.BigInteger(), "high": sa.BigInteger()}
    given = given_rows(connection.dialect.name, kinds, stretches)
    query = (
        sa.select(*COLUMNS)
        .select_from(given)
        # An outer join leaves SQLite no choice of which comes first; what has no entry comes last and is left out.
        .outerjoin(
            schema.ledger,
            sa.and_(
                _ledger.org_id == org_id,
                _ledger.level_id == given.c.level_id,
                _ledger.seq > given.c.low,
                _ledger.seq <= given.c.high,
                *where,
            ),
        )
        .order_by(_ledger.created_at.desc().nulls_last(), _ledger.level_id.desc(), _ledger.seq.desc())
        .limit(limit)
    )
    return [row for row in connection.execute(query) if row.id is not None]


def _key(entry: Entry) -> Key:
    return entry.created_at, entry.level_id, entry.seq


def read(rows: Sequence[Any]) -> list[Entry]:
    """The entries of rows whose columns are COLUMNS."""
    own = row_type(Entry).read
    return [own(row) for row in rows]


def describe(connection: sa.Connection, catalog: Catalog, entries: Sequence[Entry]) -> list[Json]:
    """Entries as they go outside."""
    org_id = catalog.settings.id
    products = products_of(connection, org_id, {entry.product_id for entry in entries})
    lots = lots_of(connection, org_id, {entry.lot_id for entry in entries if entry.lot_id is not None})
    return [
        entry_fields(
            entry,
            products[entry.product_id],
            catalog.locations[entry.location_id],
            None if entry.lot_id is None else lots[entry.lot_id].code,
            catalog.settings,
        )
        for entry in entries
    ]


def entry_fields(entry: Entry, product: Product, location: Location, lot_code: str | None, settings: Settings) -> Json:
    """A ledger entry (docs/reference/ledger.md): quantities as numbers, `value_delta` as a decimal string."""
    number = product.number
    return {
        "id": entry.id,
        "seq": entry.seq,
        "product_id": entry.product_id,
        "sku": product.sku,
        "location": location.code,
        "lot_id": entry.lot_id,
        "lot_code": lot_code,
        "ref_type": entry.ref_type,
        "ref_id": entry.ref_id,
        "qty_delta": number(entry.qty_delta),
        "balance_after": number(entry.balance_after),
        "reserved_delta": number(entry.reserved_delta),
        "reserved_after": number(entry.reserved_after),
        "backordered_delta": number(entry.backordered_delta),
        "backordered_after": number(entry.backordered_after),
        "value_delta": from_minor(entry.value_delta, settings.minor_digits),
        "order_number": entry.order_number,
        "source": entry.source,
        "reservation_id": entry.reservation_id,
        "actor": entry.actor,
        "reason": entry.reason,
        "note": entry.note,
        "created_at": instant_text(entry.created_at),
    }
