"""Loading: what a batch needs becomes a Stock (step one of load, decide, save).

`begin` makes a Stock with its levels locked, `load_more` answers what a decision asked for (`Missing`), `Catalogs`
keeps each organisation's settings, stores, locations and used products as of a catalog version.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from holdfast.core import catalog as records
from holdfast.core import count_sheet, order, receiving, transfer
from holdfast.core.holding import Level, LevelKey, Lot, LotStock, Reservation
from holdfast.core.journal import Account
from holdfast.core.lookup import Catalog, Want
from holdfast.core.period import Period
from holdfast.core.product import Location, Product, Settings, Store, TaxRate
from holdfast.core.register import RegisterSession
from holdfast.core.returns import Return
from holdfast.core.sale import Counter, Sale, SaleLine
from holdfast.core.stock import Stock
from holdfast.core.supplier import SupplierOrder
from holdfast.db import schema
from holdfast.db.rows import record_of, row_type
from holdfast.db.session import DEAD_MAX, STOCK_WIDTH, Conflict, Loaded, Query, Row, Session

CATALOGS_MAX = 256
"""Organisations whose catalog one process keeps."""

PRODUCTS_MAX = 200_000
"""Products (by id and by SKU) that one catalog keeps before it starts anew."""

DEAD_MORE = 2_000
"""Expired holds of one level that are brought in when a decision asks for more."""

_LEVEL, _STOCK, _LOT, _HOLD = row_type(Level), row_type(LotStock), row_type(Lot), row_type(Reservation)

DOCUMENTS: dict[str, type[Any]] = {
    **records.KINDS,
    "appointment": order.Appointment,
    "receipt": receiving.Receipt,
    "count_sheet": count_sheet.CountSheet,
    "transfer": transfer.Transfer,
    "audit": records.Audit,
    "counter": Counter,
    "account": Account,
    "period": Period,
}
"""The struct of every document, by its table's name."""


class NoOrganisation(LookupError):
    """There is no organisation with that id."""


class Catalogs:
    """The catalogs of the organisations that a process works for."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Catalog] = OrderedDict()

    def of(self, session: Session, org_id: str) -> Catalog:
        """The organisation's catalog, read when it is not known."""
        known = self._known.get(org_id)
        if known is None or len(known.products) > PRODUCTS_MAX:
            known = self._known[org_id] = _read_catalog(session, org_id)
            while len(self._known) > CATALOGS_MAX:
                self._known.popitem(last=False)
        self._known.move_to_end(org_id)
        return known

    def forget(self, org_id: str) -> None:
        """Read the catalog anew next time."""
        self._known.pop(org_id, None)


def _read_catalog(session: Session, org_id: str) -> Catalog:
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


def load_products(session: Session, catalog: Catalog, org_id: str, references: Iterable[str]) -> None:
    """Bring the products with those ids or SKUs into the catalog; the others are known not to exist."""
    wanted = sorted(references)
    for column in ("id", "sku"):
        named = {name.lower() if column == "id" else name: name for name in wanted if _is_id(name) == (column == "id")}
        for product in _products(session, org_id, column, list(named)):
            catalog.put_product(product)
            catalog.products[named[getattr(product, column)]] = product
    catalog.unknown.update(name for name in wanted if name not in catalog.products)


def _products(session: Session, org_id: str, column: str, names: list[str]) -> list[Product]:
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


def _is_id(reference: str) -> bool:
    """Does the text look like a UUID? (A SKU may not.)"""
    return len(reference) == 36 and reference.count("-") == 4 and set(reference) <= _ID_CHARACTERS


_ID_CHARACTERS = set("0123456789abcdefABCDEF-")


def _records(session: Session, kind: str, struct: type[Any], where: str, **parameters: Any) -> list[Any]:
    columns = ", ".join(str(column.name) for column in schema.metadata.tables[kind].c)
    return _records_of(kind, struct, session.fetch(f"SELECT {columns} FROM {kind} WHERE {where}", **parameters))


def _records_of(kind: str, struct: type[Any], rows: list[Row]) -> list[Any]:
    table = schema.metadata.tables[kind]
    names = [str(column.name) for column in table.c]
    return [record_of(struct, dict(zip(names, row, strict=True)), table) for row in rows]


class _AtOnce(NamedTuple):
    """A want that one query answers: the query, and what its rows tell the stock."""

    query: Callable[[str, Want], Query]
    take: Callable[[Stock, Want, list[Row]], None]


def is_written(session: Session, org_id: str, batch_id: str) -> bool:
    """Did the batch with that id commit? Its row of events is the proof."""
    query = "SELECT id FROM event_batch WHERE org_id = :org AND id = :id"
    return bool(session.fetch(query, org=org_id, id=batch_id))


def begin(
    session: Session,
    org_id: str,
    catalog: Catalog,
    wants: set[Want],
    keys: list[str],
    new_id: Callable[[], str],
) -> tuple[Stock, Loaded]:
    """Begin a transaction with the wanted levels and holds; the Stock, and the raw rows with answers and version."""
    pairs: list[LevelKey] = sorted((want[1], want[2]) for want in wants if want[0] == "level")
    holds = sorted(want[1] for want in wants if want[0] == "hold" and _is_id(want[1]))
    sales = sorted(want[1] for want in wants if want[0] == "sale" and _is_id(want[1]))
    taken = sorted(want[1] for want in wants if want[0] == "taken" and _is_id(want[1]))
    others = sorted(want for want in wants if want[0] in _AT_ONCE and not _names_nothing(want))
    queries = [_AT_ONCE[want[0]].query(org_id, want) for want in others]
    loaded = session.begin(org_id, pairs, holds, keys, sales, taken, queries)
    stock = Stock(org_id, catalog, loaded.now, new_id)
    stock.locked.update(pairs)
    for row in loaded.levels:
        level = _LEVEL.read(row)
        key = (level.product_id, level.location_id)
        stock.locked.add(key)
        stock.levels[key] = stock.level_of_id[level.id] = level
        stock.lots_at[level.id] = {}
    for row in loaded.lots:
        if row[0] not in stock.level_of_id:
            raise Conflict("a level was begun between the lock and the load")
        _put_lot(stock, row)
    for row in loaded.holds:
        hold = _HOLD.read(row)
        stock.reservations[hold.id] = hold
    stock.loaded.update(want for want in wants if want[0] in ("level", "hold"))
    _put_dead(stock, loaded.dead)
    if len(loaded.dead) == DEAD_MAX:
        stock.more_dead.update(stock.level_of_id)
    for want, rows in zip(others, loaded.also, strict=True):
        _AT_ONCE[want[0]].take(stock, want, rows)
        stock.loaded.add(want)
    if sales:
        _load_sales(session, stock, sales)
    return stock, loaded


def _put_lot(stock: Stock, row: Row) -> None:
    at, lot = _STOCK.read(row[:STOCK_WIDTH]), _LOT.read(row[STOCK_WIDTH:])
    stock.lots.setdefault(lot.id, lot)
    stock.lots_at[at.level_id].setdefault(at.lot_id, at)


def _put_dead(stock: Stock, rows: list[Row]) -> None:
    for row in rows:
        hold = _HOLD.read(row)
        if hold.level_id not in stock.level_of_id:
            raise Conflict("a level was begun between the lock and the load")
        stock.reservations.setdefault(hold.id, hold)
        stock.dead.setdefault(hold.level_id, []).append(hold.id)


_HOLD_QUERIES = {
    "waiting": "level_id = :one AND backordered > 0",
    "holds": "level_id = :one AND status = 'active'",
    "adhoc": "level_id = :one AND status = 'active' AND held_for = 'adhoc'",
    "order": "order_number = :one",
    "target": "reserved_for_id = :one AND status = 'active'",
    "hold": "id = :one",
}
"""Wants that are answered by reservations."""

_BY_ID = ("hold", "record", "target", "lot", "lot_places", "sale", "sale_of_line", "session", "supplier_order")
"""Wants that end with an id: what does not look like one does not exist."""


def _names_nothing(want: Want) -> bool:
    return want[0] in _BY_ID and not _is_id(want[-1]) and want[1] not in ("counter", "account", "period")


_EXISTS = {
    "priced": "SELECT id FROM product WHERE org_id = :org AND org_id = :one LIMIT 1",
    "booked": "SELECT id FROM journal_entry WHERE org_id = :org AND org_id = :one LIMIT 1",
    "sale_of_line": "SELECT sale_id FROM sale_line WHERE org_id = :org AND id = :one AND NOT removed",
    "stocked_product": "SELECT id FROM level WHERE org_id = :org AND product_id = :one LIMIT 1",
    "sold_unstocked": "SELECT id FROM sale_line WHERE org_id = :org AND product_id = :one AND kind <> 'stock' LIMIT 1",
    "lot_places": "SELECT location_id FROM lot_stock WHERE org_id = :org AND lot_id = :one AND is_open",
    "coming": "SELECT id FROM transfer WHERE org_id = :org AND to_location_id = :one AND status = 'shipped'",
    "places_of_kind": "SELECT id FROM location WHERE org_id = :org AND kind = :one AND active",
    "carts": "SELECT id FROM sale WHERE org_id = :org AND session_id = :one AND status = 'open'",
    "registers": "SELECT id FROM register WHERE org_id = :org AND store_id = :one AND active ORDER BY id FOR UPDATE",
    "pin": "SELECT id FROM app_user WHERE org_id = :org AND pin_hash = :one AND active",
}
"""Wants that are answered by ids."""


def load_more(session: Session, stock: Stock, want: Want) -> None:
    """Bring in what a decision asked for, in the transaction that is open; levels are not among it."""
    kind = want[0]
    org = stock.org_id
    if kind == "product":
        load_products(session, stock.catalog, org, want[1:])
        return
    if _names_nothing(want):
        stock.loaded.add(want)
        return
    if kind in _HOLD_QUERIES:
        sql = f"SELECT {_HOLD.select} FROM reservation WHERE org_id = :org AND {_HOLD_QUERIES[kind]}"
        rows = session.fetch(sql, org=org, one=want[1])
        for row in rows:
            hold = _HOLD.read(row)
            stock.reservations.setdefault(hold.id, hold)
        stock.answers[want] = [str(row[0]) for row in rows]
    elif kind in _EXISTS:
        stock.answers[want] = [str(row[0]) for row in session.fetch(_EXISTS[kind], org=org, one=want[1])]
    elif kind == "dead":
        _load_dead(session, stock, want[1])
        return
    elif kind in _AT_ONCE:
        query = _AT_ONCE[kind].query(org, want)
        _AT_ONCE[kind].take(stock, want, session.fetch(query.sql, **query.parameters))
    else:
        _OTHER[kind](session, stock, want)
    stock.loaded.add(want)


def _load_dead(session: Session, stock: Stock, level_id: str) -> None:
    sql = (
        f"SELECT {_HOLD.select} FROM reservation WHERE org_id = :org AND level_id = :one AND status = 'active' "
        f"AND expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at, id "
        f"LIMIT {DEAD_MORE} OFFSET :known"
    )
    known = len(stock.dead.get(level_id, ()))
    rows = session.fetch(sql, org=stock.org_id, one=level_id, now=stock.now, known=known)
    _put_dead(stock, rows)
    if len(rows) < DEAD_MORE:
        stock.more_dead.discard(level_id)


def _load_lot(session: Session, stock: Stock, want: Want) -> None:
    sql = f"SELECT {_LOT.select} FROM lot WHERE org_id = :org AND id = :one FOR UPDATE"
    for row in session.fetch(sql, org=stock.org_id, one=want[1]):
        stock.lots.setdefault(row[0], _LOT.read(row))


def _load_lots_of_code(session: Session, stock: Stock, want: Want) -> None:
    where = "org_id = :org AND product_id = :one AND code = :code ORDER BY id FOR UPDATE"
    sql = f"SELECT {_LOT.select} FROM lot WHERE {where}"
    rows = session.fetch(sql, org=stock.org_id, one=want[1], code=want[2])
    for row in rows:
        stock.lots.setdefault(row[0], _LOT.read(row))
    stock.answers[want] = [row[0] for row in rows]


def _load_lot_at(session: Session, stock: Stock, want: Want) -> None:
    sql = f"SELECT {_STOCK.select} FROM lot_stock WHERE org_id = :org AND level_id = :one AND lot_id = :lot"
    for row in session.fetch(sql, org=stock.org_id, one=want[1], lot=want[2]):
        stock.lots_at[want[1]].setdefault(want[2], _STOCK.read(row))


def _load_stocked_location(session: Session, stock: Stock, want: Want) -> None:
    """Levels of the location that are not empty; all are locked: goods on their way into an empty one wait, and then
    see the changed catalog."""
    sql = (
        "SELECT id, on_hand, backordered FROM level WHERE org_id = :org AND location_id = :one "
        "ORDER BY product_id FOR UPDATE"
    )
    rows = session.fetch(sql, org=stock.org_id, one=want[1])
    stock.answers[want] = [level_id for level_id, on_hand, backordered in rows if on_hand or backordered]


def _load_dated_lots(session: Session, stock: Stock, want: Want) -> None:
    """Lots with a day of expiry that lie in the store. Its locations and all their levels are locked, these in the
    global order: goods on their way in wait, and then see the changed catalog. (Whatever else the batch has locked
    may be out of that order; a deadlock is a Conflict, and a batch that is split ends with this command alone.)
    """
    org, store = stock.org_id, want[1]
    there = session.fetch(
        "SELECT id FROM location WHERE org_id = :org AND store_id = :one FOR UPDATE", org=org, one=store
    )
    if any(row[0] not in stock.catalog.locations for row in there):
        raise Conflict("the store got a location between the lock and the load")
    places = "location_id IN (SELECT id FROM location WHERE org_id = :org AND store_id = :one)"
    locked = f"SELECT id FROM level WHERE org_id = :org AND {places} ORDER BY product_id, location_id FOR UPDATE"
    session.fetch(locked, org=org, one=store)
    dated = (
        f"SELECT {_STOCK.select_as('s')}, {_LOT.select_as('t')} FROM lot_stock s JOIN lot t ON t.org_id = s.org_id "
        f"AND t.id = s.lot_id WHERE s.org_id = :org AND s.is_open AND s.sellable_until IS NOT NULL AND s.{places} "
        "AND t.expires_on IS NOT NULL"
    )
    for row in session.fetch(dated, org=org, one=store):
        stock.lots_at.setdefault(row[0], {})
        _put_lot(stock, row)


def _load_cost(session: Session, stock: Stock, want: Want) -> None:
    sql = "SELECT unit_cost FROM product_cost WHERE org_id = :org AND product_id = :one"
    for row in session.fetch(sql, org=stock.org_id, one=want[1]):
        stock.costs.setdefault(want[1], row[0])


def _query_of_record(org_id: str, want: Want) -> Query:
    _, kind, name = want
    key = "org_id" if kind == "organisation" else "id"
    columns = ", ".join(str(column.name) for column in schema.metadata.tables[kind].c)
    sql = f"SELECT {columns} FROM {kind} WHERE org_id = :org AND {key} = :name FOR UPDATE"
    return Query(sql, {"org": org_id, "name": name})


def _take_record(stock: Stock, want: Want, rows: list[Row]) -> None:
    _, kind, name = want
    for record in _records_of(kind, DOCUMENTS[kind], rows):
        stock.records.setdefault((kind, name), record)


def _load_named(session: Session, stock: Stock, want: Want) -> None:
    _, kind, name = want
    active = "" if kind == "product" else " AND active"
    sql = f"SELECT id FROM {kind} WHERE org_id = :org AND {records.NAMES[kind]} = :name{active}"
    stock.answers[want] = [row[0] for row in session.fetch(sql, org=stock.org_id, name=name)]


def _load_gtin(session: Session, stock: Stock, want: Want) -> None:
    """Active products with one of the spellings of a number."""
    marks = {f"n{number}": spelling for number, spelling in enumerate(want[1:])}
    sql = (
        f"SELECT id FROM product WHERE org_id = :org AND active AND gtin IN ({', '.join(':' + mark for mark in marks)})"
    )
    stock.answers[want] = [str(row[0]) for row in session.fetch(sql, org=stock.org_id, **marks)]


def _load_owners(session: Session, stock: Stock, want: Want) -> None:
    """Active users and keys that own the whole organisation."""
    where = "org_id = :org AND active AND role = 'owner'"
    found = [
        record
        for kind in ("app_user", "api_key")
        for record in _records(session, kind, records.KINDS[kind], where, org=stock.org_id)
    ]
    stock.answers[want] = [record.id for record in found if not record.stores]


def _load_sheets(session: Session, stock: Stock, want: Want) -> None:
    where = "org_id = :org AND location_id = :one AND status = 'draft' FOR UPDATE"
    sheets = _records(session, "count_sheet", count_sheet.CountSheet, where, org=stock.org_id, one=want[1])
    for sheet in sheets:
        stock.records.setdefault(("count_sheet", sheet.id), sheet)
    stock.answers[want] = [sheet.id for sheet in sheets]


def _load_sales(session: Session, stock: Stock, sale_ids: list[str]) -> None:
    """Sales, locked in the order of their ids, with their lines, supplier orders and active holds."""
    names = msgspec.json.encode(sale_ids).decode()
    for struct, column, more in (
        (Sale, "id", " ORDER BY t.id FOR UPDATE OF t"),
        (SaleLine, "sale_id", ""),
        (SupplierOrder, "sale_id", ""),
    ):
        rows = row_type(struct)
        sql = _named(session, rows.table.name, rows.select_as("t"), column, more)
        for row in session.fetch(sql, org=stock.org_id, names=names):
            stock.know_row(rows.read(row))
    sql = _named(session, "reservation", _HOLD.select_as("t"), "reserved_for_id", " AND t.status = 'active'")
    aimed: dict[str | None, list[str]] = {name: [] for name in sale_ids}
    for row in session.fetch(sql, org=stock.org_id, names=names):
        hold = _HOLD.read(row)
        hold = stock.reservations.setdefault(hold.id, hold)
        aimed[hold.reserved_for_id].append(hold.id)
    for name in sale_ids:
        stock.answers["target", name] = aimed[name]
        stock.loaded.update((("sale", name), ("target", name)))


def _named(session: Session, table: str, columns: str, column: str, more: str) -> str:
    """A query for the rows whose `column` is one of the ids in the JSON list `:names`."""
    if session.dialect == "postgresql":
        names = "SELECT value::uuid FROM json_array_elements_text(:names::json)"
        return f"SELECT {columns} FROM {table} t WHERE t.org_id = :org AND t.{column} IN ({names}){more}"
    source = f"json_each(:names) k CROSS JOIN {table} t ON t.org_id = :org AND t.{column} = k.value"
    return f"SELECT {columns} FROM {source}{more.replace(' FOR UPDATE OF t', '')}"


def _load_sale(session: Session, stock: Stock, want: Want) -> None:
    _load_sales(session, stock, [want[1]])


def _load_sale_of_order(session: Session, stock: Stock, want: Want) -> None:
    sql = "SELECT id FROM sale WHERE org_id = :org AND source = :source AND order_number = :number"
    stock.answers[want] = [row[0] for row in session.fetch(sql, org=stock.org_id, source=want[1], number=want[2])]


def _rows_where(struct: type[Any], where: str) -> _AtOnce:
    """Rows of sales or books, locked."""
    rows = row_type(struct)
    sql = f"SELECT {rows.select} FROM {rows.table.name} WHERE org_id = :org AND {where} FOR UPDATE"

    def take(stock: Stock, _: Want, found: list[Row]) -> None:
        for row in found:
            stock.know_row(rows.read(row))

    return _AtOnce(lambda org_id, want: Query(sql, {"org": org_id, "one": want[1]}), take)


def _load_balances(session: Session, stock: Stock, want: Want) -> None:
    """What each account has come to through a day: "account debits credits" each.

    It is read while the organisation's row is locked: nobody who would post on a day before can commit meanwhile.
    """
    _, through = want
    where = "org_id = :org AND id < :through ORDER BY id DESC LIMIT 1"
    before: list[Period] = _records(session, "period", Period, where, org=stock.org_id, through=through)
    last = before[0].id if before else ""
    sums = {account: (debit, credit) for one in before for account, debit, credit in one.balances}
    sql = (
        "SELECT account, sum(CASE WHEN amount > 0 THEN amount ELSE 0 END), "
        "sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) FROM posting "
        "WHERE org_id = :org AND day > :last AND day <= :through GROUP BY account"
    )
    for account, debit, credit in session.fetch(sql, org=stock.org_id, last=last, through=through):
        known = sums.get(account, (0, 0))
        sums[account] = (known[0] + int(debit), known[1] + int(credit))
    stock.answers[want] = [f"{account} {debit} {credit}" for account, (debit, credit) in sums.items()]


_OTHER: dict[str, Callable[[Session, Stock, Want], None]] = {
    "lot": _load_lot,
    "lot_code": _load_lots_of_code,
    "lot_at": _load_lot_at,
    "cost": _load_cost,
    "stocked_location": _load_stocked_location,
    "dated_lots": _load_dated_lots,
    "named": _load_named,
    "gtin": _load_gtin,
    "owners": _load_owners,
    "sheets": _load_sheets,
    "sale": _load_sale,
    "sale_of_order": _load_sale_of_order,
    "balances": _load_balances,
}
"""Wants with a loader of their own."""

_AT_ONCE: dict[str, _AtOnce] = {
    "record": _AtOnce(_query_of_record, _take_record),
    "session": _rows_where(RegisterSession, "id = :one"),
    "sessions": _rows_where(
        RegisterSession,
        "register_id = :one AND number = (SELECT max(number) FROM register_session "
        "WHERE org_id = :org AND register_id = :one)",
    ),
    "returns": _rows_where(Return, "sale_id = :one"),
    "supplier_order": _rows_where(SupplierOrder, "id = :one"),
}
"""Wants that one query answers; those that are known before it begins, a transaction asks together with its locks."""
