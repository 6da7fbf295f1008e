"""The lots of levels, as far as commands need them: the first of each level when it is locked, more when asked.

    a level of 3 lots        all of them, with the lock
    a level of 5,000 lots    the first 64 that were received, with the lock; then, in one question for all such levels,
                             the first 64 that expire, and all that have expired

So a command costs the same however many lots a level has. `holdfast.core.stock.lot_order` says in which order lots are
taken; a `Window` says how far they are loaded. Decision 0028.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from holdfast.core.records.wants import LotAt, LotsAt
from holdfast.core.stock.lot_order import ExpiryKey, ReceiptKey, Window
from holdfast.core.stock.posting import Stock
from holdfast.db.batch import lot_queries
from holdfast.db.batch.lot_queries import BY_EXPIRY, BY_RECEIPT, DATED, FREE, LOT, STOCK, STOCK_WIDTH, lots_where
from holdfast.db.batch.session import Query, Row
from holdfast.db.failures import Conflict

_NO_ID = "00000000-0000-0000-0000-000000000000"
_START: ExpiryKey = (-(2**62), 0, _NO_ID)
"""Before every lot in the order of expiry."""

_UNTIL = STOCK.columns.index("sellable_until")
_RECEIVED = STOCK_WIDTH + LOT.columns.index("received_at")


def take_first(stock: Stock, rows: Sequence[Row]) -> None:
    """Let the stock know the first lots of the levels that were locked; those that may have more get a window."""
    known, lots_at = stock.lots, stock.lots_at
    for row in rows:
        if row[0] not in lots_at:
            raise Conflict("a level was begun between the lock and the load")
        if row[1] not in known:
            known[row[1]] = LOT.read(row[STOCK_WIDTH:])
        lots_at[row[0]][row[1]] = STOCK.read(row[:STOCK_WIDTH])
    if len(rows) < lot_queries.FIRST:
        return
    for level_id, here in lots_at.items():
        if len(here) >= lot_queries.FIRST:
            last = max((known[lot_id].received_at, lot_id) for lot_id in here)
            stock.windows[level_id] = Window(last, None, lot_queries.FIRST)


def put_lot(stock: Stock, row: Row) -> None:
    """Let the stock know a lot at a level; one that it knows already stands as it is."""
    here = stock.lots_at[row[0]]
    if row[1] not in here:
        stock.lots.setdefault(row[1], LOT.read(row[STOCK_WIDTH:]))
        here[row[1]] = STOCK.read(row[:STOCK_WIDTH])


# One by one ----------------------------------------------------------------------------------------------------------


def named_queries(dialect: str, org_id: str, asked: Sequence[LotAt]) -> list[Query]:
    """Lots at levels, empty or not."""
    pairs = sorted((want.level_id, want.lot_id) for want in asked)
    sql = lots_where(dialect, "lot_id = {key}", ("uuid",))
    return [Query(sql, {"org": org_id, "levels": msgspec.json.encode(pairs).decode()})]


def take_named(stock: Stock, _: Sequence[LotAt], rows: list[list[Row]]) -> None:
    """Let the stock know them."""
    for row in rows[0]:
        put_lot(stock, row)
        stock.know_lot_stock(stock.lots_at[row[0]][row[1]])


# Beyond the first ----------------------------------------------------------------------------------------------------


def queries_beyond(stock: Stock, dialect: str) -> list[Query]:
    """What else is needed of the levels that have a window: all lots that have expired, and the first that will."""
    levels = msgspec.json.encode([[level_id] for level_id in stock.windows]).decode()
    expired = lots_where(dialect, f"{DATED} AND sellable_until <= :now")
    return [
        Query(expired, {"org": stock.org_id, "levels": levels, "now": stock.now}),
        _next_to_expire(stock, dialect, list(stock.windows)),
    ]


def take_beyond(stock: Stock, rows: list[list[Row]]) -> None:
    """Let the stock know what `queries_beyond` found."""
    for row in rows[0]:
        put_lot(stock, row)
    _take_expiring(stock, list(stock.windows), rows[1])


def more_queries(stock: Stock, dialect: str, asked: Sequence[LotsAt]) -> list[Query]:
    """The next lots of some levels, by receipt and by expiry."""
    queries = []
    by_receipt, by_expiry = _of_kind(asked, dated=False), _of_kind(asked, dated=True)
    for want in asked:
        stock.windows[want.level_id].size *= lot_queries.GROWTH
    if by_receipt:
        queries.append(_next_received(stock, dialect, by_receipt))
    if by_expiry:
        queries.append(_next_to_expire(stock, dialect, by_expiry))
    return queries


def take_more(stock: Stock, asked: Sequence[LotsAt], rows: list[list[Row]]) -> None:
    """Let the stock know what `more_queries` found."""
    by_receipt, by_expiry = _of_kind(asked, dated=False), _of_kind(asked, dated=True)
    found = iter(rows)
    if by_receipt:
        _take_received(stock, by_receipt, next(found))
    if by_expiry:
        _take_expiring(stock, by_expiry, next(found))


def _of_kind(asked: Sequence[LotsAt], *, dated: bool) -> list[str]:
    return sorted(want.level_id for want in asked if want.dated == dated)


def _size(stock: Stock, level_ids: Sequence[str]) -> int:
    return max(stock.windows[level_id].size for level_id in level_ids)


def _next_received(stock: Stock, dialect: str, level_ids: Sequence[str]) -> Query:
    """The next lots with free units by receipt, behind those that are loaded."""
    windows = stock.windows
    keys = [(level_id, *(windows[level_id].received or ())) for level_id in level_ids]
    where = f"{FREE} AND ({BY_RECEIPT}) > ({{key}})"
    sql = lots_where(dialect, where, ("bigint", "uuid"), BY_RECEIPT, _size(stock, level_ids))
    return Query(sql, {"org": stock.org_id, "levels": msgspec.json.encode(keys).decode()})


def _next_to_expire(stock: Stock, dialect: str, level_ids: Sequence[str]) -> Query:
    """The next lots with free units by expiry, behind those that are loaded."""
    keys = [(level_id, *(stock.windows[level_id].dated or _START)) for level_id in level_ids]
    where = f"{FREE} AND {DATED} AND ({BY_EXPIRY}) > ({{key}})"
    sql = lots_where(dialect, where, ("bigint", "bigint", "uuid"), BY_EXPIRY, _size(stock, level_ids))
    return Query(sql, {"org": stock.org_id, "levels": msgspec.json.encode(keys).decode()})


def _take_received(stock: Stock, level_ids: Sequence[str], rows: list[Row]) -> None:
    size = _size(stock, level_ids)
    keys: dict[str, list[ReceiptKey]] = {level_id: [] for level_id in level_ids}
    for row in rows:
        put_lot(stock, row)
        keys[row[0]].append((row[_RECEIVED], row[1]))
    for level_id, found in keys.items():
        stock.windows[level_id].received = max(found) if len(found) >= size else None


def _take_expiring(stock: Stock, level_ids: Sequence[str], rows: list[Row]) -> None:
    size = _size(stock, level_ids)
    keys: dict[str, list[ExpiryKey]] = {level_id: [] for level_id in level_ids}
    for row in rows:
        put_lot(stock, row)
        keys[row[0]].append((row[_UNTIL], row[_RECEIVED], row[1]))
    for level_id, found in keys.items():
        stock.windows[level_id].dated = max(found) if len(found) >= size else None
