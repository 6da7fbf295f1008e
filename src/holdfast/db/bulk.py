"""Many rows at once for files: products by SKU, every level, the whole ledger, read as a stream.

for row in ledger_rows(database, org_id): ...      one consistent view, a thousand rows in memory at a time
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level, LevelKey
from holdfast.db import schema
from holdfast.db.batch.rows import record_of, row_type
from holdfast.db.engine import Database
from holdfast.db.exact_sum import exact_sum
from holdfast.db.organisations import clock
from holdfast.db.queries.begun import begins
from holdfast.db.queries.catalog import catalog_of, columns_of
from holdfast.db.queries.settled import Foreseen, foresee, foresee_levels

ROWS = 1000
"""Rows that a stream holds in memory."""

SKUS_MAX = 500
"""SKUs in one question."""


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class LevelRow(NamedTuple):
    """A level in smallest units and minor units, as settling will leave it."""

    sku: str
    title: str
    gtin: str | None
    precision: int
    store: str
    location: str
    location_kind: str
    sellable: bool
    on_hand: int
    reserved: int
    backordered: int
    value: int


def products_named(database: Database, org_id: str, names: Iterable[str]) -> dict[str, Product]:
    """The organisation's products that have one of those SKUs or ids, under the names that were asked for."""
    asked = set(names)
    known = products_by_sku(database, org_id, asked)
    ids = {name.lower(): name for name in asked - known.keys() if _ID.fullmatch(name)}
    table = schema.product
    if ids:
        with database.reading() as connection:
            rows = connection.execute(sa.select(table).where(table.c.org_id == org_id, table.c.id.in_(list(ids))))
            for row in rows.mappings():
                known[ids[str(row["id"])]] = record_of(Product, _fields(row), table)
    return known


def products_by_sku(database: Database, org_id: str, skus: Iterable[str]) -> dict[str, Product]:
    """The organisation's products that have one of those SKUs."""
    asked = list(dict.fromkeys(skus))
    known: dict[str, Product] = {}
    table = schema.product
    with database.reading() as connection:
        for start in range(0, len(asked), SKUS_MAX):
            part = asked[start : start + SKUS_MAX]
            rows = connection.execute(sa.select(table).where(table.c.org_id == org_id, table.c.sku.in_(part)))
            for row in rows.mappings():
                product: Product = record_of(Product, _fields(row), table)
                known[product.sku] = product
    return known


def titles(database: Database, org_id: str) -> Iterator[tuple[str, str]]:
    """(SKU, title) of the organisation's products in use, as a stream."""
    table = schema.product
    query = sa.select(table.c.sku, table.c.title).where(table.c.org_id == org_id, table.c.active)
    with database.reading() as connection:
        for part in connection.execution_options(yield_per=ROWS).execute(query).partitions(ROWS):
            yield from ((str(sku), str(title)) for sku, title in part)


class Balance(NamedTuple):
    """What a level has: units on hand when what has ended is settled; `begun` when the ledger has an entry of it, or
    settling writes one."""

    on_hand: int
    begun: bool


def balances(database: Database, org_id: str, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Balance]:
    """The levels that there are of (product id, location id) pairs."""
    asked = set(pairs)
    products, places = sorted({pair[0] for pair in asked}), {pair[1] for pair in asked}
    table, read, now = schema.level, row_type(Level).read, clock(database)
    known: dict[tuple[str, str], Balance] = {}
    with database.reading() as connection:
        catalog = catalog_of(connection, org_id)
        assert catalog is not None, org_id
        for start in range(0, len(products), SKUS_MAX):
            part = products[start : start + SKUS_MAX]
            own = (table.c.org_id == org_id, table.c.product_id.in_(part), table.c.location_id.in_(places))
            rows = connection.execute(sa.select(*columns_of(table, Level)).where(*own)).all()
            seen = foresee(connection, catalog, now, part)
            for level in (seen.level(read(row)) for row in rows):
                known[level.product_id, level.location_id] = Balance(level.on_hand, level.seq > 0)
            for level in seen.begun.values():
                known[level.product_id, level.location_id] = Balance(level.on_hand, begun=True)
    return {pair: balance for pair, balance in known.items() if pair in asked}


def locations_by_code(database: Database, org_id: str) -> dict[str, Location]:
    """The organisation's locations in use."""
    table = schema.location
    with database.reading() as connection:
        rows = connection.execute(sa.select(table).where(table.c.org_id == org_id, table.c.active)).mappings()
        return {row["code"]: record_of(Location, _fields(row), table) for row in rows}


def _fields(row: sa.RowMapping) -> dict[str, Any]:
    """A record's row with plain names: SQLAlchemy's are a kind of str that msgspec does not take for one."""
    return {str(name): value for name, value in row.items() if name != "org_id"}


def level_rows(database: Database, org_id: str) -> Iterator[LevelRow]:
    """Every listed level as settling will leave it, by SKU and location."""
    level, product, location, stock = schema.level, schema.product, schema.location, schema.lot_stock
    now = clock(database)
    value = (
        sa.select(exact_sum(stock.c.value))
        # Within a subquery no planner knows that its organisation is the level's.
        .where(stock.c.org_id == org_id, stock.c.level_id == level.c.id, stock.c.is_open)
        .scalar_subquery()
    )
    columns = columns_of(level, Level)
    asked = (
        sa.select(*columns, product.c.sku, product.c.title, product.c.gtin, product.c.precision, value)
        .join_from(level, product, (product.c.org_id == level.c.org_id) & (product.c.id == level.c.product_id))
        .join(location, (location.c.org_id == level.c.org_id) & (location.c.id == level.c.location_id))
        .where(level.c.org_id == org_id, level.c.listed)
        .where(location.c.active | (level.c.on_hand != 0) | (level.c.backordered != 0))
        .order_by(product.c.sku, location.c.code)
    )
    read, width = row_type(Level).read, len(columns)
    with database.reading() as connection:
        catalog = catalog_of(connection, org_id)
        assert catalog is not None, org_id
        rows = connection.execute(asked.execution_options(yield_per=ROWS)).partitions(ROWS)
        for part in _whole_products(rows):
            stored = [(read(row[:width]), row[width:-1], row[-1] or 0) for row in part]
            seen = foresee_levels(connection, catalog, now, [level for level, _, _ in stored])
            of_product = {level.product_id: fields for level, fields, _ in stored}
            moved = _values_moved(seen)
            settled = [(seen.level(level), worth) for level, _, worth in stored]
            settled += [(level, 0) for level in begins(catalog, seen, None) if level.product_id in of_product]
            for one, worth in sorted(settled, key=lambda pair: _place(catalog, of_product, pair[0])):
                worth += moved.get((one.product_id, one.location_id), 0)
                yield _level_row(catalog, of_product[one.product_id], one, worth)


def _whole_products(parts: Iterable[Sequence[Any]]) -> Iterator[list[Any]]:
    """The same rows, in order, without a product's being in two parts."""
    kept: list[Any] = []
    for part in parts:
        kept += part
        whole = [row for row in kept if row.product_id != kept[-1].product_id]
        if whole:
            yield whole
            kept = kept[len(whole) :]
    if kept:
        yield kept


def _level_row(catalog: Catalog, product: Sequence[Any], level: Level, value: int) -> LevelRow:
    sku, title, gtin, precision = product
    place = catalog.locations[level.location_id]
    return LevelRow(
        sku,
        title,
        gtin,
        precision,
        catalog.stores[place.store_id].code,
        place.code,
        place.kind,
        place.sellable,
        level.on_hand,
        level.reserved,
        level.backordered,
        value,
    )


def _place(catalog: Catalog, of_product: dict[str, Any], level: Level) -> tuple[str, str]:
    return of_product[level.product_id][0], catalog.locations[level.location_id].code


def _values_moved(seen: Foreseen) -> dict[LevelKey, int]:
    """What settling adds to a level's value, or takes from it: that of expired lots on their way into quarantine."""
    moved: dict[LevelKey, int] = {}
    for move in seen.moves:
        level = seen.before[move.level_id]
        left = (level.product_id, level.location_id)
        moved[left] = moved.get(left, 0) - move.value
        moved[move.corner] = moved.get(move.corner, 0) + move.value
    return moved


def ledger_rows(database: Database, org_id: str) -> Iterator[Any]:
    """Every ledger entry, oldest first, with its columns and `sku`, `precision`, `location`, `lot_code`."""
    ledger, product, location, lot = schema.ledger, schema.product, schema.location, schema.lot
    asked = (
        sa.select(
            *[column for column in ledger.c if column.name not in ("org_id", "checksum")],
            product.c.sku,
            product.c.precision,
            location.c.code.label("location"),
            lot.c.code.label("lot_code"),
        )
        .join_from(ledger, product, (product.c.org_id == ledger.c.org_id) & (product.c.id == ledger.c.product_id))
        .join(location, (location.c.org_id == ledger.c.org_id) & (location.c.id == ledger.c.location_id))
        .join(lot, (lot.c.org_id == ledger.c.org_id) & (lot.c.id == ledger.c.lot_id), isouter=True)
        .where(ledger.c.org_id == org_id)
        .order_by(ledger.c.id)
    )
    yield from _stream(database, asked)


def journal_rows(database: Database, org_id: str) -> Iterator[Any]:
    """Every posting, oldest entry first, with its entry's columns; an entry's postings follow one another."""
    entry, posting = schema.journal_entry, schema.posting
    asked = (
        sa.select(
            entry.c.id,
            entry.c.at,
            entry.c.day,
            entry.c.description,
            entry.c.ref_type,
            entry.c.ref_id,
            entry.c.actor,
            entry.c.reverses,
            posting.c.account,
            posting.c.amount,
        )
        .join_from(entry, posting, (posting.c.org_id == entry.c.org_id) & (posting.c.entry_id == entry.c.id))
        .where(entry.c.org_id == org_id)
        .order_by(entry.c.id, posting.c.position)
    )
    yield from _stream(database, asked)


def journal_size(database: Database, org_id: str) -> int:
    """How many postings `journal_rows` will give."""
    posting = schema.posting
    with database.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).where(posting.c.org_id == org_id)).scalar_one())


def _stream(database: Database, asked: sa.Select[Any]) -> Iterator[Any]:
    with database.reading() as connection:
        yield from connection.execution_options(yield_per=ROWS).execute(asked)
