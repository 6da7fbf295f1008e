"""What `holdfast check` reads: whole tables as streams of structs, from one consistent snapshot, in bounded memory.

    with snapshot(database) as rows:
        for row in rows.levels(None): ...

Streams of the same snapshot may be read side by side, and are sorted so that they can be merged. Sorting and grouping
what has no index in that order is left to the database, which does it on disk. Nothing is written, and writers are not
held up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from holdfast.core.ledger import Entry
from holdfast.core.stock import Level, Lot, LotStock, Reservation
from holdfast.db.engine import Database
from holdfast.db.rows import checksum, row_type

FETCH_ROWS = 2_000
"""Rows that PostgreSQL sends at a time."""


class Stored(NamedTuple):
    """A row as it is stored: its struct (None when it cannot be read as one) and whether the checksum fits.

    `raw` begins with the organisation and the struct's columns; `beside` is what was joined to it.
    """

    org_id: str
    struct: Any
    intact: bool
    raw: Sequence[Any]
    beside: Sequence[Any]


class HoldSum(NamedTuple):
    """The entries of one reservation at one level, added up in smallest units."""

    org_id: str
    reservation_id: str
    level_id: str
    reserved: int
    backordered: int
    sold: int


class Snapshot:
    """Streams of one snapshot; `org_id` limits each to an organisation."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._is_sqlite = is_sqlite
        self._cursors = 0

    def rows(self, org_id: str | None) -> int:
        """How many rows the streams of the five tables have together."""
        total = 0
        for table in ("level", "lot", "lot_stock", "reservation", "ledger"):
            total += next(self._stream(f"SELECT count(*) FROM {table} t {_where(org_id)}", org_id))[0]
        return total

    def levels(self, org_id: str | None) -> Iterator[Stored]:
        """Levels by id, beside each the SKU and the location's code (None: there is none)."""
        yield from self._structs(
            Level,
            "p.sku, c.code",
            "LEFT JOIN product p ON p.org_id = t.org_id AND p.id = t.product_id "
            "LEFT JOIN location c ON c.org_id = t.org_id AND c.id = t.location_id",
            "ORDER BY t.org_id, t.id",
            org_id,
        )

    def lot_stocks(self, org_id: str | None) -> Iterator[Stored]:
        """Lots at locations by level, beside each the lot's product (None: there is no such lot)."""
        yield from self._structs(
            LotStock,
            "l.product_id",
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
        """Ledger entries by level and number."""
        yield from self._structs(Entry, "", "", "ORDER BY t.org_id, t.level_id, t.seq", org_id)

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

    def _structs(
        self, struct: type[Any], beside: str, joins: str, order: str, org_id: str | None, *, where_first: bool = False
    ) -> Iterator[Stored]:
        kind = row_type(struct)
        width = 1 + len(kind.columns)
        columns = f"t.org_id, {kind.select_as('t')}, t.checksum" + (f", {beside}" if beside else "")
        sql = f"SELECT {columns} FROM {kind.table.name} t {joins} {_where(org_id)} {order}"
        booleans = [index for index, name in enumerate(kind.columns) if name in ("listed", "is_open")]
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


def _where(org_id: str | None) -> str:
    return "" if org_id is None else "WHERE t.org_id = :org"


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """One consistent view of the database, for as long as it takes."""
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
