"""Promises of the past that what had ended by then moves to another level, only later (for `as_of`).

    moved_late(connection, catalog, instant, levels, seqs)     -> {level id: units promised there more, or less}

A hold of EAST ends, and its units serve somebody who waits at MAIN: from that instant on they are promised at EAST and
nobody waits at MAIN. The ledgers say so where it is settled by now; where it is not, settling in memory does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.stock import Level
from holdfast.core.stock.caller import SYSTEM
from holdfast.db import schema
from holdfast.db.queries.as_of import WINDOW, given_rows, seq_at, settled_late
from holdfast.db.queries.paging import among
from holdfast.db.queries.settled import astir, foresee
from holdfast.db.queries.settling import Ended, ended

_ledger, _level, _hold = schema.ledger.c, schema.level.c, schema.reservation.c


def moved_late(
    connection: sa.Connection, catalog: Catalog, instant: int, levels: Sequence[Level], seqs: Mapping[str, int]
) -> dict[str, int]:
    """By level, in smallest units; `seqs`: {level id: number of the last entry by the instant}."""
    org_id, product_of = catalog.settings.id, {level.id: level.product_id for level in levels}
    moved: dict[str, int] = defaultdict(int)
    following = dict(seqs)
    while following:
        found = _moves_after(connection, org_id, instant, following)
        products = {product_of[level_id] for level_id, _, _ in found}
        late = _settled_at(connection, org_id, instant, products)
        for level_id, at, units in found:
            moved[level_id] += units if at in late[product_of[level_id]] else 0
        following = {level_id: following[level_id] + WINDOW for level_id, _, _ in found}
    for level_id, units in _unsettled(connection, catalog, instant, set(product_of.values())).items():
        moved[level_id] += units
    return moved


def _moves_after(
    connection: sa.Connection, org_id: str, instant: int, seqs: Mapping[str, int]
) -> list[tuple[str, int, int]]:
    """(level id, when, units) of promises, older than the instant, that settling moved in the next entries."""
    kinds = {"level_id": schema.Id, "low": sa.BigInteger()}
    given = given_rows(connection.dialect.name, kinds, list(seqs.items()))
    query = (
        sa.select(given.c.level_id, _ledger.created_at, sa.func.sum(_ledger.reserved_delta + _ledger.backordered_delta))
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
        .where(_ledger.reason == "moved", _ledger.actor == SYSTEM.actor, _hold.created_at <= instant)
        .group_by(given.c.level_id, _ledger.created_at)
    )
    return [(level_id, at, int(units)) for level_id, at, units in connection.execute(query)]


def _settled_at(
    connection: sa.Connection, org_id: str, instant: int, products: Collection[str]
) -> Mapping[str, set[int]]:
    """When what had ended by the instant was settled later, by product."""
    found: dict[str, set[int]] = defaultdict(set)
    if not products:
        return found
    query = sa.select(_level.id, _level.product_id, _level.seq).where(
        _level.org_id == org_id, among(connection, _level.product_id, products), _level.created_at <= instant
    )
    rows = connection.execute(query).all()
    product_of = {row.id: row.product_id for row in rows}
    seqs = seq_at(connection, org_id, {row.id: (row.seq, instant) for row in rows})
    for level_id, at in settled_late(connection, org_id, instant, seqs):
        found[product_of[level_id]].add(at)
    return found


def _unsettled(connection: sa.Connection, catalog: Catalog, instant: int, products: Collection[str]) -> dict[str, int]:
    """What settling will move because of what had ended by the instant and is not settled to this day."""
    seen = foresee(connection, catalog, instant, astir(connection, catalog, instant, products))
    over = ended(connection, catalog.settings.id, instant, levels=list(seen.before))
    moved = {}
    for level_id, stored in seen.before.items():
        level, gone = seen.levels[level_id], over.get(level_id, Ended())
        stays = stored.reserved - gone.held + stored.backordered - gone.waiting
        moved[level_id] = level.reserved + level.backordered - stays
    return moved
