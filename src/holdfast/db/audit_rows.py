"""What `holdfast check` reads: whole tables as streams of structs, from one consistent snapshot, in bounded memory.

    with snapshot(database) as rows:
        for row in rows.levels(None): ...

Streams of the same snapshot may be read side by side, and are sorted so that they can be merged. Sorting and grouping
what has no index in that order is left to the database, which does it on disk. Nothing is written, and writers are not
held up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.db.audit_books import BookStreams
from holdfast.db.audit_sales import SalesStreams
from holdfast.db.audit_stock import StockStreams
from holdfast.db.audit_stream import where
from holdfast.db.batch.rows import SALE_TABLES, STOCK_TABLES
from holdfast.db.engine import Database
from holdfast.db.unreachable import reaching


class Snapshot(StockStreams, SalesStreams, BookStreams):
    """Streams of one snapshot; `org_id` limits each to an organisation."""

    def rows(self, org_id: str | None) -> int:
        """How many rows the tables with checksums have together."""
        total = 0
        for table in (STOCK_TABLES | SALE_TABLES).values():
            total += next(self._stream(f"SELECT count(*) FROM {table.name} t {where(org_id)}", org_id))[0]
        return total


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
