"""What `holdfast check` reads: whole tables as streams of structs, from one consistent snapshot, in bounded memory.

    with snapshot(database) as rows:
        for row in rows.levels(None): ...

Streams of the same snapshot may be read side by side, and are sorted so that they can be merged. Sorting and grouping
what has no index in that order is left to the database, which does it on disk. Nothing is written, and writers are not
held up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from holdfast.core.records.ledger import Entry
from holdfast.core.records.license_key import LicenseKey
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.stock import Level, Lot, LotStock, Reservation
from holdfast.core.sales.register import CashMovement, RegisterSession
from holdfast.core.sales.return_record import Return
from holdfast.core.sales.supplier_orders import SupplierOrder
from holdfast.core.stock.journal import JournalEntry, Posting
from holdfast.db import audit_entries
from holdfast.db.audit_shapes import (
    Balances,
    Beside,
    Billed,
    Booked,
    DaySum,
    Doubled,
    Head,
    HoldSum,
    InTransit,
    Kept,
    KeyedLine,
    LeftOpen,
    Moved,
    Reversal,
    Seal,
    Sold,
    Stored,
    texts_in,
)
from holdfast.db.batch.rows import SALE_TABLES, STOCK_TABLES, checksum, row_type
from holdfast.db.engine import Database
from holdfast.db.queries.stuck import beside
from holdfast.db.unreachable import reaching

FETCH_ROWS = 2_000
"""Rows that PostgreSQL sends at a time."""


NEW_PLACE_SECONDS = 300
"""So long a location may have begun to sell before who waits for its units is named."""


class Snapshot:
    """Streams of one snapshot; `org_id` limits each to an organisation."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._is_sqlite = is_sqlite
        self._cursors = 0

    def rows(self, org_id: str | None) -> int:
        """How many rows the tables with checksums have together."""
        total = 0
        for table in (STOCK_TABLES | SALE_TABLES).values():
            total += next(self._stream(f"SELECT count(*) FROM {table.name} t {_where(org_id)}", org_id))[0]
        return total

    def levels(self, org_id: str | None) -> Iterator[Stored]:
        """Levels by id, beside each the SKU, the location's code (None: there is none) and whether it is active."""
        yield from self._structs(
            Level,
            "p.sku, c.code, c.active",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def lot_stocks(self, org_id: str | None) -> Iterator[Stored]:
        """Lots at locations by level, beside each the lot's product (None: there is no such lot), and when it was
        received as it stands here and there."""
        yield from self._structs(
            LotStock,
            "l.product_id, t.received_at, l.received_at",
            "LEFT JOIN lot l ON l.org_id = t.org_id AND l.id = t.lot_id",
            "ORDER BY t.org_id, t.level_id, t.lot_id",
            org_id,
        )

    def active_holds(self, org_id: str | None) -> Iterator[Stored]:
        """Active reservations by level."""
        active = "AND" if org_id is not None else "WHERE"
        yield from self._structs(
            Reservation, "", "", f"{active} t.status = 'active' ORDER BY t.org_id, t.level_id", org_id, where_first=True
        )

    def entries(self, org_id: str | None) -> Iterator[Stored]:
        """Ledger entries by level and number, beside each what it keeps of the chain."""
        yield from self._structs(Entry, "t.link", "", "ORDER BY t.org_id, t.level_id, t.seq", org_id)

    def seals(self, org_id: str | None) -> Iterator[Seal]:
        """The seals of older entries by level."""
        rows = self._stream(
            f"SELECT t.org_id, t.level_id, t.entries, t.digest FROM ledger_seal t {_where(org_id)} ORDER BY 1, 2",
            org_id,
        )
        for org, level_id, entries, digest in rows:
            yield Seal(str(org), str(level_id), int(entries), digest)

    def heads(self, org_id: str | None) -> Iterator[Head]:
        """How far the ledger of every level goes, by level, with the seal of its older entries."""
        rows = self._stream(
            "SELECT t.org_id, t.id, p.sku, c.code, t.seq, t.head, s.entries, s.digest FROM level t "
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id "
            "LEFT JOIN ledger_seal s ON s.org_id = t.org_id AND s.level_id = t.id "
            f"{_where(org_id)} ORDER BY t.org_id, t.id",
            org_id,
        )
        for org, level_id, sku, location, entries, head, older, sealed in rows:
            yield Head(str(org), str(level_id), sku, location, entries, _hex(head), older, _hex(sealed))

    def reservations(self, org_id: str | None) -> Iterator[Stored]:
        """Reservations by id, beside each its level's product and location, the SKU, the location's code."""
        yield from self._structs(
            Reservation,
            "l.product_id, l.location_id, p.sku, c.code",
            "LEFT JOIN level l ON l.org_id = t.org_id AND l.id = t.level_id "
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def lots(self, org_id: str | None) -> Iterator[Stored]:
        """Lots by id, beside each its product's SKU."""
        yield from self._structs(
            Lot,
            "p.sku",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def hold_sums(self, org_id: str | None) -> Iterator[HoldSum]:
        """What the ledger says of each reservation at each level, by reservation."""
        named = "AND" if org_id is not None else "WHERE"
        rows = self._stream(
            "SELECT t.org_id, t.reservation_id, t.level_id, sum(t.reserved_delta), sum(t.backordered_delta), "
            "-sum(CASE WHEN t.ref_type = 'SALE' THEN t.qty_delta ELSE 0 END) "
            f"FROM ledger t {_where(org_id)} {named} t.reservation_id IS NOT NULL "
            "GROUP BY t.org_id, t.reservation_id, t.level_id ORDER BY t.org_id, t.reservation_id, t.level_id",
            org_id,
        )
        for org, name, level_id, *sums in rows:
            yield HoldSum(str(org), str(name), str(level_id), *(int(number) for number in sums))

    def beside_free(self, org_id: str | None) -> Iterator[Beside]:
        """Holds that wait beside free units, each with every location that has some. (A location that has just begun to
        sell serves them within a minute: the sweeper does it.)"""
        now = time.time_ns() // 1000
        named = "AND r.org_id = :org " if org_id is not None else ""
        named += f"AND NOT (c.updated_at > r.updated_at AND c.updated_at > {now - NEW_PLACE_SECONDS * 1_000_000}) "
        from_where = beside(is_sqlite=self._is_sqlite).replace(":now", str(now))
        joined = from_where.replace(
            "WHERE",
            "JOIN product p ON p.org_id = r.org_id AND p.id = r.product_id "
            "JOIN location h ON h.org_id = r.org_id AND h.id = r.location_id WHERE",
            1,
        )
        rows = self._stream(
            f"SELECT r.org_id, r.id, p.sku, h.code, c.code, r.backordered, l.on_hand - l.reserved {joined}{named}"
            "ORDER BY r.org_id, r.id, c.code",
            org_id,
        )
        for org, name, sku, location, elsewhere, waits, free in rows:
            yield Beside(str(org), str(name), sku, location, elsewhere, int(waits), int(free))

    def doubled(self, org_id: str | None) -> Iterator[Doubled]:
        """Holds of an order beside those of its sale: of a product that the unfinished sale has a line of, or left over
        when it ended. (Who ends a sale of one store leaves what another store holds.)"""
        named = "AND r.org_id = :org" if org_id is not None else ""
        found = (
            "SELECT r.org_id, r.id, p.sku, c.code, s.number, s.status FROM reservation r "
            "JOIN sale s ON s.org_id = r.org_id AND s.source = r.source AND s.{number} = r.order_number "
            "JOIN product p ON p.org_id = r.org_id AND p.id = r.product_id "
            "JOIN location c ON c.org_id = r.org_id AND c.id = r.location_id {lines}"
            f"WHERE r.status = 'active' AND r.held_for = 'order' {named} "
            f"AND (r.expires_at IS NULL OR r.expires_at > {time.time_ns() // 1000}) "
            "AND (s.store_id IS NULL OR s.store_id = c.store_id) AND {status}"
        )
        lines = (
            "JOIN sale_line l ON l.org_id = s.org_id AND l.sale_id = s.id AND l.product_id = r.product_id "
            "AND l.kind = 'stock' AND NOT l.removed "
        )
        ended = "s.status IN ('completed', 'cancelled') AND r.created_at <= coalesce(s.completed_at, s.updated_at)"
        parts = [
            found.format(number=number, lines=joined, status=status)
            for number in ("order_number", "external_id")
            for joined, status in ((lines, "s.status IN ('open', 'suspended')"), ("", ended))
        ]
        for org, name, sku, location, sale, status in self._stream(f"{' UNION '.join(parts)} ORDER BY 1, 2", org_id):
            yield Doubled(str(org), str(name), sku, location, sale, status)

    # Sales -----------------------------------------------------------------------------------------------------------

    def sales(self, org_id: str | None) -> Iterator[Stored]:
        """Sales by id, beside each its store, if that is there."""
        yield from self._structs(Sale, "s.id", _STORE, "ORDER BY t.org_id, t.id", org_id)

    def sale_lines(self, org_id: str | None) -> Iterator[Stored]:
        """Lines by sale and position, beside each its product's precision and SKU."""
        yield from self._structs(
            SaleLine,
            "p.precision, p.sku",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id",
            "ORDER BY t.org_id, t.sale_id, t.position, t.id",
            org_id,
        )

    def sale_returns(self, org_id: str | None, *, blind: bool) -> Iterator[Stored]:
        """Returns by sale, or those without one; beside each its store, if that is there."""
        order = f"{_and(org_id)} t.sale_id IS {'' if blind else 'NOT '}NULL ORDER BY t.org_id, t.sale_id, t.id"
        yield from self._structs(Return, "s.id", _STORE, order, org_id)

    def supplier_orders(self, org_id: str | None) -> Iterator[Stored]:
        """Supplier orders by sale."""
        yield from self._structs(SupplierOrder, "", "", "ORDER BY t.org_id, t.sale_id, t.id", org_id)

    def left_open(self, org_id: str | None) -> Iterator[LeftOpen]:
        """Open count sheets, and transfers on the road to a location, that was removed."""
        for table, column, status in (
            ("count_sheet", "location_id", "draft"),
            ("transfer", "to_location_id", "shipped"),
        ):
            rows = self._stream(
                f"SELECT t.org_id, t.id, c.id, c.code FROM {table} t JOIN location c ON c.org_id = t.org_id "
                f"AND c.id = t.{column} AND NOT c.active {_where(org_id)} {_and(org_id)} t.status = '{status}' "
                "ORDER BY t.org_id, t.id",
                org_id,
            )
            for org, name, location_id, code in rows:
                yield LeftOpen(str(org), table, str(name), str(location_id), str(code))

    def in_transit(self, org_id: str | None) -> Iterator[InTransit]:
        """Units of each lot at transit locations."""
        rows = self._stream(
            "SELECT t.org_id, v.product_id, t.lot_id, sum(t.on_hand) FROM lot_stock t "
            "JOIN level v ON v.org_id = t.org_id AND v.id = t.level_id "
            "JOIN location c ON c.org_id = t.org_id AND c.id = v.location_id AND c.kind = 'transit' "
            f"{_where(org_id)} {_and(org_id)} t.is_open GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, product_id, lot_id, units in rows:
            yield InTransit(str(org), str(product_id), str(lot_id), int(units))

    def on_the_road(self, org_id: str | None) -> Iterator[InTransit]:
        """Units of each lot that transfers have shipped and that neither arrived, were written off nor sent back."""
        if self._is_sqlite:
            product, lot = "x.value ->> 'product_id'", "x.value ->> 'lot_id'"
            parts, lines = "coalesce(x.value ->> '{}', 0)", "json_each(t.lots) x"
        else:
            product, lot = "(x.value ->> 'product_id')::uuid", "(x.value ->> 'lot_id')::uuid"
            parts, lines = "coalesce((x.value ->> '{}')::bigint, 0)", "LATERAL json_array_elements(t.lots) x"
        left = " - ".join(parts.format(name) for name in ("units", "received", "lost", "sent_back"))
        rows = self._stream(
            f"SELECT t.org_id, {product}, {lot}, sum({left}) FROM transfer t CROSS JOIN {lines} {_where(org_id)} "
            f"{_and(org_id)} t.status = 'shipped' GROUP BY 1, 2, 3 HAVING sum({left}) <> 0 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, product_id, lot_id, units in rows:
            yield InTransit(str(org), str(product_id), str(lot_id), int(units))

    def sold(self, org_id: str | None) -> Iterator[Sold]:
        """What left by sale, as the ledger has it; a line's hold may have been consumed past its sale."""
        held_for = "r.reserved_for_id" if self._is_sqlite else "r.reserved_for_id::text"
        rows = self._stream(
            f"SELECT t.org_id, coalesce({held_for}, t.ref_id){self._plain}, -sum(t.qty_delta), -sum(t.value_delta) "
            "FROM ledger t LEFT JOIN reservation r ON r.org_id = t.org_id AND r.id = t.reservation_id "
            f"AND r.sale_line_id IS NOT NULL {_where(org_id)} {_and(org_id)} t.ref_type = 'SALE' "
            f"AND coalesce({held_for}, t.ref_id) IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2",
            org_id,
        )
        for org, sale_id, units, value in rows:
            yield Sold(str(org), sale_id, int(units), int(value))

    def register_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Register sessions by id, beside each how many its register has up to it, and the register if it is there."""
        earlier = (
            f"(SELECT count(*) FROM register_session o WHERE o.org_id = {_org_of('t', org_id)} "
            "AND o.register_id = t.register_id AND o.number <= t.number)"
        )
        till = "LEFT JOIN register g ON g.org_id = t.org_id AND g.id = t.register_id"
        yield from self._structs(RegisterSession, f"{earlier}, g.id", till, "ORDER BY t.org_id, t.id", org_id)

    def cash_movements(self, org_id: str | None) -> Iterator[Stored]:
        """Cash movements by session."""
        yield from self._structs(CashMovement, "", "", "ORDER BY t.org_id, t.session_id, t.id", org_id)

    def sales_of_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Completed sales of a till by its session."""
        order = f"{_and(org_id)} t.session_id IS NOT NULL AND t.status = 'completed' ORDER BY t.org_id, t.session_id"
        yield from self._structs(Sale, "", "", order, org_id)

    def returns_of_sessions(self, org_id: str | None) -> Iterator[Stored]:
        """Returns to a till by its session."""
        order = f"{_and(org_id)} t.session_id IS NOT NULL ORDER BY t.org_id, t.session_id"
        yield from self._structs(Return, "", "", order, org_id)

    def license_keys(self, org_id: str | None) -> Iterator[Stored]:
        """License keys by id, beside each its line's product, sale and keys, and its own product."""
        beside_it = "l.product_id, l.sale_id, l.key_ids, p.id"
        yield from self._structs(LicenseKey, beside_it, audit_entries.BESIDE_KEYS, "ORDER BY t.org_id, t.id", org_id)

    def keyed_lines(self, org_id: str | None) -> Iterator[KeyedLine]:
        """Lines of sales that got license keys, or wait for some, by id."""
        for row in self._stream(audit_entries.keyed_lines(org_id), org_id):
            yield KeyedLine(str(row[0]), str(row[1]), texts_in(row[2]), row[3], row[4], row[5], row[6], row[7])

    def keys_added(self, org_id: str | None) -> Iterator[Sequence[Any]]:
        """(organisation, product, `{"added": n}`) for each time when license keys were added, as the audit log says."""
        yield from self._stream(audit_entries.keys_added(org_id), org_id)

    # Books -----------------------------------------------------------------------------------------------------------

    def journal_entries(self, org_id: str | None) -> Iterator[Stored]:
        """Journal entries by id."""
        yield from self._structs(JournalEntry, "", "", "ORDER BY t.org_id, t.id", org_id)

    def postings(self, org_id: str | None) -> Iterator[Stored]:
        """Postings by entry and position."""
        yield from self._structs(Posting, "", "", "ORDER BY t.org_id, t.entry_id, t.position", org_id)

    def booked(self, org_id: str | None) -> Iterator[Booked]:
        """Every ledger entry that a journal entry names, by its id."""
        rows = self._stream(
            f"SELECT t.org_id, k.value{self._plain}, t.id, t.ref_type, t.ref_id FROM journal_entry t "
            f"CROSS JOIN {self._ledger_ids} {_where(org_id)} ORDER BY 1, 2, 3",
            org_id,
        )
        for org, ledger_id, entry_id, ref_type, ref_id in rows:
            yield Booked(str(org), str(ledger_id), str(entry_id), ref_type, ref_id)

    def booked_values(self, org_id: str | None) -> Iterator[tuple[str, str, int]]:
        """(organisation, journal entry, value of the ledger entries that it names), by journal entry."""
        # Each id finds its row by the key. Else both databases look through the whole ledger for each journal entry:
        # SQLite keeps the order of a CROSS JOIN only; PostgreSQL uses the key for a uuid only, which a text may not be.
        is_id = "k.value ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"
        join, named = (
            ("CROSS JOIN", "k.value") if self._is_sqlite else ("JOIN", f"CASE WHEN {is_id} THEN k.value::uuid END")
        )
        rows = self._stream(
            f"SELECT t.org_id, t.id, sum(l.value_delta) FROM journal_entry t CROSS JOIN {self._ledger_ids} "
            f"{join} ledger l ON l.org_id = t.org_id AND l.id = {named} {_where(org_id)} "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            org_id,
        )
        for org, entry_id, value in rows:
            yield str(org), str(entry_id), int(value)

    def moved(self, org_id: str | None) -> Iterator[Moved]:
        """Ledger entries that moved value and have to be booked, by id."""
        rows = self._stream(
            "SELECT t.org_id, t.id, t.ref_type, t.ref_id, t.value_delta, t.created_at "
            f"FROM ledger t {_where(org_id)} {_and(org_id)} "
            "t.value_delta <> 0 AND t.ref_type NOT IN ('TRANSFER', 'EXPIRY') ORDER BY t.org_id, t.id",
            org_id,
        )
        for org, ledger_id, ref_type, ref_id, value, at in rows:
            yield Moved(str(org), str(ledger_id), ref_type, ref_id, int(value), int(at))

    def reversals(self, org_id: str | None) -> Iterator[Reversal]:
        """Entries that take others back, by id."""
        for org, entry_id, same, left in self._stream(
            audit_entries.reversals(org_id, is_sqlite=self._is_sqlite), org_id
        ):
            yield Reversal(str(org), str(entry_id), bool(same), int(left))

    def bills(self, org_id: str | None) -> Iterator[Billed]:
        """Receipts with bills, by id."""
        for org, receipt_id, received, cleared, standing in self._stream(audit_entries.bills(org_id), org_id):
            yield Billed(str(org), receipt_id, int(received), int(cleared), int(standing))

    def kept_balances(self, org_id: str | None) -> Iterator[Kept]:
        """What closes and ends of days kept, by day."""
        rows = self._stream(
            f"SELECT t.org_id, t.id, 'period', t.balances FROM period t {_where(org_id)} UNION ALL "
            f"SELECT t.org_id, t.id, 'day_end', t.balances FROM day_end t {_where(org_id)} {_and(org_id)} "
            "t.balances IS NOT NULL ORDER BY 1, 2, 3",
            org_id,
        )
        for org, day, kind, told in rows:
            balances: Balances | None
            try:
                balances = msgspec.convert(json.loads(told) if isinstance(told, str) else told, Balances)
            except (ValueError, msgspec.MsgspecError):
                balances = None
            yield Kept(str(org), str(day), kind, balances)

    def day_sums(self, org_id: str | None) -> Iterator[DaySum]:
        """What was posted to each account on each day, by day."""
        rows = self._stream(
            "SELECT t.org_id, t.day, t.account, sum(CASE WHEN t.amount > 0 THEN t.amount ELSE 0 END), "
            f"sum(CASE WHEN t.amount < 0 THEN -t.amount ELSE 0 END) FROM posting t {_where(org_id)} "
            "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            org_id,
        )
        for org, day, account, debit, credit in rows:
            yield DaySum(str(org), day, account, int(debit), int(credit))

    @property
    def _plain(self) -> str:
        """Texts are compared byte by byte, as Python does."""
        return "" if self._is_sqlite else ' COLLATE "C"'

    @property
    def _ledger_ids(self) -> str:
        if self._is_sqlite:
            return "json_each(t.ledger_ids) k"
        array = "CASE WHEN json_typeof(t.ledger_ids) = 'array' THEN t.ledger_ids ELSE '[]' END"
        return f"json_array_elements_text({array}) AS k (value)"

    def _structs(
        self, struct: type[Any], beside: str, joins: str, order: str, org_id: str | None, *, where_first: bool = False
    ) -> Iterator[Stored]:
        kind = row_type(struct)
        width = 1 + len(kind.columns)
        columns = f"t.org_id, {kind.select_as('t')}, t.checksum" + (f", {beside}" if beside else "")
        sql = f"SELECT {columns} FROM {kind.table.name} t {joins} {_where(org_id)} {order}"
        booleans = [index for index, name in enumerate(kind.columns) if name in ("listed", "is_open", "removed")]
        for row in self._stream(sql, org_id):
            own = row[1:width]
            try:
                read = kind.read(own)
                known = all(own[index] in (0, 1) for index in booleans)
                intact = known and checksum(read) == row[width]
            except (TypeError, ValueError, msgspec.MsgspecError):
                read, intact = None, False
            yield Stored(str(row[0]), read, intact, row[:width], row[width + 1 :])

    def _stream(self, sql: str, org_id: str | None) -> Iterator[Sequence[Any]]:
        parameters = {} if org_id is None else {"org": org_id}
        if self._is_sqlite:
            yield from self._connection.execute(sql, parameters)
            return
        self._cursors += 1
        with self._connection.cursor(name=f"check_{self._cursors}") as cursor:
            cursor.itersize = FETCH_ROWS
            cursor.execute(sql.replace(":org", "%(org)s::uuid"), parameters)
            yield from cursor


_STORE = "LEFT JOIN store s ON s.org_id = t.org_id AND s.id = t.store_id"


def _hex(link: bytes | None) -> str | None:
    return None if link is None else link.hex()


def _org_of(table: str, org_id: str | None) -> str:
    """The organisation of the table's row in a subquery, where no planner knows that it is the one named outside."""
    return f"{table}.org_id" if org_id is None else ":org"


def _and(org_id: str | None) -> str:
    return "WHERE" if org_id is None else "AND"


def _where(org_id: str | None) -> str:
    return "" if org_id is None else "WHERE t.org_id = :org"


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """One consistent view of the database, for as long as it takes; DatabaseUnreachable when it breaks off."""
    with reaching(database):
        connection: Any = database.connect_sqlite() if database.is_sqlite else database.connect_postgresql()
        try:
            if database.is_sqlite:
                connection.execute("BEGIN")
            else:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                # Everything will be read: do not plan for a quick first page.
                connection.execute("SET LOCAL cursor_tuple_fraction = 1.0")
            yield Snapshot(connection, is_sqlite=database.is_sqlite)
            connection.execute("ROLLBACK")
        finally:
            connection.close()
