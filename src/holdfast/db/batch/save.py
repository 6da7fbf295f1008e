"""Saving: what a batch decided becomes a handful of bulk statements (step three of load, decide, save).

One statement a table, fed by an array a column on PostgreSQL (measured: a third cheaper than one JSON document for
these wide rows, four to eight times cheaper than executemany) or by tuples on SQLite. The statements are made from
the schema, so a new column needs no change here.

New holds and ledger entries of a large batch are sent in parts while the rest is still being decided (`early_writes`):
the server works while we do, in the same transaction, under the same locks. What a level or lot comes to is written
once, at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from holdfast.core.organisation import changes as records
from holdfast.core.records.ledger import Entry
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.records.time import instant_text
from holdfast.core.sales.gift_cards import GiftCard, GiftCardEntry
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.journal import JournalEntry, Posting
from holdfast.core.stock.posting import Stock
from holdfast.db import schema
from holdfast.db.batch.chain import chained
from holdfast.db.batch.documents import TABLE_ORDER
from holdfast.db.batch.rows import SALE_TABLES, Links, RowType, record_row, row_type
from holdfast.db.batch.session import Write

_KEYS: dict[Any, tuple[str, ...]] = {
    Level: ("id",),
    Lot: ("id",),
    LotStock: ("level_id", "lot_id"),
    Reservation: ("id",),
    Entry: ("id",),
    **dict.fromkeys(SALE_TABLES, ("id",)),
    Posting: ("entry_id", "position"),
}
_FIXED: dict[Any, set[str]] = {
    Level: {"product_id", "location_id", "created_at"},
    Lot: {"product_id", "received_at", "kind"},
    LotStock: {"location_id"},
    Reservation: {"level_id", "product_id", "location_id", "actor", "held_for", "created_at"},
    RegisterSession: {
        *(
            "number",
            "register_id",
            "store_id",
            "token_hash",
            "opened_by",
            "opener_id",
            "key_id",
            "opening_float",
            "opened_at",
        )
    },
    Sale: {"number", "order_number", "source", "store_id", "created_at"},
    SaleLine: {"sale_id", "position", "product_id", "kind", "created_at"},
    LicenseKey: {"product_id", "digest", "encrypted", "hint", "actor", "created_at"},
    SupplierOrder: {"sale_id", "line_id", "product_id", "created_at"},
    GiftCard: {"code", "issued", "issued_by_sale", "created_at"},
    GiftCardEntry: set(),
    CashMovement: set(),
    Return: set(),
    JournalEntry: set(),
    Posting: set(),
}
"""Columns that an ordinary update leaves out, so that indexes on them stay untouched. They do not change after the
insert, but for a hold in `stock.moved`, which is updated whole."""


PATTERNS_MAX = 8
"""Inserts of one table that differ in which columns are constants."""

PATTERN_GAIN = 4
"""Columns that another such insert must take out of the arrays to be worth preparing."""


class KeptAnswer(msgspec.Struct, frozen=True, gc=False):
    """An answer to keep under its idempotency key."""

    key: str
    fingerprint: str
    status: int
    body: str
    created_at: int


class SentAhead:
    """What of a batch is on its way to the database already: ledger entries by number, holds and rows of sales and
    books as they were then."""

    def __init__(self) -> None:
        self.mark = (0, 0, 0)
        self.holds: dict[str, Reservation] = {}
        self.rows: dict[str, Any] = {}

    @property
    def entries(self) -> int:
        """How many ledger entries were sent."""
        return self.mark[1]


def early_writes(stock: Stock, dialect: str, sent: SentAhead) -> list[Write]:
    """What was made since the last call, which nothing that follows can take back: holds, ledger entries, rows of
    sales and books."""
    holds = stock.new_holds(sent.mark)
    made = stock.new_rows(sent.mark) if stock.rows else {}
    entries = stock.entries[sent.entries :]
    new_holds = [hold for hold in holds.values() if hold.id not in sent.holds]
    sent.mark = stock.mark()
    sent.holds.update((hold.id, hold) for hold in new_holds)
    writes: list[Write] = []
    if new_holds:
        writes.append(_inserted(Reservation, stock.org_id, new_holds, dialect))
    if entries:
        writes.append(_inserted_entries(stock, entries, dialect))
    for struct in SALE_TABLES:
        rows = {name: row for name, row in made.get(struct, {}).items() if name not in sent.rows}
        if rows:
            sent.rows.update(rows)
            writes.append(_inserted(struct, stock.org_id, list(rows.values()), dialect))
    return writes


def writes_of(stock: Stock, dialect: str, batch_id: str, answers: Sequence[KeptAnswer], sent: SentAhead) -> list[Write]:
    """Everything that a batch changed and that was not sent, as bulk statements in an order that foreign keys allow.

    Empty when it changed nothing: then nothing needs to be written, and not even committed.
    """
    touched = stock.touched()
    if not (answers or touched.anything):
        return []
    org, fresh = stock.org_id, stock.fresh
    writes: list[Write] = []
    records_of: dict[str, list[Any]] = {}
    for (kind, _), record in touched.records.items():
        records_of.setdefault(kind, []).append(record)
    for kind in sorted(records_of, key=TABLE_ORDER.__getitem__):
        writes.append(_upsert(org, schema.metadata.tables[kind], records_of[kind], dialect))
    if JournalEntry in touched.rows:
        days = [entry.day for entry in touched.rows[JournalEntry].values()]
        writes[:0] = [_books_open(stock, dialect), Write(_DAY_ENDS, {"org": org, "day": min(days)})]
    if any(kind in records.KINDS for kind, _ in touched.records):
        writes.append(
            Write("UPDATE organisation SET catalog_version = catalog_version + 1 WHERE org_id = :org", {"org": org})
        )
    entries = stock.entries[sent.entries :]
    ledger = [_inserted_entries(stock, entries, dialect)] if entries else []  # first: levels get their heads by it
    stock_rows: list[tuple[Any, list[Any], list[Any]]] = [
        (Level, *_split(touched.levels, fresh)),
        (Lot, *_split_lots(stock, touched.lots)),
        (LotStock, *_split(touched.lot_stocks, fresh)),
        (Reservation, *_split_holds(stock, touched.reservations, sent)),
    ]
    for struct, new, changed in stock_rows:
        if new:
            writes.append(_inserted(struct, org, new, dialect))
        if struct is Reservation and stock.moved:
            moved = [hold for hold in changed if hold.id in stock.moved]
            changed = [hold for hold in changed if hold.id not in stock.moved]
            if moved:
                writes.append(_updated(struct, org, moved, dialect, whole=True))
        if changed:
            writes.append(_updated(struct, org, changed, dialect))
    writes += ledger
    for struct in SALE_TABLES:
        rows = touched.rows.get(struct, {})
        new = [row for row in rows.values() if row.id in stock.new_ids and row.id not in sent.rows]
        changed = [row for row in rows.values() if row.id not in stock.new_ids or sent.rows.get(row.id, row) is not row]
        if new:
            writes.append(_inserted(struct, org, new, dialect))
        if changed:
            writes.append(_updated(struct, org, changed, dialect))
    if touched.costs:
        writes.append(_costs(org, sorted(touched.costs.items()), dialect))
    writes.append(_events(stock, batch_id))
    if answers:
        writes.append(_answers(org, answers, dialect))
    return writes


def _split(rows: dict[str, Any], fresh: set[str]) -> tuple[list[Any], list[Any]]:
    new = [row for name, row in rows.items() if name in fresh]
    return new, [row for name, row in rows.items() if name not in fresh]


def _split_lots(stock: Stock, lots: dict[str, Lot]) -> tuple[list[Lot], list[Lot]]:
    """A lot is new when this batch received it."""
    new = [lot for lot in lots.values() if lot.id in stock.new_ids]
    return new, [lot for lot in lots.values() if lot.id not in stock.new_ids]


def _split_holds(
    stock: Stock, holds: dict[str, Reservation], sent: SentAhead
) -> tuple[list[Reservation], list[Reservation]]:
    new = [hold for hold in holds.values() if hold.id in stock.new_ids and hold.id not in sent.holds]
    changed = [
        hold for hold in holds.values() if hold.id not in stock.new_ids or sent.holds.get(hold.id, hold) is not hold
    ]
    return new, changed


def _inserted_entries(stock: Stock, entries: list[Entry], dialect: str) -> Write:
    """New ledger entries with their links; the levels have their new heads then."""
    links = functools.partial(chained, stock.org_id, stock.level_of_id, entries)
    return _inserted(Entry, stock.org_id, entries, dialect, links)


def _inserted(struct: Any, org_id: str, structs: list[Any], dialect: str, links: Links | None = None) -> Write:
    rows = row_type(struct)
    if dialect == "sqlite":
        return Write(_insert(struct, dialect, frozenset()), rows.tuples(org_id, structs, links))
    parameters, constant = rows.arrays_and_constants(structs, functools.partial(_known_pattern, struct), links)
    return Write(_insert(struct, dialect, constant), {"org": org_id, **parameters})


def _updated(struct: Any, org_id: str, structs: list[Any], dialect: str, *, whole: bool = False) -> Write:
    """Changed rows; with `whole` also the columns that hardly ever change (a hold that moved to another level)."""
    rows = row_type(struct)
    if dialect == "sqlite":
        tuples = [_for_update(rows, values, whole) for values in rows.tuples(org_id, structs)]
        return Write(_update(struct, dialect, whole), tuples)
    return Write(_update(struct, dialect, whole), {"org": org_id, **rows.arrays(structs)})


_patterns: dict[Any, list[frozenset[str]]] = {}
"""By struct: the sets of columns for which an insert with constants was made; few, so that statements stay prepared."""


def _known_pattern(struct: Any, same: set[str]) -> frozenset[str]:
    """Of the columns with one value only those that one of a few prepared inserts takes as constants."""
    known = _patterns.setdefault(struct, [frozenset()])
    best = max((pattern for pattern in known if pattern <= same), key=len)
    if (
        len(same) >= len(best) + PATTERN_GAIN
        and len(known) < PATTERNS_MAX
        and len(same) <= len(row_type(struct).columns)
    ):
        best = frozenset(same)
        known.append(best)
    return best


@cache
def _order_for_update(rows: RowType, whole: bool) -> tuple[int, ...]:
    """Positions in (org_id, columns ..., checksum) in the order in which the SQLite update names them."""
    names = ("org_id", *rows.written)
    keys = ("org_id", *_KEYS[rows.struct])
    return tuple(names.index(name) for name in (*_changing(rows, whole), *keys))


def _for_update(rows: RowType, values: tuple[Any, ...], whole: bool) -> tuple[Any, ...]:
    return tuple([values[index] for index in _order_for_update(rows, whole)])


@cache
def _changing(rows: RowType, whole: bool) -> tuple[str, ...]:
    left_out = set(_KEYS[rows.struct]) if whole else _FIXED[rows.struct] | set(_KEYS[rows.struct])
    return tuple(name for name in rows.written if name not in left_out)


def _unnested(rows: RowType, constant: frozenset[str] = frozenset()) -> str:
    """The rows of `RowType.arrays` as a table `x`, without the constant columns."""
    names = [name for name in rows.written if name not in constant]
    arrays = ", ".join(f":{name}::{rows.types[name]}[]" for name in names)
    return f"unnest({arrays}) AS x ({', '.join(names)})"


_RECEIVED_AT = "(SELECT t.received_at FROM lot t WHERE t.org_id = {org} AND t.id = {lot})"
"""Beside each lot at a level stands when it was received; the lot's own row is written before."""


@cache
def _insert(struct: Any, dialect: str, constant: frozenset[str]) -> str:
    rows = row_type(struct)
    columns = rows.written
    names = ", ".join(columns)
    copied = struct is LotStock
    if copied:
        names += ", received_at"
    if dialect == "postgresql":
        values = {name: f":{name}::{rows.types[name]}" if name in constant else f"x.{name}" for name in columns}
        chosen = ", ".join(values.values())
        if copied:
            chosen += f", {_RECEIVED_AT.format(org=':org::uuid', lot=values['lot_id'])}"
        return (
            f"INSERT INTO {rows.table.name} (org_id, {names}) SELECT :org::uuid, {chosen} "
            f"FROM {_unnested(rows, constant)}"
        )
    marks = ", ".join("?" * (len(rows.written) + 1))
    if copied:
        marks += f", {_RECEIVED_AT.format(org='?1', lot='?' + str(columns.index('lot_id') + 2))}"
    return f"INSERT INTO {rows.table.name} (org_id, {names}) VALUES ({marks})"


@cache
def _update(struct: Any, dialect: str, whole: bool) -> str:
    rows = row_type(struct)
    table = rows.table.name
    if dialect == "postgresql":
        changes = ", ".join(f"{name} = x.{name}" for name in _changing(rows, whole))
        match = " AND ".join(f"{name} = x.{name}" for name in _KEYS[struct])
        # One index probe a row, whatever the statistics say; the rows are locked by their levels, so they stay put.
        # A place is one within a partition only: the organisation tells which.
        return (
            f"UPDATE {table} t SET {changes} FROM {_unnested(rows)} CROSS JOIN LATERAL (SELECT ctid AS place "
            f"FROM {table} WHERE org_id = :org::uuid AND {match} OFFSET 0) AS found "
            "WHERE t.org_id = :org::uuid AND t.ctid = found.place"
        )
    changes = ", ".join(f"{name} = ?" for name in _changing(rows, whole))
    match = " AND ".join(f"{name} = ?" for name in ("org_id", *_KEYS[struct]))
    return f"UPDATE {table} SET {changes} WHERE {match}"


_COST_KEPT = "ON CONFLICT (org_id, product_id) DO UPDATE SET unit_cost = excluded.unit_cost"


def _costs(org_id: str, costs: Sequence[tuple[str, int]], dialect: str) -> Write:
    """Keep what products cost at their last receipt: (product id, 10**-6 major units) each."""
    insert = "INSERT INTO product_cost (org_id, product_id, unit_cost)"
    if dialect == "postgresql":
        sql = f"{insert} SELECT :org::uuid, x.* FROM unnest(:products::uuid[], :costs::bigint[]) AS x {_COST_KEPT}"
        products = "{" + ",".join(product_id for product_id, _ in costs) + "}"
        return Write(
            sql, {"org": org_id, "products": products, "costs": "{" + ",".join(str(c) for _, c in costs) + "}"}
        )
    return Write(f"{insert} VALUES (?, ?, ?) {_COST_KEPT}", [(org_id, *pair) for pair in costs])


_EVENTS = (
    "INSERT INTO event_batch (org_id, id, position, at, size, payload) VALUES (:org, :id, NULL, :at, :size, :payload)"
)


def _books_open(stock: Stock, dialect: str) -> Write:
    """Fail (and be tried again) when a period was closed since the batch was begun: nothing posts into it."""
    if dialect == "sqlite":
        return Write("SELECT 1", {})  # nobody else can have closed it
    sql = (
        "SELECT 1 / count(*) FROM (SELECT 1 FROM organisation WHERE org_id = :org "
        "AND books_closed_through IS NOT DISTINCT FROM :closed::text FOR SHARE) o"
    )
    return Write(sql, {"org": stock.org_id, "closed": stock.closed_through_at_load})


_DAY_ENDS = "DELETE FROM day_end WHERE org_id = :org AND id >= :day"
"""What was added up of days that are posted on after all (`db.upkeep.day_ends`); it is there when they posted late."""


def _events(stock: Stock, batch_id: str) -> Write:
    """The batch's events as one row; it is written even when there are none, as the proof that the batch committed."""
    told = [
        {
            "id": f"{batch_id}-{index}",
            "type": event.type,
            "timestamp": instant_text(stock.now),
            "product_id": event.product_id,
            "data": event.data,
        }
        for index, event in enumerate(stock.events)
    ]
    payload = msgspec.json.encode(told).decode()
    return Write(_EVENTS, {"org": stock.org_id, "id": batch_id, "at": stock.now, "size": len(told), "payload": payload})


def _answers(org_id: str, answers: Sequence[KeptAnswer], dialect: str) -> Write:
    names = "key, fingerprint, status, body, created_at"
    if dialect == "postgresql":
        sql = (
            f"INSERT INTO answered (org_id, {names}) SELECT :org::uuid, {names} FROM json_to_recordset(:rows::json) "
            "AS x (key text, fingerprint text, status integer, body text, created_at bigint)"
        )
        return Write(sql, {"org": org_id, "rows": msgspec.json.encode(answers).decode()})
    return Write(
        f"INSERT INTO answered (org_id, {names}) VALUES (?, ?, ?, ?, ?, ?)",
        [(org_id, *msgspec.structs.astuple(answer)) for answer in answers],
    )


def _upsert(org_id: str, table: sa.Table, changed: Sequence[Any], dialect: str) -> Write:
    """Insert documents of one kind, or change those whose ids are there; of an append-only table they are new."""
    rows = [record_row(org_id, table, record) for record in changed]
    names = tuple(name for name in rows[0] if name != "catalog_version")
    sql = _upsert_sql(table, names, dialect)
    if dialect == "postgresql":
        kept = [{name: row[name] for name in names} for row in rows]
        parameters = {"rows": msgspec.json.encode(kept).decode()}
        return Write(sql, parameters | ({"org": org_id} if table is schema.organisation else {}))
    json_names = {name for name in names if isinstance(table.c[name].type, sa.JSON)}
    return Write(
        sql,
        [
            tuple(msgspec.json.encode(row[name]).decode() if name in json_names else row[name] for name in names)
            + ((org_id,) if table is schema.organisation else ())
            for row in rows
        ],
    )


@cache
def _upsert_sql(table: sa.Table, names: tuple[str, ...], dialect: str) -> str:
    keys = [column.name for column in table.primary_key]
    changing = [name for name in names if name not in keys]
    columns = ", ".join(names)
    pg = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
    typed = ", ".join(f"{name} {table.c[name].type.compile(dialect=pg)}" for name in names)
    given = f"json_to_recordset(:rows::json) AS x ({typed})"
    if table is schema.organisation:  # it was made by other means, and is only ever changed
        if dialect == "postgresql":
            settings = ", ".join(f"{name} = x.{name}" for name in changing)
            return f"UPDATE organisation SET {settings} FROM {given} WHERE organisation.org_id = :org::uuid"
        settings = ", ".join(f"{name} = ?{names.index(name) + 1}" for name in changing)
        return f"UPDATE organisation SET {settings} WHERE org_id = ?{len(names) + 1}"
    changes = ", ".join(f"{name} = excluded.{name}" for name in changing)
    kept = "" if table.name in schema.APPEND_ONLY else f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    if dialect == "postgresql":
        return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {given}{kept}"
    return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(names))}){kept}"
