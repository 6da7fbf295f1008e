"""Loaders: how the database answers each kind of want (`holdfast.core.records.wants`), all wants of a kind together.

    LOADERS[LotAt].queries(dialect, org_id, [LotAt(level, lot), LotAt(level, other)])   -> one query
    LOADERS[HoldsOfOrder].take(stock, wants, rows)     -> the stock knows the holds, and their ids

`LOADERS` has a loader for each kind but those of `load.SEPARATE`, and those in `AT_BEGINNING`, which only a
transaction's first statement can answer, because it locks levels in one global order. The queries of wants that are
known before a transaction begins travel with its locks, in one round trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from holdfast.core.organisation import changes as records
from holdfast.core.records import wants
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.stock import Lot, Reservation
from holdfast.core.records.wants import Want
from holdfast.core.sales.gift_cards import GiftCard
from holdfast.core.sales.register import RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.posting import Stock
from holdfast.db import schema
from holdfast.db.batch import entry_queries, key_queries, lots, order_queries, owners
from holdfast.db.batch.documents import DOCUMENTS
from holdfast.db.batch.rows import record_of, row_type
from holdfast.db.batch.session import Query, Row
from holdfast.db.failures import Conflict

_LOT, _HOLD = row_type(Lot), row_type(Reservation)

NATURAL_KEYS = ("counter", "account", "period")
"""Documents whose key is a text of ours, no UUID."""

AT_BEGINNING: frozenset[type[Want]] = frozenset({wants.LevelAt, wants.PlacesOfTaken})
"""Wants that lock levels: a transaction that needs more of them begins again."""

_ID_CHARACTERS = set("0123456789abcdefABCDEF-")


def is_id(reference: str) -> bool:
    """Does the text look like a UUID? (A SKU may not.)"""
    return len(reference) == 36 and reference.count("-") == 4 and set(reference) <= _ID_CHARACTERS


class Loader(NamedTuple):
    """How one kind of want is answered: the queries for a list of them, and what their rows tell the stock."""

    queries: Callable[[str, str, Sequence[Any]], list[Query]]
    """(dialect, organisation id, wants) -> queries."""
    take: Callable[[Stock, Sequence[Any], list[list[Row]]], None]
    """(stock, wants, the rows of each query)."""


class Probe(NamedTuple):
    """A query by index: the rows of a table whose key columns equal the fields of a want, for each of many wants.

    `keys` are (column, type) in the order of the want's fields; a type of `uuid` lets other texts name nothing.
    `select` are columns of the table's alias t; `where` says more of t. `lock` locks the rows, `share` together with
    others who only want them to stay as they are. With `most` a want is answered by the first so many rows alone, by id
    where its index has them in that order.
    """

    table: str
    keys: tuple[tuple[str, str], ...]
    select: str
    where: str = ""
    lock: bool = False
    share: bool = False
    exists: bool = False
    most: int = 0

    def query(self, dialect: str, org_id: str, values: Iterable[Sequence[Any]]) -> Query:
        """The query for these key values; its rows begin with the key values as texts."""
        named = [value for value in values if self._may_exist(value)] if self._names_ids else values
        names = msgspec.json.encode(sorted(named)).decode()
        return Query(self._sql(dialect), {"org": org_id, "names": names})

    @property
    def _names_ids(self) -> bool:
        return any(kind == "uuid" for _, kind in self.keys)

    def _may_exist(self, value: Sequence[Any]) -> bool:
        return all(kind != "uuid" or is_id(part) for (_, kind), part in zip(self.keys, value, strict=True))

    def _sql(self, dialect: str) -> str:
        postgresql = dialect == "postgresql"
        echoed = ", ".join(f"k.value ->> {index}" for index in range(len(self.keys)))
        matches = []
        for index, (column, kind) in enumerate(self.keys):
            value = f"(k.value ->> {index})::{kind}" if postgresql else f"k.value ->> {index}"
            matches.append(f"t.{column} = {value}")
        conditions = " AND ".join([*matches, *((self.where,) if self.where else ())])
        if self.exists:
            inner = f"SELECT 1 FROM {self.table} t WHERE t.org_id = :org AND {conditions}"
            keys = "json_array_elements(:names::json) AS k (value)" if postgresql else "json_each(:names) k"
            return f"SELECT {echoed}, {self.select} FROM {keys} WHERE EXISTS ({inner})"
        if self.most and not postgresql:
            inner = f"SELECT t.id FROM {self.table} t WHERE t.org_id = :org AND {conditions} LIMIT {self.most}"
            each = f"json_each(:names) k CROSS JOIN {self.table} t ON t.org_id = :org AND t.id IN ({inner})"
            return f"SELECT {echoed}, {self.select} FROM {each}"
        if postgresql:
            fence = "FOR UPDATE" if self.lock else "FOR SHARE" if self.share else "OFFSET 0"
            if self.most:
                fence = f"LIMIT {self.most}"
            inner = f"SELECT * FROM {self.table} t WHERE t.org_id = :org::uuid AND {conditions} {fence}"
            keys = "json_array_elements(:names::json) AS k (value)"
            return f"SELECT {echoed}, {self.select} FROM {keys} CROSS JOIN LATERAL ({inner}) t"
        keys = f"json_each(:names) k CROSS JOIN {self.table} t ON t.org_id = :org"
        return f"SELECT {echoed}, {self.select} FROM {keys} AND {conditions}"


def _fields(want: Want) -> tuple[Any, ...]:
    return msgspec.structs.astuple(want)


def _by_probe(probe: Probe, take_row: Callable[[Stock, Want, Row], str | None]) -> Loader:
    """Wants answered by one probe; `take_row` answers the id that belongs to the want's answer, if any."""
    width = len(probe.keys)

    def take(stock: Stock, asked: Sequence[Want], rows: list[list[Row]]) -> None:
        by_key = {tuple(map(str, _fields(want))): want for want in asked} if rows[0] else {}
        for row in rows[0]:
            want = by_key[tuple(row[:width])]
            found = take_row(stock, want, row[width:])
            if found is not None:
                stock.answers.setdefault(want, []).append(found)

    return Loader(lambda dialect, org_id, asked: [probe.query(dialect, org_id, map(_fields, asked))], take)


def _ids(
    table: str,
    keys: tuple[tuple[str, str], ...],
    where: str = "",
    *,
    column: str = "id",
    lock: bool = False,
    share: bool = False,
) -> Loader:
    """Wants answered by the ids of rows."""
    return _by_probe(Probe(table, keys, f"t.{column}", where, lock, share), lambda _stock, _want, row: str(row[0]))


def _exists(table: str, key: str, where: str = "") -> Loader:
    """Wants answered by whether there is a row."""
    return _by_probe(Probe(table, ((key, "uuid"),), "1", where, exists=True), lambda _stock, _want, row: str(row[0]))


def _holds(*keys: tuple[str, str], where: str = "", most: int = 0) -> Loader:
    """Wants answered by reservations."""

    def take_row(stock: Stock, _: Want, row: Row) -> str:
        return stock.know_hold(_HOLD.read(row)).id

    return _by_probe(Probe("reservation", keys, _HOLD.select_as("t"), where, most=most), take_row)


def _rows(struct: type[Any], column: str, where: str = "", *, kind: str = "uuid") -> Loader:
    """Wants answered by rows of sales or books, locked."""
    rows = row_type(struct)

    def take_row(stock: Stock, _: Want, row: Row) -> None:
        stock.know_row(rows.read(row))

    return _by_probe(Probe(rows.table.name, ((column, kind),), rows.select_as("t"), where, lock=True), take_row)


def _know_lot(stock: Stock, _: Want, row: Row) -> str:
    lot = _LOT.read(row)
    stock.lots.setdefault(lot.id, lot)
    return str(lot.id)


def _know_cost(stock: Stock, want: Want, row: Row) -> None:
    assert isinstance(want, wants.LastCost)
    stock.costs.setdefault(want.product_id, row[0])


# Wants whose first field names a table -------------------------------------------------------------------------------


def _kinds(asked: Sequence[Any]) -> list[str]:
    return sorted({want.kind for want in asked})


def record_probe(kind: str) -> Probe:
    """How documents of a kind are read by their key, locked."""
    column = "org_id" if kind == "organisation" else "id"
    columns = ", ".join(f"t.{column.name}" for column in schema.metadata.tables[kind].c)
    return Probe(kind, ((column, "text" if kind in NATURAL_KEYS else "uuid"),), columns, lock=True)


def _record_queries(dialect: str, org_id: str, asked: Sequence[wants.RecordById]) -> list[Query]:
    keys_of: dict[str, list[tuple[str]]] = {}
    for want in asked:
        keys_of.setdefault(want.kind, []).append((want.key,))
    return [record_probe(kind).query(dialect, org_id, keys_of[kind]) for kind in sorted(keys_of)]


def _take_records(stock: Stock, asked: Sequence[wants.RecordById], rows: list[list[Row]]) -> None:
    for kind, found in zip(_kinds(asked), rows, strict=True):
        for record, row in zip(records_of(kind, [row[1:] for row in found]), found, strict=True):
            if kind == "organisation" and record.catalog_version != stock.catalog.settings.catalog_version:
                raise Conflict("the catalog changed before the organisation was locked")
            stock.know_record(kind, row[0], record)


def records_of(kind: str, rows: Sequence[Row]) -> list[Any]:
    """The documents of rows that have all columns of the kind's table."""
    table = schema.metadata.tables[kind]
    names = [str(column.name) for column in table.c]
    return [record_of(DOCUMENTS[kind], dict(zip(names, row, strict=True)), table) for row in rows]


def _named_queries(dialect: str, org_id: str, asked: Sequence[wants.RecordsNamed]) -> list[Query]:
    queries = []
    for kind in _kinds(asked):
        name = records.KINDS[kind].name
        assert name is not None, kind
        probe = Probe(kind, ((name, "text"),), "t.id", "" if kind == "product" else "t.active")
        queries.append(probe.query(dialect, org_id, ((want.name,) for want in asked if want.kind == kind)))
    return queries


def _take_named(stock: Stock, asked: Sequence[wants.RecordsNamed], rows: list[list[Row]]) -> None:
    for want in asked:
        stock.answers.setdefault(want, [])
    for kind, found in zip(_kinds(asked), rows, strict=True):
        for name, record_id in found:
            stock.answers[wants.RecordsNamed(kind, name)].append(str(record_id))


# Wants of several queries or of another shape ------------------------------------------------------------------------


_LOOSE = "r.source = s.source AND r.status = 'active' AND r.held_for = 'order'"


def _loose_queries(dialect: str, org_id: str, asked: Sequence[wants.LooseHoldsOf]) -> list[Query]:
    names = msgspec.json.encode(sorted(want.sale_id for want in asked if is_id(want.sale_id))).decode()
    if dialect == "postgresql":
        sql = (
            f"SELECT {_HOLD.select_as('r')} FROM json_array_elements_text(:names::json) AS k (id) CROSS JOIN LATERAL "
            "(SELECT source, order_number, external_id FROM sale WHERE org_id = :org::uuid AND id = k.id::uuid "
            "OFFSET 0) s CROSS JOIN LATERAL (VALUES (s.order_number), (s.external_id)) AS n (number) "
            "CROSS JOIN LATERAL (SELECT * "
            f"FROM reservation r WHERE r.org_id = :org::uuid AND r.order_number = n.number AND {_LOOSE} OFFSET 0) r"
        )
    else:
        sql = (
            f"SELECT {_HOLD.select_as('r')} FROM json_each(:names) k CROSS JOIN sale s ON s.org_id = :org "
            "AND s.id = k.value CROSS JOIN reservation r ON r.org_id = :org "
            f"AND r.order_number IN (s.order_number, s.external_id) AND {_LOOSE}"
        )
    return [Query(sql, {"org": org_id, "names": names})]


def _take_loose(stock: Stock, _: Sequence[wants.LooseHoldsOf], rows: list[list[Row]]) -> None:
    for row in rows[0]:
        stock.know_hold(_HOLD.read(row))


_SALE, _LINE, _SUPPLIED = row_type(Sale), row_type(SaleLine), row_type(SupplierOrder)
_OF_SALE = (
    Probe("sale", (("id", "uuid"),), _SALE.select_as("t"), lock=True),
    Probe("sale_line", (("sale_id", "uuid"),), _LINE.select_as("t")),
    Probe("supplier_order", (("sale_id", "uuid"),), _SUPPLIED.select_as("t")),
    Probe("reservation", (("reserved_for_id", "uuid"),), _HOLD.select_as("t"), "t.status = 'active'"),
)
"""Sales are locked in the order of their ids, then what belongs to them is read."""


def _sale_queries(dialect: str, org_id: str, asked: Sequence[wants.SaleById]) -> list[Query]:
    ids = [(want.sale_id,) for want in asked]
    loose = _loose_queries(dialect, org_id, [wants.LooseHoldsOf(want.sale_id) for want in asked])
    return [*(probe.query(dialect, org_id, ids) for probe in _OF_SALE), *loose]


def _take_sales(stock: Stock, asked: Sequence[wants.SaleById], rows: list[list[Row]]) -> None:
    for kind, found in zip((_SALE, _LINE, _SUPPLIED), rows[:3], strict=True):
        for row in found:
            stock.know_row(kind.read(row[1:]))
    for want in asked:
        aimed = wants.HoldsOfTarget(want.sale_id)
        stock.answers.setdefault(aimed, [])
        stock.loaded.add(aimed)
    for row in rows[3]:
        hold = stock.know_hold(_HOLD.read(row[1:]))
        stock.answers[wants.HoldsOfTarget(row[0])].append(hold.id)
    _take_loose(stock, (), rows[4:])
    stock.loaded.update(wants.LooseHoldsOf(want.sale_id) for want in asked)


def _any(table: str) -> Loader:
    """Wants answered by whether the organisation has a row in a table."""

    def take(stock: Stock, asked: Sequence[Want], rows: list[list[Row]]) -> None:
        for want in asked:
            stock.answers[want] = [str(row[0]) for row in rows[0]]

    return Loader(
        lambda _dialect, org_id, _asked: [
            Query(f"SELECT id FROM {table} WHERE org_id = :org LIMIT 1", {"org": org_id})
        ],
        take,
    )


_GTIN = Probe("product", (("gtin", "text"),), "t.id", "t.active")


def _gtin_queries(dialect: str, org_id: str, asked: Sequence[wants.ProductsOfGtin]) -> list[Query]:
    return [_GTIN.query(dialect, org_id, ((spelling,) for want in asked for spelling in want.spellings))]


def _take_gtins(stock: Stock, asked: Sequence[wants.ProductsOfGtin], rows: list[list[Row]]) -> None:
    for want in asked:
        stock.answers[want] = [str(row[1]) for row in rows[0] if row[0] in want.spellings]


def _level_queries(dialect: str, org_id: str, asked: Sequence[wants.LevelsWithStock]) -> list[Query]:
    """All levels of the locations are locked: goods on their way into an empty one wait, and then see the changed
    catalog."""
    probe = Probe("level", (("location_id", "uuid"),), "t.product_id, t.on_hand, t.backordered", lock=True)
    return [probe.query(dialect, org_id, map(_fields, asked))]


def _take_levels(stock: Stock, asked: Sequence[wants.LevelsWithStock], rows: list[list[Row]]) -> None:
    for want in asked:
        stock.answers[want] = []
    for place_id, product_id, on_hand, backordered in rows[0]:
        if on_hand or backordered:
            stock.answers[wants.LevelsWithStock(place_id)].append(str(product_id))


_UUID = "uuid"
_LAST_NUMBER = (
    "t.number = (SELECT max(s.number) FROM register_session s WHERE s.org_id = :org AND s.register_id = t.register_id)"
)

_CAME_IN = (
    "(SELECT g.created_at FROM ledger g WHERE g.org_id = :org AND g.level_id = t.id "
    "AND g.ref_type IN ('RECEIPT', 'TRANSFER') AND g.qty_delta > 0 ORDER BY g.seq DESC LIMIT 1)"
)

_MOST = wants.HOLDS_READ_MAX + 1

_OPENING = "coalesce({0}source, '') = 'opening' AND {0}ref_type IN ('RECEIPT', 'ADJUSTMENT')"
"""Opening stock that came, or was taken back."""

_USED = (
    "(t.on_hand <> 0 OR t.reserved <> 0 OR t.backordered <> 0 OR EXISTS (SELECT 1 FROM ledger e "
    "WHERE e.org_id = :org AND e.level_id = t.id AND e.qty_delta <> 0 AND NOT (" + _OPENING.format("e.") + ")))"
)

LOADERS: dict[type[Want], Loader] = {
    wants.LotById: _by_probe(Probe("lot", (("id", _UUID),), _LOT.select_as("t"), lock=True), _know_lot),
    wants.LotsOfCode: _by_probe(
        Probe("lot", (("product_id", _UUID), ("code", "text")), _LOT.select_as("t"), lock=True), _know_lot
    ),
    wants.LotAt: Loader(lots.named_queries, lots.take_named),
    wants.PlacesOfLot: _ids("lot_stock", (("lot_id", _UUID),), "t.is_open", column="location_id"),
    wants.PlacesEverOfLot: _ids("lot_stock", (("lot_id", _UUID),), column="location_id"),
    wants.LastCost: _by_probe(Probe("product_cost", (("product_id", _UUID),), "t.unit_cost"), _know_cost),
    wants.HoldById: _holds(("id", _UUID)),
    wants.ActiveAt: _holds(("level_id", _UUID), where="t.status = 'active'"),
    wants.WaitingAt: _holds(("level_id", _UUID), where="t.backordered > 0"),
    wants.RoamingFor: _holds(("product_id", _UUID), where="t.backordered > 0 AND t.served_from IS NOT NULL"),
    wants.CameIn: _by_probe(
        Probe("level", (("product_id", _UUID),), f"t.location_id, {_CAME_IN}"),
        lambda _stock, _want, row: None if row[1] is None else wants.answer_text(wants.LastCameIn(*row)),
    ),
    wants.AdhocAt: _holds(
        ("level_id", _UUID), where="t.status = 'active' AND t.held_for = 'adhoc' ORDER BY t.id", most=_MOST
    ),
    wants.HoldsOfOrder: _holds(("order_number", "text"), ("source", "text"), most=_MOST),
    wants.ActiveOfOrder: _holds(("order_number", "text"), ("source", "text"), where="t.status = 'active'", most=_MOST),
    wants.ActiveOfNumber: _holds(("order_number", "text"), where="t.status = 'active'", most=_MOST),
    wants.Crowded: Loader(order_queries.crowded_queries, order_queries.take_crowded),
    wants.HoldsOfTarget: _holds(("reserved_for_id", _UUID), where="t.status = 'active'"),
    wants.SaleOfLine: _ids("sale_line", (("id", _UUID),), "NOT t.removed", column="sale_id"),
    wants.SaleOfOrder: Loader(order_queries.named_queries, order_queries.take_named),
    wants.LooseHoldsOf: Loader(_loose_queries, _take_loose),
    wants.SoldForOrder: _by_probe(
        Probe(
            "ledger",
            (("order_number", "text"),),
            "t.reservation_id, t.lot_id, t.location_id, -t.qty_delta, -t.value_delta",
            "t.ref_type = 'SALE' AND t.lot_id IS NOT NULL AND t.reservation_id IS NOT NULL",
        ),
        lambda _stock, _want, row: wants.answer_text(wants.SoldPart(*row)),
    ),
    wants.ReturnsOfSale: _rows(Return, "sale_id"),
    wants.SupplierOrderById: _rows(SupplierOrder, "id"),
    wants.SessionById: _rows(RegisterSession, "id"),
    wants.LastSession: _rows(RegisterSession, "register_id", _LAST_NUMBER),
    wants.CartsOfSession: _ids("sale", (("session_id", _UUID),), "t.status = 'open'"),
    wants.RecordById: Loader(_record_queries, _take_records),
    wants.RecordsNamed: Loader(_named_queries, _take_named),
    wants.ProductsOfGtin: Loader(_gtin_queries, _take_gtins),
    wants.UsersOfPin: _ids("app_user", (("pin_hash", "text"),), "t.active"),
    wants.UsersNearPin: _ids("app_user", (("pin_index", "int"),), "t.active"),
    wants.Owners: Loader(owners.queries, owners.take),
    wants.PlacesOfKind: _ids("location", (("kind", "text"),), "t.active"),
    wants.RegistersOf: _ids("register", (("store_id", _UUID),), "t.active", lock=True),
    wants.OpenSheets: _by_probe(
        record_probe("count_sheet")._replace(keys=(("location_id", _UUID),), where="t.status = 'draft'"),
        lambda stock, _, row: _know_record(stock, "count_sheet", row),
    ),
    wants.PlaceKept: _ids("location", (("id", _UUID),), "t.active", share=True),
    wants.TransfersTo: _ids("transfer", (("to_location_id", _UUID),), "t.status = 'shipped'"),
    wants.TransfersFrom: _ids("transfer", (("from_location_id", _UUID),), "t.status = 'shipped'"),
    wants.LevelsWithStock: Loader(_level_queries, _take_levels),
    wants.ProductInLedger: _exists("level", "product_id"),
    wants.ProductMoved: _exists("level", "product_id", _USED),
    wants.LotMoved: _exists(
        "ledger", "lot_id", f"t.qty_delta <> 0 AND t.ref_type <> 'RECEIPT' AND NOT ({_OPENING.format('t.')})"
    ),
    wants.ImportsIn: _ids("import_job", (("state", "text"),)),
    wants.ProductSoldUncounted: _exists("sale_line", "product_id", "t.kind <> 'stock'"),
    wants.AnyProduct: _any("product"),
    wants.AnyJournalEntry: _any("journal_entry"),
    wants.EntryById: Loader(entry_queries.named_queries, entry_queries.take),
    wants.EntriesOf: Loader(entry_queries.about_queries, entry_queries.take),
    wants.SaleById: Loader(_sale_queries, _take_sales),
    wants.LinesWaitingForKeys: Loader(key_queries.owed_queries, key_queries.take_owed),
    wants.KnownKeys: _ids("license_key", (("product_id", _UUID), ("digest", "text"))),
    wants.KeysOfSale: _rows(LicenseKey, "sale_id"),
    wants.FreeKeys: Loader(key_queries.free_queries, key_queries.take_free),
    wants.GiftCardOfCode: _rows(GiftCard, "code", kind="text"),
    wants.GiftCardById: _rows(GiftCard, "id"),
    wants.GiftCardsOfSale: _rows(GiftCard, "issued_by_sale"),
}
"""One loader for each kind of want that one query or several independent ones answer, in the order in which a
transaction asks: what several of them lock is locked in this order."""

ORDER_OF_KIND = {kind: number for number, kind in enumerate(LOADERS)}
"""The place of each kind in that order."""


def _know_record(stock: Stock, kind: str, row: Row) -> str:
    record = records_of(kind, [row])[0]
    stock.know_record(kind, record.id, record)
    return str(record.id)
