"""Loading: what a batch needs becomes a Stock (step one of load, decide, save).

`begin` makes a Stock with its levels locked, `load_more` answers what a decision asked for (`Missing`), and
`WriterCatalogs` keeps each organisation's settings, stores, locations, tax rates and used products as of a catalog
version.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from holdfast.core.organisation.periods import Period
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store, TaxRate
from holdfast.core.records.product import Product
from holdfast.core.records.stock import Level, LevelKey, Reservation
from holdfast.core.records.wants import (
    AccountSums,
    BalancesThrough,
    ExpiredHoldsAt,
    HoldById,
    LevelAt,
    LotAt,
    LotsAt,
    LotsWithDay,
    PlacesOfTaken,
    ProductNamed,
    SaleById,
    Want,
    answer_text,
)
from holdfast.core.stock.posting import Stock
from holdfast.db import schema
from holdfast.db.batch import lots
from holdfast.db.batch.late_ids import ids_from
from holdfast.db.batch.loaders import LOADERS, ORDER_OF_KIND, Probe, is_id
from holdfast.db.batch.lot_queries import COLUMNS
from holdfast.db.batch.rows import record_of, row_type
from holdfast.db.batch.session import EXPIRED_FIRST, BatchSession, Loaded, Query, Row
from holdfast.db.exact_sum import exact, exact_sum_sql
from holdfast.db.failures import Conflict

WRITER_CATALOGS_MAX = 256
"""Organisations whose catalog one writer keeps."""

PRODUCTS_MAX = 200_000
"""Products (by id and by SKU) that one catalog keeps before it starts anew."""

EXPIRED_MORE = 2_000
"""Expired holds of one level that are brought in when a decision asks for more."""

_LEVEL, _HOLD = row_type(Level), row_type(Reservation)


class NoOrganisation(LookupError):
    """There is no organisation with that id."""


class WriterCatalogs:
    """The catalogs of the organisations that one writer works for; only its own thread touches them.

    Reads keep others (`db.queries.catalog.ReadCatalogs`); decision 0036 says why.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Catalog] = OrderedDict()

    def of(self, session: BatchSession, org_id: str) -> Catalog:
        """The organisation's catalog, read when it is not known."""
        known = self._known.get(org_id)
        if known is None or len(known.products) > PRODUCTS_MAX:
            known = self._known[org_id] = _read_catalog(session, org_id)
            while len(self._known) > WRITER_CATALOGS_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(org_id)
        return known

    def forget(self, org_id: str) -> None:
        """Read the catalog anew next time."""
        self._known.pop(org_id, None)


def _read_catalog(session: BatchSession, org_id: str) -> Catalog:
    found = _records(session, "organisation", Settings, "org_id = :org", org=org_id)
    if not found:
        raise NoOrganisation(org_id)
    catalog = Catalog(found[0])
    for place in _records(session, "store", Store, "org_id = :org", org=org_id):
        catalog.put_store(place)
    for place in _records(session, "location", Location, "org_id = :org", org=org_id):
        catalog.put_location(place)
    for rate in _records(session, "tax_rate", TaxRate, "org_id = :org AND active", org=org_id):
        catalog.put_tax_rate(rate)
    return catalog


def load_products(session: BatchSession, catalog: Catalog, org_id: str, references: Iterable[str]) -> None:
    """Bring the products with those ids or SKUs into the catalog; the others are known not to exist."""
    wanted = sorted(references)
    for column in ("id", "sku"):
        named = {name.lower() if column == "id" else name: name for name in wanted if is_id(name) == (column == "id")}
        for product in _products(session, org_id, column, list(named)):
            catalog.put_product(product)
            catalog.products[named[getattr(product, column)]] = product
    catalog.unknown.update(name for name in wanted if name not in catalog.products)


def _products(session: BatchSession, org_id: str, column: str, names: list[str]) -> list[Product]:
    """The products with those ids or SKUs, by one index probe a name, whatever the statistics say."""
    if not names:
        return []
    table = schema.product
    columns = [str(column.name) for column in table.c]
    if session.dialect == "postgresql":
        of = "uuid" if column == "id" else "text"
        source = (
            f"json_array_elements_text(:names::json) AS k (name) CROSS JOIN LATERAL "
            f"(SELECT * FROM product WHERE org_id = :org::uuid AND {column} = k.name::{of} OFFSET 0) p"
        )
    else:
        source = f"json_each(:names) k CROSS JOIN product p ON p.org_id = :org AND p.{column} = k.value"
    rows = session.fetch(
        f"SELECT {', '.join(f'p.{name}' for name in columns)} FROM {source}",
        org=org_id,
        names=msgspec.json.encode(names).decode(),
    )
    return [record_of(Product, dict(zip(columns, row, strict=True)), table) for row in rows]


def _records(session: BatchSession, kind: str, struct: type[Any], where: str, **parameters: Any) -> list[Any]:
    columns = ", ".join(str(column.name) for column in schema.metadata.tables[kind].c)
    return _records_of(kind, struct, session.fetch(f"SELECT {columns} FROM {kind} WHERE {where}", **parameters))


def _records_of(kind: str, struct: type[Any], rows: list[Row]) -> list[Any]:
    table = schema.metadata.tables[kind]
    names = [str(column.name) for column in table.c]
    return [record_of(struct, dict(zip(names, row, strict=True)), table) for row in rows]


def is_written(session: BatchSession, org_id: str, batch_id: str) -> bool:
    """Did the batch with that id commit? Its row of events is the proof."""
    query = "SELECT id FROM event_batch WHERE org_id = :org AND id = :id"
    return bool(session.fetch(query, org=org_id, id=batch_id))


def answers_of(session: BatchSession, org_id: str, keys: Iterable[str]) -> list[Row]:
    """The kept answers to these idempotency keys as they stand now: (key, fingerprint, status, body)."""
    probe = Probe("answered", (("key", "text"),), "t.fingerprint, t.status, t.body")
    query = probe.query(session.dialect, org_id, ((key,) for key in keys))
    return session.fetch(query.sql, **query.parameters)


def begin(
    session: BatchSession,
    org_id: str,
    catalog: Catalog,
    wants: set[Want],
    keys: list[str],
    new_id: Callable[[], str],
    *,
    hurried: bool = False,
) -> tuple[Stock, Loaded]:
    """Begin a transaction with the wanted levels and holds; the Stock, and the raw rows with answers and version.

    A `hurried` one waits only shortly for locks that others hold (Blocked).
    """
    of_kind = _by_kind(wants)
    pairs: list[LevelKey] = sorted((want.product_id, want.location_id) for want in of_kind.pop(LevelAt, ()))
    taken = sorted(want.line_id for want in of_kind.pop(PlacesOfTaken, ()) if is_id(want.line_id))
    holds = sorted(want.reservation_id for want in of_kind.pop(HoldById, ()) if is_id(want.reservation_id))
    sales = sorted(want.sale_id for want in of_kind.get(SaleById, ()) if is_id(want.sale_id))
    later = {kind: of_kind.pop(kind) for kind in list(of_kind) if kind not in LOADERS}
    parts = [(kind, asked, LOADERS[kind].queries(session.dialect, org_id, asked)) for kind, asked in of_kind.items()]
    queries = [query for _, _, own in parts for query in own]
    loaded = session.begin(org_id, pairs, holds, keys, sales, taken, queries, hurried=hurried)
    stock = Stock(org_id, catalog, loaded.now, new_id)
    stock.random_bits = secrets.randbits
    stock.locked.update(pairs)
    for row in loaded.levels:
        level = _LEVEL.read(row)
        key = (level.product_id, level.location_id)
        stock.locked.add(key)
        stock.levels[key] = stock.level_of_id[level.id] = level
        stock.lots_at[level.id] = {}
    latest = max((level.updated_at for level in stock.levels.values()), default=0)
    if latest > stock.now:  # the clock was set back
        stock.new_id = ids_from(latest)
    lots.take_first(stock, loaded.lots)
    for row in loaded.holds:
        stock.know_hold(_HOLD.read(row))
    stock.loaded.update(want for want in wants if type(want) is HoldById)
    stock.roaming_products.update(loaded.roaming_products)
    _put_expired(stock, loaded.expired)
    if len(loaded.expired) == EXPIRED_FIRST:
        stock.more_expired.update(stock.level_of_id)
    rows = iter(loaded.also)
    for kind, asked, own in parts:
        _take(stock, kind, asked, [next(rows) for _ in own])
    if stock.windows:
        _load_beyond(session, stock)
    if later:
        load_more(session, stock, [want for asked in later.values() for want in asked])
    return stock, loaded


def _by_kind(wants: Iterable[Want]) -> dict[type[Want], list[Any]]:
    """Wants by their kind, in the order of the loaders."""
    of_kind: dict[type[Want], list[Any]] = {}
    for want in wants:
        of_kind.setdefault(type(want), []).append(want)
    return {kind: of_kind[kind] for kind in sorted(of_kind, key=lambda kind: ORDER_OF_KIND.get(kind, -1))}


def _take(stock: Stock, kind: type[Want], asked: list[Any], rows: list[list[Row]]) -> None:
    LOADERS[kind].take(stock, asked, rows)
    stock.loaded.update(asked)


def _put_expired(stock: Stock, rows: list[Row]) -> None:
    for row in rows:
        hold = _HOLD.read(row)
        if hold.level_id not in stock.level_of_id:
            raise Conflict("a level was begun between the lock and the load")
        stock.know_hold(hold)
        stock.expired_read[hold.level_id] = stock.expired_read.get(hold.level_id, 0) + 1


def load_more(session: BatchSession, stock: Stock, wants: Iterable[Want]) -> None:
    """Bring in what a decision asked for, in the transaction that is open; levels are not among it."""
    parts: list[tuple[type[Want], list[Any], list[Query]]] = []
    for kind, asked in _by_kind(wants).items():
        if kind in LOADERS:
            parts.append((kind, asked, LOADERS[kind].queries(session.dialect, stock.org_id, asked)))
        else:
            SEPARATE[kind](session, stock, asked)
            if kind not in (ExpiredHoldsAt, LotsAt):  # the next ones may be asked for again
                stock.loaded.update(asked)
    rows = iter(session.fetch_all([query for _, _, own in parts for query in own]))
    for kind, asked, own in parts:
        _take(stock, kind, asked, [next(rows) for _ in own])
    if stock.unbacked:
        named = _take_unbacked(stock)
        _take(stock, LotAt, named, session.fetch_all(lots.named_queries(session.dialect, stock.org_id, named)))


def _take_unbacked(stock: Stock) -> list[LotAt]:
    """The lots that back the loaded holds and are not loaded: nobody has to ask for them."""
    named, stock.unbacked = list(stock.unbacked), set()
    return named


def _load_beyond(session: BatchSession, stock: Stock) -> None:
    """What else is needed of levels with many lots, and the lots that back the loaded holds there."""
    named = _take_unbacked(stock)
    queries = lots.queries_beyond(stock, session.dialect)
    backing = lots.named_queries(session.dialect, stock.org_id, named) if named else []
    rows = session.fetch_all([*queries, *backing])
    lots.take_beyond(stock, rows[: len(queries)])
    if named:
        _take(stock, LotAt, named, rows[len(queries) :])


def _load_named_products(session: BatchSession, stock: Stock, asked: list[ProductNamed]) -> None:
    load_products(session, stock.catalog, stock.org_id, [want.reference for want in asked])


def _load_more_lots(session: BatchSession, stock: Stock, asked: list[LotsAt]) -> None:
    queries = lots.more_queries(stock, session.dialect, asked)
    lots.take_more(stock, asked, session.fetch_all(queries))


def _load_expired_of(session: BatchSession, stock: Stock, asked: list[ExpiredHoldsAt]) -> None:
    for want in asked:
        _load_expired(session, stock, want.level_id)


def _load_expired(session: BatchSession, stock: Stock, level_id: str) -> None:
    sql = (
        f"SELECT {_HOLD.select} FROM reservation WHERE org_id = :org AND level_id = :one AND status = 'active' "
        f"AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at, id "
        f"LIMIT {EXPIRED_MORE} OFFSET :known"
    )
    known = stock.expired_read.get(level_id, 0)
    rows = session.fetch(sql, org=stock.org_id, one=level_id, now=stock.now, known=known)
    _put_expired(stock, rows)
    if len(rows) < EXPIRED_MORE:
        stock.more_expired.discard(level_id)


def _load_dated_lots(session: BatchSession, stock: Stock, asked: list[LotsWithDay]) -> None:
    for want in asked:
        _load_dated_lots_of(session, stock, want.store_id)


def _load_dated_lots_of(session: BatchSession, stock: Stock, store: str) -> None:
    """Lots with a day of expiry that lie in the store. Its locations and all their levels are locked, these in the
    global order: goods on their way in wait, and then see the changed catalog. (Whatever else the batch has locked
    may be out of that order; a deadlock is a Conflict, and a batch that is split ends with this command alone.)
    """
    org = stock.org_id
    there = session.fetch(
        "SELECT id FROM location WHERE org_id = :org AND store_id = :one FOR UPDATE", org=org, one=store
    )
    if any(row[0] not in stock.catalog.locations for row in there):
        raise Conflict("the store got a location between the lock and the load")
    places = "location_id IN (SELECT id FROM location WHERE org_id = :org AND store_id = :one)"
    locked = f"SELECT id FROM level WHERE org_id = :org AND {places} ORDER BY product_id, location_id FOR UPDATE"
    session.fetch(locked, org=org, one=store)
    dated = (
        f"SELECT {COLUMNS} FROM lot_stock s JOIN lot t ON t.org_id = s.org_id "
        f"AND t.id = s.lot_id WHERE s.org_id = :org AND s.is_open AND s.sellable_until IS NOT NULL AND s.{places} "
        "AND t.expires_on IS NOT NULL"
    )
    for row in session.fetch(dated, org=org, one=store):
        stock.lots_at.setdefault(row[0], {})
        lots.put_lot(stock, row)


def _load_balances(session: BatchSession, stock: Stock, asked: list[BalancesThrough]) -> None:
    for want in asked:
        stock.answers[want] = _balances_through(session, stock, want.day)


def _balances_through(session: BatchSession, stock: Stock, through: str) -> list[str]:
    """What each account has come to through a day: `AccountSums` each.

    It is read while the organisation's row is locked: nobody who would post on a day before can commit meanwhile.
    """
    where = "org_id = :org AND id < :through ORDER BY id DESC LIMIT 1"
    before: list[Period] = _records(session, "period", Period, where, org=stock.org_id, through=through)
    last = before[0].id if before else ""
    sums = {account: (debit, credit) for one in before for account, debit, credit in one.balances}
    debits, credits = (
        exact_sum_sql(f"CASE WHEN amount {sign} 0 THEN {told} ELSE 0 END", is_sqlite=session.dialect == "sqlite")
        for sign, told in ((">", "amount"), ("<", "-amount"))
    )
    sql = (
        f"SELECT account, {debits}, {credits} FROM posting "
        "WHERE org_id = :org AND day > :last AND day <= :through GROUP BY account"
    )
    for account, debit, credit in session.fetch(sql, org=stock.org_id, last=last, through=through):
        known = sums.get(account, (0, 0))
        sums[account] = (known[0] + exact(debit), known[1] + exact(credit))
    return [answer_text(AccountSums(account, debit, credit)) for account, (debit, credit) in sums.items()]


SEPARATE: dict[type[Want], Callable[[BatchSession, Stock, list[Any]], None]] = {
    ProductNamed: _load_named_products,
    ExpiredHoldsAt: _load_expired_of,
    LotsAt: _load_more_lots,
    LotsWithDay: _load_dated_lots,
    BalancesThrough: _load_balances,
}
"""Wants with a loader that needs more than one query's rows."""
