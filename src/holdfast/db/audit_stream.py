"""Streams of a snapshot: whole tables, row by row, in memory that does not grow with them.

The floor on which `audit_stock`, `audit_sales` and `audit_books` stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from holdfast.db.audit_shapes import Stored
from holdfast.db.batch.rows import checksum, row_type
from holdfast.db.exact_sum import exact_sum_sql

FETCH_ROWS = 2_000
"""Rows that PostgreSQL sends at a time."""


class AuditStream:
    """Reads one snapshot of a database, in the order in which its streams can be merged."""

    def __init__(self, connection: Any, *, is_sqlite: bool) -> None:
        self._connection = connection
        self._is_sqlite = is_sqlite
        self._cursors = 0

    def _sum(self, expression: str) -> str:
        """The SQL of a sum of numbers that may be large together; its answer is for `exact`."""
        return exact_sum_sql(expression, is_sqlite=self._is_sqlite)

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
        sql = f"SELECT {columns} FROM {kind.table.name} t {joins} {where(org_id)} {order}"
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


def org_of(table: str, org_id: str | None) -> str:
    """The organisation of the table's row in a subquery, where no planner knows that it is the one named outside."""
    return f"{table}.org_id" if org_id is None else ":org"


def and_where(org_id: str | None) -> str:
    """The word before one more condition."""
    return "WHERE" if org_id is None else "AND"


def where(org_id: str | None) -> str:
    """The condition on the organisation; none when all are read."""
    return "" if org_id is None else "WHERE t.org_id = :org"
