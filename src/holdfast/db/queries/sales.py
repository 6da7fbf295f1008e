"""Sales, returns and supplier orders: lists and single ones.

Sales are rows with lines; a page of them is read with the lines and the active holds of all at once. What is shown of
a hold is what settling would leave of it, so a cart whose time is over shows its lines as lapsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import SaleStatus
from holdfast.core.records.stock import Reservation
from holdfast.core.sales.documents import card_facts, sale_document
from holdfast.core.sales.gift_cards import GiftCard, shown_code
from holdfast.core.sales.lines import priced_today, rules_of
from holdfast.core.sales.return_record import Return, ReturnDocument, return_document
from holdfast.core.sales.supplier_orders import SupplierOrder, supplier_order_document
from holdfast.core.stock.posting import Stock
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.catalog import columns_of, products_of, records, store_of
from holdfast.db.queries.filters import OF_SALE, SOURCE, STATUS, Filter, Instant
from holdfast.db.queries.ledger import SKEW, id_floor
from holdfast.db.queries.paging import (
    EMPTY,
    SCAN_MAX,
    Found,
    Json,
    Page,
    Part,
    Stores,
    among,
    as_id,
    bounded,
    id_of_cursor,
    in_order,
    newest,
    page_in_pieces,
    page_of,
)
from holdfast.db.queries.products import with_words
from holdfast.db.queries.settled import foresee_holds
from holdfast.db.queries.settling import ACTIVE, instant

_sale, _line, _hold = schema.sale.c, schema.sale_line.c, schema.reservation.c
_key = schema.license_key.c
_return, _order = schema.sale_return.c, schema.supplier_order.c

_ordered_at = sa.func.coalesce(_sale.ordered_at, _sale.created_at)
"""When a sale was ordered: at its source if that said when, else here."""

UNFINISHED = ("open", "suspended")
"""Statuses of few sales, which have an index of their own."""

_UNFINISHED: sa.ColumnElement[bool] = sa.literal_column("sale.status IN ('open', 'suspended')", sa.Boolean())
"""The sales of these statuses, in the words of their index."""

SOURCES_MAX = 50
"""Up to so many sources an order number is looked up in each of them, by index."""


class SaleFilter(Filter, frozen=True, kw_only=True):
    """Which sales."""

    status: Annotated[SaleStatus | None, STATUS] = None
    store: Annotated[str | None, Meta(description="Only of this store (id or code).")] = None
    source: Annotated[str | None, SOURCE] = None
    order_number: Annotated[str | None, Meta(description="Only with this order number, or this number of ours.")] = None
    ordered_from: Annotated[Instant | None, Meta(description="Only ordered at this instant or later.")] = None
    ordered_to: Annotated[Instant | None, Meta(description="Only ordered before this instant.")] = None
    created_from: Annotated[Instant | None, Meta(description="Only made here at this instant or later.")] = None
    created_to: Annotated[Instant | None, Meta(description="Only made here before this instant.")] = None
    unmapped: Annotated[bool, Meta(description="Only with lines that wait until their product is known.")] = False
    search: Annotated[
        str | None,
        Meta(
            description="Only with this order number, or this number of ours; where no sale has it, with each of these "
            "words, in any order, as a part of the customer."
        ),
    ] = None


class ReturnFilter(Filter, frozen=True, kw_only=True):
    """Which returns."""

    sale_id: Annotated[str | None, OF_SALE] = None


class SupplierOrderFilter(Filter, frozen=True, kw_only=True):
    """Which orders to suppliers."""

    status: Annotated[Literal["open", "shipped", "cancelled"] | None, STATUS] = None
    sale_id: Annotated[str | None, OF_SALE] = None


# Sales ---------------------------------------------------------------------------------------------------------------


def listed(connection: sa.Connection, catalog: Catalog, filters: SaleFilter, part: Part) -> Page:
    """A page of sales with their lines (docs/how-to/sell.md)."""
    limit, before, oldest = bounded(part.limit), id_of_cursor(part.cursor), ""
    wanted = _wanted(connection, catalog, filters, part.stores)
    if wanted is None:
        return EMPTY
    # The time in an id bounds what is looked at; the clocks of two machines may differ a little.
    if filters.created_to is not None:
        latest = id_floor(filters.created_to + SKEW)
        before = latest if before is None else min(before, latest)
    if filters.created_from is not None:
        oldest = id_floor(filters.created_from - SKEW)
        wanted.where.append(_sale.id >= oldest)
    found = newest(
        connection,
        schema.sale,
        [_sale.id],
        catalog.settings.id,
        wanted.where,
        before=before,
        limit=limit,
        scan=None if filters.status in UNFINISHED else SCAN_MAX,
        indexed=wanted.indexed,
    )
    if found.floor is not None and found.floor < oldest:
        found = found._replace(floor=None)
    return page_in_pieces(
        found, limit, lambda ids: _describe(connection, catalog, _by_ids(connection, catalog, Sale, ids), part.now)
    )


def unfinished(
    connection: sa.Connection, catalog: Catalog, filters: SaleFilter, *, stores: Stores = None
) -> dict[str, int]:
    """How many sales of the filter, whatever its status, are open and how many are in the queue."""
    wanted = _wanted(connection, catalog, msgspec.structs.replace(filters, status=None), stores)
    counts = dict.fromkeys(UNFINISHED, 0)
    if wanted is None:
        return counts
    where = (_sale.org_id == catalog.settings.id, _UNFINISHED, *wanted.where)
    query = sa.select(_sale.status, sa.func.count()).where(*where).group_by(_sale.status)
    return counts | {status: int(count) for status, count in connection.execute(query)}


def one(
    connection: sa.Connection,
    catalog: Catalog,
    sale_id: str,
    *,
    stores: Stores = None,
    completed_anywhere: bool = False,
    now: int | None = None,
) -> Json | None:
    """A sale by id, within the stores.

    With `completed_anywhere` it may be a completed one of any store: its goods can be brought back to all of them.
    """
    found = _one(connection, catalog, schema.sale, Sale, sale_id)
    if found is None:
        return None
    sale: Sale = found
    if stores is not None and sale.store_id not in stores and not (completed_anywhere and sale.status == "completed"):
        return None
    return _describe(connection, catalog, [sale], instant(now))[0]


class _Wanted(NamedTuple):
    """The conditions on the sale; `indexed`: they name its id."""

    where: list[sa.ColumnElement[bool]]
    indexed: bool


def _wanted(connection: sa.Connection, catalog: Catalog, filters: SaleFilter, stores: Stores) -> _Wanted | None:
    """The conditions of the filter; None when nothing can match."""
    where = _conditions(filters)
    indexed = False
    if stores is not None:
        where.append(_sale.store_id.in_(sorted(stores)))
    if filters.store is not None:
        store = store_of(catalog, filters.store)
        if store is None:
            return None
        where.append(_sale.store_id == store.id)
    if filters.order_number is not None:
        names = _named(connection, catalog, filters.order_number)
        if not names:
            return None
        where.append(_sale.id.in_(names))
        indexed = True
    if filters.search is not None:
        names = _named(connection, catalog, filters.search)
        where.append(_sale.id.in_(names) if names else with_words(filters.search, _sale.customer))
        indexed = indexed or bool(names)
    return _Wanted(where, indexed)


def _conditions(filters: SaleFilter) -> list[sa.ColumnElement[bool]]:
    """The conditions of the filter on the columns of the sale alone."""
    where: list[sa.ColumnElement[bool]] = []
    if filters.status is not None:
        where.append(_with_status(filters.status))
    if filters.source is not None:
        where.append(_sale.source == filters.source)
    if filters.ordered_from is not None:
        where.append(_ordered_at >= filters.ordered_from)
    if filters.ordered_to is not None:
        where.append(_ordered_at < filters.ordered_to)
    if filters.created_from is not None:
        where.append(_sale.created_at >= filters.created_from)
    if filters.created_to is not None:
        where.append(_sale.created_at < filters.created_to)
    if filters.unmapped:
        where.append(_sale.unmapped.is_not(None))
    return where


def _with_status(status: str) -> sa.ColumnElement[bool]:
    """The condition that a sale has the status; the few unfinished ones are found by their partial index."""
    if status not in UNFINISHED:
        return _sale.status == status
    return sa.and_(_UNFINISHED, _sale.status == status)


def sources(connection: sa.Connection, catalog: Catalog) -> list[str]:
    """The sources that sales have come from, by name, at most SOURCES_MAX: one look into the index for each."""
    org_id, found, last = catalog.settings.id, list[str](), ""
    while len(found) < SOURCES_MAX:
        following = sa.select(sa.func.min(_sale.source)).where(_sale.org_id == org_id, _sale.source > last)
        source = connection.execute(following).scalar()
        if source is None:
            break
        last = source
        found.append(source)
    return found


def _named(connection: sa.Connection, catalog: Catalog, number: str) -> list[str]:
    """The ids of the sales with that order number, of any source, or with that number of ours."""
    org_id = catalog.settings.id
    own = sa.select(_sale.id).where(_sale.org_id == org_id, _sale.number == number)
    names = set(connection.execute(own).scalars())
    for source in sources(connection, catalog):
        where = (_sale.org_id == org_id, _sale.source == source, _sale.order_number == number)
        names.update(connection.execute(sa.select(_sale.id).where(*where)).scalars())
    return sorted(names)


def _describe(connection: sa.Connection, catalog: Catalog, sales: Sequence[Sale], now: int) -> list[Json]:
    """Sales as they go outside, with their holds as settled at `now`; unfinished ones with the money of today."""
    if not sales:
        return []
    org_id, settings = catalog.settings.id, catalog.settings
    lines: dict[str, list[SaleLine]] = defaultdict(list)
    query = sa.select(*_columns(SaleLine)).where(
        _line.org_id == org_id, among(connection, _line.sale_id, [sale.id for sale in sales]), sa.not_(_line.removed)
    )
    for line in _structs(SaleLine, connection.execute(query.order_by(_line.position, _line.id)).all()):
        lines[line.sale_id].append(line)
    holds = _holds_of(connection, catalog, {sale.id for sale in sales if sale.unfinished}, now)
    for sale_id, own in holds.items():
        lines[sale_id] = [_with_holds(line, own) for line in lines[sale_id]]
    products = products_of(connection, org_id, {line.product_id for own in lines.values() for line in own})
    keys = _keys_of(connection, org_id, [line for own in lines.values() for line in own])
    known = Catalog(settings)
    known.tax_rates = catalog.tax_rates
    for product in products.values():
        known.put_product(product)
    today = Stock(org_id, known, now, str)
    exchanged = _exchanged_for(connection, catalog, sales)
    with_cards = [name for name, own in lines.items() if any(line.kind == "gift_card" for line in own)]
    sold_cards = _cards_sold(connection, catalog, with_cards)
    return [
        msgspec.to_builtins(
            sale_document(
                *priced_today(today, sale, lines[sale.id]),
                products,
                holds.get(sale.id, []),
                settings.minor_digits,
                settings.currency,
                cash_step=rules_of(today).cash_rounding,
                keys=keys,
                returns=exchanged.get(sale.id, ()),
                gift_cards=sold_cards.get(sale.id, ()),
            )
        )
        for sale in sales
    ]


def _keys_of(connection: sa.Connection, org_id: str, lines: Sequence[SaleLine]) -> dict[str, LicenseKey]:
    """The license keys of the lines by id, encrypted."""
    names = [name for line in lines for name in line.key_ids or ()]
    if not names:
        return {}
    where = (_key.org_id == org_id, among(connection, _key.id, names))
    found: list[LicenseKey] = _structs(
        LicenseKey, connection.execute(sa.select(*_columns(LicenseKey)).where(*where)).all()
    )
    return {key.id: key for key in found}


def _cards_sold(
    connection: sa.Connection, catalog: Catalog, sale_ids: Collection[str]
) -> dict[str, list[dict[str, str]]]:
    """The gift cards that the sales issued, by sale: the end of each code, for who reads a sale may not spend them."""
    if not sale_ids:
        return {}
    card = schema.gift_card.c
    own = (card.org_id == catalog.settings.id, among(connection, card.issued_by_sale, sale_ids))
    shown: dict[str, list[dict[str, str]]] = defaultdict(list)
    for one in records(connection, schema.gift_card, GiftCard, *own):
        code = f"...{shown_code(one.code)}"
        shown[str(one.issued_by_sale)].append(card_facts(code, one.issued, catalog.settings.minor_digits))
    return shown


def _exchanged_for(
    connection: sa.Connection, catalog: Catalog, sales: Sequence[Sale]
) -> dict[str, list[ReturnDocument]]:
    """The returns that paid for the sales, by sale."""
    names = {name for sale in sales for one in sale.payments if one.returns is not UNSET for name in one.returns}
    if not names:
        return {}
    org_id = catalog.settings.id
    found = records(
        connection, schema.sale_return, Return, _return.org_id == org_id, among(connection, _return.id, names)
    )
    products = products_of(connection, org_id, {line.product_id for one in found for line in one.lines})
    shown: dict[str, list[ReturnDocument]] = defaultdict(list)
    for one in sorted(found, key=lambda made: made.id):
        if one.exchanged_for is not None:
            shown[one.exchanged_for].append(return_document(one, products, catalog.settings.minor_digits))
    return shown


def _holds_of(
    connection: sa.Connection, catalog: Catalog, sale_ids: Collection[str], now: int
) -> dict[str, list[Reservation]]:
    """The holds of those sales that are alive at `now`, by sale, backed as settling will leave them."""
    found: dict[str, list[Reservation]] = defaultdict(list)
    if not sale_ids:
        return found
    query = sa.select(*columns_of(schema.reservation, Reservation)).where(
        _hold.org_id == catalog.settings.id,
        _hold.reserved_for_id.is_not(None),
        among(connection, _hold.reserved_for_id, sale_ids),
        ACTIVE,
    )
    holds: list[Reservation] = _structs(Reservation, connection.execute(query).all())
    seen = foresee_holds(connection, catalog, now, holds)
    made = [hold for hold in seen.made if hold.reserved_for_id in sale_ids]
    for hold in [*holds, *made]:
        settled = seen.hold(hold)
        if settled.active:
            found[str(hold.reserved_for_id)].append(settled)
    return found


def _with_holds(line: SaleLine, holds: Collection[Reservation]) -> SaleLine:
    """The line naming every hold it has, those too that settling will make."""
    new = [hold.id for hold in holds if hold.sale_line_id == line.id and hold.id not in line.reservations]
    return msgspec.structs.replace(line, reservations=(*line.reservations, *new)) if new else line


# Returns -------------------------------------------------------------------------------------------------------------


def returns(connection: sa.Connection, catalog: Catalog, filters: ReturnFilter, part: Part) -> Page:
    """A page of returns, of a sale or of all."""
    limit = bounded(part.limit)
    where: list[sa.ColumnElement[bool]] = []
    if filters.sale_id is not None:
        name = as_id(filters.sale_id)
        if name is None:
            return EMPTY
        where.append(_return.sale_id == name)
    if part.stores is not None:
        where.append(_return.store_id.in_(sorted(part.stores)))
    indexed = filters.sale_id is not None
    found = _newest(connection, catalog, schema.sale_return, [_return.id], where, part.cursor, limit, indexed=indexed)
    return page_in_pieces(
        found, limit, lambda ids: _describe_returns(connection, catalog, _by_ids(connection, catalog, Return, ids))
    )


def one_return(connection: sa.Connection, catalog: Catalog, return_id: str, *, stores: Stores = None) -> Json | None:
    """A return by id, within the stores."""
    found = _one(connection, catalog, schema.sale_return, Return, return_id)
    if found is None or (stores is not None and found.store_id not in stores):
        return None
    return _describe_returns(connection, catalog, [found])[0]


def _describe_returns(connection: sa.Connection, catalog: Catalog, found: Sequence[Return]) -> list[Json]:
    ids = {line.product_id for one in found for line in one.lines}
    products = products_of(connection, catalog.settings.id, ids)
    digits = catalog.settings.minor_digits
    return [msgspec.to_builtins(return_document(one, products, digits)) for one in found]


# Supplier orders -----------------------------------------------------------------------------------------------------


def supplier_orders(connection: sa.Connection, catalog: Catalog, filters: SupplierOrderFilter, part: Part) -> Page:
    """A page of the orders to suppliers that sales of the stores have become."""
    limit = bounded(part.limit)
    where: list[sa.ColumnElement[bool]] = [] if filters.status is None else [_order.status == filters.status]
    if filters.sale_id is not None:
        name = as_id(filters.sale_id)
        if name is None:
            return EMPTY
        where.append(_order.sale_id == name)
    if part.stores is not None:
        own = sa.select(_sale.id).where(
            _sale.org_id == _order.org_id, _sale.id == _order.sale_id, _sale.store_id.in_(sorted(part.stores))
        )
        where.append(own.exists())
    table, indexed = schema.supplier_order, filters.sale_id is not None
    columns = _columns(SupplierOrder)
    found = _newest(connection, catalog, table, columns, where, part.cursor, limit, indexed=indexed)
    return page_of(found, limit, lambda rows: _describe_orders(connection, catalog, _structs(SupplierOrder, rows)))


def _describe_orders(connection: sa.Connection, catalog: Catalog, found: Sequence[SupplierOrder]) -> list[Json]:
    products = products_of(connection, catalog.settings.id, {order.product_id for order in found})
    return [msgspec.to_builtins(supplier_order_document(order, products[order.product_id])) for order in found]


# Rows ----------------------------------------------------------------------------------------------------------------


def _columns(struct: type[Any]) -> list[sa.ColumnElement[Any]]:
    return columns_of(row_type(struct).table, struct)


def _structs(struct: type[Any], rows: Sequence[Any]) -> list[Any]:
    read = row_type(struct).read
    return [read(row) for row in rows]


def _by_ids(connection: sa.Connection, catalog: Catalog, struct: type[Any], ids: Sequence[str]) -> list[Any]:
    """The structs with these ids, in this order."""
    table = row_type(struct).table
    where = (table.c.org_id == catalog.settings.id, among(connection, table.c.id, ids))
    return in_order(_structs(struct, connection.execute(sa.select(*_columns(struct)).where(*where)).all()), ids)


def _one(connection: sa.Connection, catalog: Catalog, table: sa.Table, struct: type[Any], name: str) -> Any:
    """The struct with that id, or None."""
    found_id = as_id(name)
    if found_id is None:
        return None
    where = (table.c.org_id == catalog.settings.id, table.c.id == found_id)
    rows = connection.execute(sa.select(*_columns(struct)).where(*where)).all()
    return _structs(struct, rows)[0] if rows else None


def _newest(
    connection: sa.Connection,
    catalog: Catalog,
    table: sa.Table,
    columns: Sequence[sa.ColumnElement[Any]],
    where: Sequence[sa.ColumnElement[bool]],
    cursor: str | None,
    limit: int,
    *,
    indexed: bool,
) -> Found:
    return newest(
        connection,
        table,
        columns,
        catalog.settings.id,
        where,
        before=id_of_cursor(cursor),
        limit=limit,
        indexed=indexed,
    )
