"""Queries for the lots of levels: the first of each level, and the next beyond those that are loaded.

    LITE_FIRST, PG_FIRST           the first lots of levels as they were received, with the lock
    lots_where(dialect, ...)       lots at some levels, of each level as many as the condition's limit says

Every row is a lot at a level and, from `STOCK_WIDTH` on, the lot's identity. Each level costs a few probes of an index,
whatever the statistics say: `received_at` is kept beside each lot at its level for that.
"""

from __future__ import annotations

from holdfast.core.records.stock import Lot, LotStock
from holdfast.db.batch.rows import row_type

FIRST = 64
"""Lots of one level that are loaded with its lock; a level with fewer is loaded as a whole."""

GROWTH = 4
"""How many times as many each further question brings in."""

STOCK, LOT = row_type(LotStock), row_type(Lot)
STOCK_WIDTH = len(STOCK.columns)
"""In a row the lot's own columns begin here."""

COLUMNS = f"{STOCK.select_as('s')}, {LOT.select_as('t')}"

BY_RECEIPT = "received_at, lot_id"
BY_EXPIRY = "sellable_until, received_at, lot_id"
FREE = "is_open AND on_hand > reserved"
DATED = "is_open AND sellable_until IS NOT NULL"
"""The condition of the index by expiry."""

_PG_LOT = "CROSS JOIN LATERAL (SELECT * FROM lot WHERE org_id = {org}::uuid AND id = s.lot_id OFFSET 0) t"
_LITE_LOT = "CROSS JOIN lot t ON t.org_id = s.org_id AND t.id = s.lot_id"

PG_FIRST = (
    f"SELECT {COLUMNS} FROM {{levels}} CROSS JOIN LATERAL (SELECT * FROM lot_stock "
    "WHERE org_id = %(org)s::uuid AND level_id = l.id AND is_open "
    f"ORDER BY {BY_RECEIPT} LIMIT {{first}}) s {_PG_LOT.format(org='%(org)s')}"
)
"""The first lots of each level of `levels`, a FROM item with an alias `l`."""

LITE_FIRST = (
    f"SELECT {COLUMNS} FROM json_each(?2) k CROSS JOIN lot_stock s ON s.rowid IN (SELECT rowid FROM lot_stock "
    f"WHERE org_id = ?1 AND level_id = k.value AND is_open ORDER BY {BY_RECEIPT} LIMIT ?3) {_LITE_LOT}"
)
"""The first lots of each level whose id is in a JSON array."""


def lots_where(dialect: str, where: str, key: tuple[str, ...] = (), order: str = "", limit: int = 0) -> str:
    """A query for lots at levels, by `:levels`, a JSON array of arrays: a level's id and the key behind it.

    `where` are conditions on lot_stock, `{key}` in it is the row of key values: of the types `key`. With `order` and
    `limit` only the first so many of each level.
    """
    postgresql = dialect == "postgresql"
    values = [f"(k.value ->> {index})" for index in range(1, len(key) + 1)]
    if postgresql:
        values = [f"{value}::{kind}" for value, kind in zip(values, key, strict=True)]
    own = "(k.value ->> 0)::uuid" if postgresql else "k.value ->> 0"
    org = ":org::uuid" if postgresql else ":org"
    where = f"org_id = {org} AND level_id = {own} AND {where.format(key=', '.join(values))}"
    first = f" ORDER BY {order} LIMIT {limit}" if order else ""
    if postgresql:
        fenced = f"SELECT * FROM lot_stock WHERE {where}{first or ' OFFSET 0'}"
        keys = "json_array_elements(:levels::json) AS k (value)"
        return f"SELECT {COLUMNS} FROM {keys} CROSS JOIN LATERAL ({fenced}) s {_PG_LOT.format(org=':org')}"
    found = f"lot_stock s ON s.rowid IN (SELECT rowid FROM lot_stock WHERE {where}{first})"
    return f"SELECT {COLUMNS} FROM json_each(:levels) k CROSS JOIN {found} {_LITE_LOT}"
