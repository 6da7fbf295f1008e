"""Products with their totals: what is there, promised and to be had, over all locations or those of some stores."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.documents import product_fields
from holdfast.core.records.product import UNLIMITED, Product
from holdfast.core.records.text import composed
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of, product_of, read_records, records, unsellable
from holdfast.db.queries.filters import SEARCH, SORT, Filter
from holdfast.db.queries.paging import Json, Page, Part, Stores, bounded, id_of_cursor, newest, page_of
from holdfast.db.queries.settled import Foreseen, astir, foresee
from holdfast.db.queries.settling import ended, instant
from holdfast.db.queries.sorting import Order

replace = msgspec.structs.replace

_level, _product = schema.level.c, schema.product.c


WORDS_MAX = 20
"""Most words of a search that count."""

ProductSort = Literal["title", "-title", "sku", "-sku", "changed", "-changed"]
"""How products may be sorted; a minus turns it round."""


class ProductFilter(Filter, frozen=True, kw_only=True):
    """Which products."""

    search: Annotated[str | None, SEARCH] = None
    sku: Annotated[str | None, Meta(description="Only this SKU.")] = None
    active: Annotated[bool | None, Meta(description="Only active ones, or only others.")] = None
    sort: Annotated[ProductSort | None, SORT] = None


class Totals(NamedTuple):
    """Sums over levels in smallest units; `available` counts sellable locations only."""

    on_hand: int = 0
    reserved: int = 0
    available: int = 0
    backordered: int = 0


def totals_of(
    connection: sa.Connection, catalog: Catalog, ids: Sequence[str], places: Collection[str] | None, now: int
) -> dict[str, Totals]:
    """The totals of products by id, at all locations or at `places`; products that lie nowhere are left out."""
    org_id = catalog.settings.id
    idle = unsellable(catalog)
    here = [_level.org_id == org_id, _level.product_id.in_(ids)]
    if places is not None:
        here.append(_level.location_id.in_(places))
    free = _level.on_hand - _level.reserved
    query = (
        sa.select(
            _level.product_id,
            sa.func.sum(_level.on_hand),
            sa.func.sum(_level.reserved),
            sa.func.sum(sa.case((_level.location_id.in_(idle), 0), else_=free)),
            sa.func.sum(_level.backordered),
        )
        .where(*here)
        .group_by(_level.product_id)
    )
    sums = {row[0]: Totals(*(int(number) for number in row[1:])) for row in connection.execute(query)}
    seen = _foreseen(connection, catalog, here, now)
    changes = [(level, seen.level(level)) for level in seen.before.values()]
    changes += [(replace(level, on_hand=0), level) for level in seen.begun.values()]
    for level, settled in changes:
        if level.product_id not in ids or (places is not None and level.location_id not in places):
            continue
        known = sums.get(level.product_id, Totals())
        sellable = level.location_id not in idle
        sums[level.product_id] = Totals(
            known.on_hand - level.on_hand + settled.on_hand,
            known.reserved - level.reserved + settled.reserved,
            known.available + (settled.available - level.available if sellable else 0),
            known.backordered - level.backordered + settled.backordered,
        )
    return sums


def _foreseen(connection: sa.Connection, catalog: Catalog, here: list[sa.ColumnElement[bool]], now: int) -> Foreseen:
    """What will have changed of those products among whose levels `here` something has ended."""
    org_id = catalog.settings.id
    product_of = dict(connection.execute(sa.select(_level.id, _level.product_id).where(*here)).all())
    over = ended(connection, org_id, now, levels=list(product_of))
    products = {product_of[level_id] for level_id in over}
    return foresee(connection, catalog, now, products | astir(connection, catalog, now, set(product_of.values())))


def total_fields(product: Product, totals: Totals) -> Json:
    """The totals of a product as they go outside."""
    number = product.number
    return {
        "total_quantity": number(totals.on_hand),
        "total_reserved": number(totals.reserved),
        "total_available": UNLIMITED if product.unlimited else number(totals.available),
        "backordered": number(totals.backordered),
    }


def describe(
    connection: sa.Connection, catalog: Catalog, products: Sequence[Product], places: Collection[str] | None, now: int
) -> list[Json]:
    """Products with their totals."""
    counted = [product.id for product in products if not product.unlimited]
    sums = totals_of(connection, catalog, counted, places, now) if counted else {}
    return [
        {**product_fields(product, catalog.settings), **total_fields(product, sums.get(product.id, Totals()))}
        for product in products
    ]


def listed(connection: sa.Connection, catalog: Catalog, filters: ProductFilter, part: Part) -> Page:
    """A page of products with totals; the words of `search` are parts of title, SKU or GTIN, in any case."""
    places = places_of(catalog, stores=part.stores)
    where: list[sa.ColumnElement[bool]] = []
    if filters.active is not None:
        where.append(_product.active.is_(filters.active))
    if filters.sku is not None:
        where.append(_product.sku == composed(filters.sku))
    if filters.search:
        where.append(matching(filters.search))
    if filters.sort is not None:
        return _sorted(connection, catalog, filters.sort, where, part, places)
    found = newest(
        connection,
        schema.product,
        columns_of(schema.product, Product),
        catalog.settings.id,
        where,
        before=id_of_cursor(part.cursor),
        limit=bounded(part.limit),
        scan=None,
        indexed=filters.sku is not None,
    )

    def described(rows: Sequence[Any]) -> list[Json]:
        products = read_records(schema.product, Product, rows)
        return describe(connection, catalog, products, places, part.now)

    return page_of(found, bounded(part.limit), described)


def _sorted(
    connection: sa.Connection,
    catalog: Catalog,
    sort: ProductSort,
    where: Sequence[sa.ColumnElement[bool]],
    part: Part,
    places: Collection[str] | None,
) -> Page:
    """A page in another order than the newest first."""
    columns = {"title": _product.title, "sku": _product.sku, "changed": _product.updated_at}
    order, limit = Order(connection, sort, columns[sort.lstrip("-")], _product.id), bounded(part.limit)
    query = sa.select(*columns_of(schema.product, Product), order.value)
    query = query.where(_product.org_id == catalog.settings.id, *where, *order.after(part.cursor))
    rows = connection.execute(query.order_by(*order.by).limit(limit + 1)).all()
    shown = rows[:limit]
    products = read_records(schema.product, Product, [row[:-1] for row in shown])
    following = order.cursor(shown[-1].sort_value, shown[-1].id) if len(rows) > limit else None
    return Page(describe(connection, catalog, products, places, part.now), following)


def matching(search: str) -> sa.ColumnElement[bool]:
    """The condition that each word of the search is part of a product's title, SKU or GTIN, in any case and order."""
    return with_words(search, _product.title, _product.sku, _product.gtin)


def with_words(search: str, *columns: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The condition that each word of the search is part of one of the columns, in any case and order.

    Of more than WORDS_MAX words the first count. SQLite folds only ASCII; what it cannot fold is looked for in the
    usual spellings.
    """
    words = dict.fromkeys(composed(search).split())
    return sa.and_(sa.true(), *(_has_word(word, columns) for word in list(words)[:WORDS_MAX]))


def _has_word(word: str, columns: Sequence[sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    spellings = {word} if word.isascii() else {word, word.lower(), word.upper(), word.capitalize()}
    return sa.or_(*(column.icontains(text, autoescape=True) for text in sorted(spellings) for column in columns))


def one(
    connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """A product by id or SKU with `total_quantity, total_reserved, total_available, backordered`."""
    found = product_of(connection, catalog.settings.id, ref)
    places = places_of(catalog, stores=stores)
    return None if found is None else describe(connection, catalog, [found], places, instant(now))[0]


def coded(
    connection: sa.Connection, catalog: Catalog, *, gtin: str | None = None, sku: str | None = None
) -> Json | None:
    """The product that a scan means, without totals: by GTIN (8 to 14 digits, zeros in front ignored) or SKU."""
    found = by_code(connection, catalog, gtin, sku)
    return None if found is None else product_fields(found, catalog.settings)


def by_code(connection: sa.Connection, catalog: Catalog, gtin: str | None, sku: str | None) -> Product | None:
    """The product with the GTIN (however many zeros it begins with), else the one with the SKU; active ones first."""
    org_id = catalog.settings.id
    if gtin is not None and gtin.isascii() and gtin.isdigit():
        bare = gtin.lstrip("0")
        forms = sorted({gtin, *(bare.rjust(length, "0") for length in (8, 12, 13, 14) if len(bare) <= length)})
        found = records(connection, schema.product, Product, _product.org_id == org_id, _product.gtin.in_(forms))
        if found:
            return min(found, key=lambda product: (not product.active, product.id))  # type: ignore[no-any-return]
    if sku is None:
        return None
    found = records(connection, schema.product, Product, _product.org_id == org_id, _product.sku == composed(sku))
    return found[0] if found else None
