"""The ledger by time: which entry of a level was the last at an instant, found by index and not by replaying.

    seq_at(connection, org_id, {level id: (its last seq, instant)})   -> {level id: seq}, 0 when there was none yet
    seqs_at(connection, org_id, [(level id, instant, 0, its last seq), ...])   -> {(level id, instant): seq}
    ended_at(connection, org_id, instant, {level id: seq})            -> what had ended by then, but was settled later

A level's entries are numbered without a gap and their `created_at` never runs backwards, so its history is a sorted
list: a binary search over the unique index (level, seq) finds the place in log2(n) steps, for all levels in one
statement. A level whose numbers have a gap (what `holdfast check` would name) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from holdfast.db import schema
from holdfast.db.queries.paging import not_walked
from holdfast.db.queries.settling import Ended, ended

_ledger, _level, _stock = schema.ledger.c, schema.level.c, schema.lot_stock.c
_hold = schema.reservation.c

WINDOW = 100
"""Entries of a level that are looked at together for what was settled late."""

_GIVEN = {
    "sqlite": (
        "SELECT value ->> 0 AS level_id, value ->> 1 AS instant, value ->> 2 AS low, value ->> 3 AS high "
        "FROM json_each(:given)"
    ),
    "postgresql": (
        "SELECT CAST(value ->> 0 AS uuid) AS level_id, CAST(value ->> 1 AS bigint) AS instant, "
        "CAST(value ->> 2 AS bigint) AS low, CAST(value ->> 3 AS bigint) AS high "
        "FROM json_array_elements(CAST(:given AS json))"
    ),
}
_SEARCH = """
WITH RECURSIVE probe (level_id, instant, low, high) AS (
  SELECT level_id, instant, low, high FROM ({given}) AS g
  UNION ALL
  SELECT p.level_id, p.instant,
    CASE WHEN l.created_at <= p.instant THEN l.seq ELSE p.low END,
    CASE WHEN l.created_at <= p.instant THEN p.high ELSE l.seq - 1 END
  FROM probe p CROSS JOIN ledger l
  WHERE p.low < p.high AND l.org_id = :org AND l.level_id = p.level_id AND l.seq = (p.low + p.high + 1) / 2
)
SELECT level_id, instant, low FROM probe WHERE low >= high
"""
"""`low` entries are known to be at or before the instant, those above `high` to be after it.

CROSS JOIN tells SQLite which of the two comes first.
"""


def seq_at(connection: sa.Connection, org_id: str, levels: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """The number of the last entry at or before an instant, of each level: {level id: (last seq, instant)}."""
    if not levels:
        return {}
    given = [(level_id, instant, 0, last) for level_id, (last, instant) in levels.items()]
    return {level_id: seq for (level_id, _), seq in seqs_at(connection, org_id, given).items()}


def seqs_at(
    connection: sa.Connection, org_id: str, asked: Sequence[tuple[str, int, int, int]]
) -> dict[tuple[str, int], int]:
    """The number of the last entry at or before an instant, by level and instant; asked is (level id, instant, a number
    that is known to be at or before it, the number of the last entry)."""
    dialect = connection.dialect.name
    statement = _SEARCH.format(given=_GIVEN[dialect])
    if dialect == "postgresql":
        statement = statement.replace(":org ", "CAST(:org AS uuid) ")
    rows = connection.execute(sa.text(statement), {"org": org_id, "given": msgspec.json.encode(asked).decode()})
    return {(str(level_id), at): low for level_id, at, low in rows}


class Past(NamedTuple):
    """How levels stood at an instant, by id: the last entry until then, its number, and what had ended unsettled."""

    entries: dict[str, Any]
    seqs: dict[str, int]
    over: dict[str, Ended]


def past_of(connection: sa.Connection, org_id: str, instant: int, levels: Mapping[str, int]) -> Past:
    """How levels stood at an instant; levels: {level id: its last seq}; those without an entry by then are left out."""
    found = seq_at(connection, org_id, {level_id: (seq, instant) for level_id, seq in levels.items()})
    places = {level_id: seq for level_id, seq in found.items() if seq}
    entries = {row.level_id: row for row in entries_at(connection, org_id, list(places.items()))}
    return Past(entries, places, ended_at(connection, org_id, instant, places))


def ended_at(connection: sa.Connection, org_id: str, instant: int, levels: Mapping[str, int]) -> dict[str, Ended]:
    """What had ended at the instant but was not settled then; levels: {level id: number of the last entry by then}.

    A hold that had expired is still active, or its release is among the entries that follow: the next command at the
    level began with it. So a few entries are looked at, and more only where those had such a release among them. The
    same is true of expired lots.
    """
    over = ended(connection, org_id, instant, levels=list(levels))
    following = dict(levels)
    while following:
        found = _settled_after(connection, org_id, instant, following)
        for level_id, parts in found.items():
            known = over.get(level_id, Ended())
            over[level_id] = Ended(*(before + part for before, part in zip(known, parts, strict=True)))
        following = {level_id: following[level_id] + WINDOW for level_id in found}
    return over


def _settled_after(connection: sa.Connection, org_id: str, instant: int, levels: Mapping[str, int]) -> dict[str, Ended]:
    """What the next entries of the levels settled of that which had ended at the instant."""
    sums = [sa.func.sum(-delta) for delta in (_ledger.reserved_delta, _ledger.backordered_delta, _ledger.qty_delta)]
    given, query = _settling_after(connection, org_id, instant, levels)
    query = query.with_only_columns(given.c.level_id, *sums).group_by(given.c.level_id)
    return {row[0]: Ended(*(int(number) for number in row[1:])) for row in connection.execute(query)}


def settled_late(
    connection: sa.Connection, org_id: str, instant: int, levels: Mapping[str, int]
) -> set[tuple[str, int]]:
    """(level id, when) the next entries of the levels settled what had ended at the instant."""
    given, query = _settling_after(connection, org_id, instant, levels)
    query = query.with_only_columns(given.c.level_id, _ledger.created_at).distinct()
    return {(row[0], int(row[1])) for row in connection.execute(query)}


def _settling_after(
    connection: sa.Connection, org_id: str, instant: int, levels: Mapping[str, int]
) -> tuple[Any, sa.Select[Any]]:
    """The levels given, and among the next entries of theirs those that settle what had ended at the instant."""
    kinds = {"level_id": schema.Id, "low": sa.BigInteger()}
    given = given_rows(connection.dialect.name, kinds, list(levels.items()))
    query = (
        sa.select(given.c.level_id)
        .select_from(given)
        # Outer joins leave SQLite no choice of which comes first.
        .outerjoin(
            schema.ledger,
            sa.and_(
                _ledger.org_id == org_id,
                _ledger.level_id == given.c.level_id,
                _ledger.seq > given.c.low,
                _ledger.seq <= given.c.low + WINDOW,
            ),
        )
        .outerjoin(schema.reservation, (_hold.org_id == org_id) & (_hold.id == _ledger.reservation_id))
        .outerjoin(
            schema.lot_stock,
            (_stock.org_id == org_id) & (_stock.level_id == _ledger.level_id) & (_stock.lot_id == _ledger.lot_id),
        )
        .where(
            _ledger.reason == "expired",
            sa.or_(
                sa.and_(_ledger.ref_type == "RELEASE", _hold.expires_at <= instant),
                sa.and_(_ledger.ref_type == "EXPIRY", _ledger.qty_delta < 0, _stock.sellable_until <= instant),
            ),
        )
    )
    return given, query


def stretches_of_lot(connection: sa.Connection, org_id: str, lot_id: str) -> dict[str, tuple[int, int]]:
    """Where a lot's entries are: {level id: (all are above this seq, all are up to this one)}.

    A lot is in a level's ledger from the first units that came until, when it is empty, the last that went.
    """
    first, last = sa.func.min(_ledger.seq), sa.func.max(_ledger.seq)
    moves = (
        sa.select(_ledger.level_id, first.label("first"), last.label("last"))
        .where(_ledger.org_id == org_id, _ledger.lot_id == lot_id, sa.text("ledger.qty_delta <> 0"))
        .group_by(not_walked(connection, _ledger.level_id))
        .subquery()
    )
    query = (
        sa.select(_stock.level_id, _stock.is_open, _level.seq, moves.c.first, moves.c.last)
        .join(schema.level, (_level.org_id == _stock.org_id) & (_level.id == _stock.level_id))
        .join(moves, moves.c.level_id == _stock.level_id)
        .where(_stock.org_id == org_id, _stock.lot_id == lot_id)
    )
    return {
        level_id: (begin - 1, seq if is_open else end)
        for level_id, is_open, seq, begin, end in connection.execute(query)
    }


def entries_at(connection: sa.Connection, org_id: str, places: Sequence[tuple[str, int]]) -> Sequence[Any]:
    """The entries with those (level id, seq): level_id, seq, the balances after it, created_at."""
    if not places:
        return []
    pair = given_rows(connection.dialect.name, {"level_id": schema.Id, "seq": sa.BigInteger()}, places)
    query = (
        sa.select(
            _ledger.level_id,
            _ledger.seq,
            _ledger.balance_after,
            _ledger.reserved_after,
            _ledger.backordered_after,
            _ledger.created_at,
        )
        .select_from(pair)
        # An outer join leaves SQLite no choice of which comes first; without statistics it chooses badly.
        .outerjoin(
            schema.ledger,
            (_ledger.org_id == org_id) & (_ledger.level_id == pair.c.level_id) & (_ledger.seq == pair.c.seq),
        )
    )
    return [row for row in connection.execute(query) if row.level_id is not None]


def given_rows(dialect: str, columns: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> Any:
    """Rows of ids and integers to join with, whatever their number, in one parameter."""
    body = msgspec.json.encode(rows).decode()
    parts = []
    for index, (name, kind) in enumerate(columns.items()):
        field = f"value ->> {index}"
        if dialect != "sqlite":
            field = f"CAST({field} AS {'uuid' if kind is schema.Id else 'bigint'})"
        parts.append(f"{field} AS {name}")
    source = "json_each(:given)" if dialect == "sqlite" else "json_array_elements(CAST(:given AS json))"
    text = sa.text(f"SELECT {', '.join(parts)} FROM {source}").bindparams(given=body)
    return text.columns(*(sa.column(name, kind) for name, kind in columns.items())).subquery("given")
