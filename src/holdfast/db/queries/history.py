"""A product's past as a line that can be drawn: how much there was, was reserved and was waited for, in a few steps.

    steps(connection, catalog, "MUG-1", HistoryFilter(location="MAIN"), stores=None, now=now)
        -> {"from": ..., "to": ..., "exact": True,
            "steps": [{"at", "on_hand", "reserved", "backordered", "marks": ["RECEIPT"]}, ...]}

The first step is how it stood when the time begins. Few entries are all there, each instant a step, which is marked
where goods were received or counted. Of many, the time
is divided into equal parts, and each part has the state at its end: exact at that instant, found for all levels and
parts by a binary search over the index (level, seq) in one statement, so a long ledger is not read. Parts in which
nothing changed are left out. It is the ledger that is drawn: what has ended and is not settled yet is still in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.product import Product
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.queries.as_of import entries_at, given_rows, seq_at, seqs_at
from holdfast.db.queries.catalog import places_of, product_of
from holdfast.db.queries.filters import BEFORE, LOCATION, NOT_BEFORE, Filter, Instant
from holdfast.db.queries.paging import Json, Stores
from holdfast.db.queries.settling import instant

STEPS_MAX = 400
"""Most steps of a line."""

SEARCHES_MAX = 20_000
"""Most places in ledgers that are searched for: of a product at very many locations the parts are fewer."""

PARTS_MIN = 20
"""Fewest parts into which a time is divided."""

SPAN = 30 * 24 * 3600 * 1_000_000
"""How far back a line goes that says nothing of when it begins: 30 days, in microseconds."""

_ledger, _level = schema.ledger.c, schema.level.c


class HistoryFilter(Filter, frozen=True, kw_only=True):
    """Of which location, and from when to when."""

    location: Annotated[str | None, LOCATION] = None
    from_: Annotated[Instant | None, NOT_BEFORE] = msgspec.field(default=None, name="from")
    to: Annotated[Instant | None, BEFORE] = None


MARKED = ("COUNT", "RECEIPT")
"""The `ref_type`s by which a step is marked, in the order in which it names them."""


class State(NamedTuple):
    """What there is, in smallest units."""

    on_hand: int = 0
    reserved: int = 0
    backordered: int = 0

    def plus(self, other: Sequence[int]) -> State:
        """Both together."""
        return State(*(one + more for one, more in zip(self, other, strict=True)))


class Step(NamedTuple):
    """How it stood from an instant on; `marks` None: it is not known which entries led there."""

    at: int
    state: State
    marks: frozenset[str] | None = None


def steps(
    connection: sa.Connection,
    catalog: Catalog,
    ref: str,
    filters: HistoryFilter,
    *,
    stores: Stores = None,
    now: int | None = None,
) -> Json | None:
    """The steps of a product (id or SKU) in `from_ <= at < to`, over all locations of the stores, or at one."""
    org_id = catalog.settings.id
    product = product_of(connection, org_id, ref)
    if product is None:
        return None
    end = instant(now) if filters.to is None else filters.to
    start = max(0, end - SPAN) if filters.from_ is None else filters.from_
    levels = _levels(connection, catalog, product, filters.location, stores)
    lows = seq_at(connection, org_id, {name: (seq, start - 1) for name, seq in levels.items()})
    highs = seq_at(connection, org_id, {name: (seq, end - 1) for name, seq in levels.items()})
    before = _states(connection, org_id, [(name, low) for name, low in lows.items() if low])
    opening = State()
    for state in before.values():
        opening = opening.plus(state)
    busy = {name: (lows[name], high) for name, high in highs.items() if high > lows.get(name, high)}
    exact = sum(high - low for low, high in busy.values()) < STEPS_MAX
    if exact:
        line = _each(connection, org_id, opening, busy)
    else:
        line = _divided(connection, org_id, before, busy, start, end)
    return {
        "product_id": product.id,
        "sku": product.sku,
        "from": instant_text(start),
        "to": instant_text(end),
        "exact": exact,
        "steps": [
            _described(product, step)
            for step in _changes([Step(start, opening, frozenset() if exact else None), *line])
        ],
    }


def _levels(
    connection: sa.Connection, catalog: Catalog, product: Product, location: str | None, stores: Stores
) -> dict[str, int]:
    """The product's levels at the location and in the stores, each with the number of its last entry."""
    places = places_of(catalog, stores=stores, location=location)
    query = sa.select(_level.id, _level.seq, _level.location_id)
    query = query.where(_level.org_id == catalog.settings.id, _level.product_id == product.id)
    rows = connection.execute(query)
    return {row.id: row.seq for row in rows if row.seq and (places is None or row.location_id in places)}


def _states(
    connection: sa.Connection, org_id: str, places: Sequence[tuple[str, int]]
) -> dict[str, tuple[int, int, int]]:
    """How each level stood after the entry of that number."""
    rows = entries_at(connection, org_id, places)
    return {row.level_id: (row.balance_after, row.reserved_after, row.backordered_after) for row in rows}


def _each(connection: sa.Connection, org_id: str, opening: State, busy: Mapping[str, tuple[int, int]]) -> list[Step]:
    """A step for each instant at which something changed."""
    if not busy:
        return []
    kinds = {"level_id": schema.Id, "low": sa.BigInteger(), "high": sa.BigInteger()}
    given = given_rows(connection.dialect.name, kinds, [(name, *stretch) for name, stretch in busy.items()])
    query = (
        sa.select(
            _ledger.created_at, _ledger.ref_type, _ledger.qty_delta, _ledger.reserved_delta, _ledger.backordered_delta
        )
        .select_from(given)
        # An outer join leaves SQLite no choice of which comes first.
        .outerjoin(
            schema.ledger,
            sa.and_(
                _ledger.org_id == org_id,
                _ledger.level_id == given.c.level_id,
                _ledger.seq > given.c.low,
                _ledger.seq <= given.c.high,
            ),
        )
    )
    rows = [row for row in connection.execute(query) if row.created_at is not None]
    state, line, marks = opening, dict[int, State](), dict[int, set[str]]()
    for at, ref_type, *deltas in sorted(rows, key=lambda row: row.created_at):
        state = state.plus(deltas)
        line[at] = state
        marks.setdefault(at, set()).update({ref_type}.intersection(MARKED))
    return [Step(at, state, frozenset(marks[at])) for at, state in line.items()]


def _divided(
    connection: sa.Connection,
    org_id: str,
    before: Mapping[str, tuple[int, int, int]],
    busy: Mapping[str, tuple[int, int]],
    start: int,
    end: int,
) -> list[Step]:
    """A step for each of so many equal parts of the time: how all levels stood when it ended."""
    parts = max(PARTS_MIN, min(STEPS_MAX - 1, SEARCHES_MAX // len(busy)))
    ends = [start + (end - start) * (part + 1) // parts - 1 for part in range(parts)]
    asked = [(name, at, low, high) for name, (low, high) in busy.items() for at in ends]
    found = seqs_at(connection, org_id, asked)
    rows = entries_at(connection, org_id, sorted({(name, seq) for (name, _), seq in found.items() if seq}))
    entries: dict[tuple[str, int], Any] = {(row.level_id, row.seq): row for row in rows}
    still = State()
    for name, state in before.items():
        if name not in busy:
            still = still.plus(state)
    line = []
    for at in ends:
        total, since = still, start
        for name in busy:
            entry = entries.get((name, found.get((name, at), 0)))
            if entry is not None:
                total = total.plus((entry.balance_after, entry.reserved_after, entry.backordered_after))
                since = max(since, entry.created_at)
        line.append(Step(since, total))
    return line


def _changes(line: Sequence[Step]) -> list[Step]:
    """The first step and those that are marked, or at which something is other than before."""
    kept = [line[0]]
    for step in line[1:]:
        if step.marks or step.state != kept[-1].state:
            kept.append(step)
    return kept


def _described(product: Product, step: Step) -> Json:
    stood = {name: product.number(units) for name, units in step.state._asdict().items()}
    return {"at": instant_text(step.at), **stood, "marks": None if step.marks is None else sorted(step.marks)}
