"""What time has ended, as reads show it: levels, lots and holds as settling will leave them, nothing being written.

    seen = foresee(connection, catalog, now, {product_id})
    seen.level(level)         -> the level without expired holds and expired lots, with those who wait served
    seen.hold(hold)           -> the same hold, backed by what is left for it
    seen.begun                -> quarantine levels that the move of expired lots will begin

After the end of a hold or a lot the rows still say what was, until the next command or sweep. A read must not: a
level, its holds, their sale and its lots are one answer. Where only sums change (an expired hold and nobody waits, an
expired lot and nobody holds it) they are subtracted. Where somebody waits or gives way, the `settle` that the next
command begins with is run on a copy in memory: so a read says what that command will do. It never writes or locks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
import uuid_utils

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.stock import Level, LevelKey, Lot, LotStock, Reservation
from holdfast.core.records.wants import LevelAt, Missing
from holdfast.core.stock.foreseen_id import corner_id
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.settling import settle
from holdfast.db import schema
from holdfast.db.batch.load import load_more
from holdfast.db.batch.rows import row_type
from holdfast.db.batch.session import BatchSession, Query, Row, _percent
from holdfast.db.queries.catalog import columns_of
from holdfast.db.queries.paging import among, not_walked
from holdfast.db.queries.settling import (
    ACTIVE,
    OPEN,
    ROAMING,
    Ended,
    as_settled,
    ended,
    expired_holds,
    expired_lots,
    hold_as_settled,
)

replace = msgspec.structs.replace

_hold, _stock, _lot, _level = schema.reservation.c, schema.lot_stock.c, schema.lot.c, schema.level.c
_LEVEL_COLUMNS = columns_of(schema.level, Level)
_HOLD_COLUMNS = columns_of(schema.reservation, Reservation)
_STOCK_COLUMNS = columns_of(schema.lot_stock, LotStock)
_LOT_COLUMNS = columns_of(schema.lot, Lot)

SETTLING_ROUNDS_MAX = 50
"""How often settling in memory may ask for more; each round answers everything that was asked in it."""

RELEASED_MAX = 2_000
"""Expired holds of one read that are released one by one in memory; the rest is subtracted as a sum."""


class Move(NamedTuple):
    """Units of an expired lot on their way from a level into the quarantine of its store."""

    level_id: str
    lot_id: str
    corner: LevelKey
    units: int
    value: int


class Foreseen:
    """What will have changed of some products when their levels are settled; everything else stays as it is."""

    def __init__(self, catalog: Catalog, now: int) -> None:
        self.catalog = catalog
        self.now = now
        self.products: frozenset[str] = frozenset()
        """Whose levels and holds all stand as here: of other products nothing is known."""
        self.levels: dict[str, Level] = {}
        self.before: dict[str, Level] = {}
        """The levels in `levels` as they are stored."""
        self.begun: dict[str, Level] = {}
        """Levels in quarantine that do not exist yet, by the id that they will have."""
        self.moves: list[Move] = []
        self.lots: dict[tuple[str, str], LotStock] = {}
        self.freed: dict[tuple[str, str], int] = {}
        """By (level id, lot id): units of expired holds that nobody takes over."""
        self.arriving: dict[tuple[str, str], tuple[int, int]] = {}
        """By (lot id, location id): units and value that come into quarantine, on top of what lies there."""
        self.holds: dict[str, Reservation] = {}
        self.changed: dict[str, Reservation] = {}
        """Those of `holds` that are alive and that settling changes or makes: served, moved, split, short of units."""
        self.made: list[Reservation] = []
        """Those that settling makes, in that order: part of what waits for a sale line, held at one place more."""

    def level(self, level: Level) -> Level:
        """The level as it will be."""
        return self.begun.get(level.id) or self.levels.get(level.id, level)

    def change(self, level: Level, **fields: Any) -> None:
        """A stored level, or what is known of it already, changes."""
        self.before.setdefault(level.id, level)
        self.levels[level.id] = replace(self.level(level), **fields)

    def hold(self, hold: Reservation) -> Reservation:
        """The hold as it will be; a expired one is released (or, partly consumed, consumed)."""
        if not hold.active:
            return hold
        settled = hold_as_settled(hold, self.now)
        return self.holds.get(hold.id, settled) if settled.active else settled

    def lot(self, at: LotStock) -> LotStock:
        """The lot at its location as it will be; without units where it has expired.

        What comes into a quarantine where the lot never was has no row yet: it is in `aside`.
        """
        key = (at.level_id, at.lot_id)
        if key in self.lots:
            return self.lots[key]
        if key in self.freed:
            return replace(at, reserved=at.reserved - self.freed[key])
        units, value = self.arriving.get((at.lot_id, at.location_id), (0, 0))
        return replace(at, on_hand=at.on_hand + units, value=at.value + value) if units else at

    def aside(self) -> dict[tuple[str, str], tuple[int, int]]:
        """By (lot id, location id): all units of expired lots that come into quarantine, and their value."""
        coming: dict[tuple[str, str], tuple[int, int]] = {}
        for move in self.moves:
            units, value = coming.get((move.lot_id, move.corner[1]), (0, 0))
            coming[move.lot_id, move.corner[1]] = (units + move.units, value + move.value)
        return coming


def corners_of(catalog: Catalog) -> dict[str, str]:
    """The quarantine location of each selling location's store, by ids."""
    of_store = catalog.quarantines()
    return {
        place.id: of_store[place.store_id].id
        for place in catalog.locations.values()
        if place.sellable and place.store_id in of_store
    }


def foresee_levels(connection: sa.Connection, catalog: Catalog, now: int, levels: Collection[Level]) -> Foreseen:
    """What will have changed at the levels, and at what depends on them."""
    if not levels:
        return Foreseen(catalog, now)
    over = ended(connection, catalog.settings.id, now, levels=[level.id for level in levels])
    products = {level.product_id for level in levels if level.id in over or level.backordered}
    corners = {level.product_id for level in levels if catalog.locations[level.location_id].kind == "quarantine"}
    products |= _expired(connection, catalog, now, corners) if corners else set()
    return foresee(connection, catalog, now, products | astir(connection, catalog, now, _products_of(levels)))


def foresee_holds(connection: sa.Connection, catalog: Catalog, now: int, holds: Collection[Reservation]) -> Foreseen:
    """What will have changed of the holds: the levels of active ones may have expired holds or expired lots."""
    active = [hold for hold in holds if hold.active and (hold.expires_at is None or hold.expires_at > now)]
    if not active:
        return Foreseen(catalog, now)
    over = ended(connection, catalog.settings.id, now, levels={hold.level_id for hold in active})
    products = {hold.product_id for hold in active if hold.level_id in over or hold.backordered}
    roaming = _products_of(hold for hold in active if hold.served_from is not None)
    return foresee(connection, catalog, now, products | astir(connection, catalog, now, roaming))


def _products_of(things: Iterable[Level | Reservation]) -> set[str]:
    return {thing.product_id for thing in things}


def astir(connection: sa.Connection, catalog: Catalog, now: int, products: Collection[str]) -> set[str]:
    """Those of the products of which holds will move or be split when what has ended is settled.

    Units that become free at one level may then change another one: somebody waits there and may be served elsewhere,
    or has lost a lot that expired, and looks elsewhere.
    """
    if not products:
        return set()
    org_id = catalog.settings.id
    waiting = sa.select(_hold.id).where(_hold.org_id == org_id, _hold.product_id == _level.product_id, ROAMING)
    expired = sa.select(_hold.id).where(_hold.org_id == org_id, _hold.level_id == _level.id, *expired_holds(now))
    mine = among(connection, _level.product_id, products)
    freed = sa.select(_level.product_id).where(_level.org_id == org_id, mine, expired.exists(), waiting.exists())
    return set(connection.execute(freed.distinct()).scalars()) | _expired(connection, catalog, now, products)


def stirring(
    connection: sa.Connection,
    catalog: Catalog,
    now: int,
    conditions: Sequence[sa.ColumnElement[bool]],
    between: tuple[str | None, str | None],
    count: int,
) -> list[tuple[str, str]]:
    """(id, product id) of holds that may move or be split when what has ended is settled: the newest `count`.

    They meet the conditions, have an id between the two (lowest, highest), and may be served elsewhere: they wait for a
    product of which units become free, or lie where a lot has expired. It begins with what has ended, whoever waits.
    """
    org_id = catalog.settings.id
    lowest, highest = between
    own = [_hold.org_id == org_id, *conditions]
    own += [] if lowest is None else [_hold.id >= lowest]
    own += [] if highest is None else [_hold.id <= highest]
    ended_hold, elsewhere = schema.reservation.alias("ended_hold"), _hold.served_from.is_not(None)
    freed = sa.select(ended_hold.c.product_id).where(
        ended_hold.c.org_id == org_id,
        sa.text("ended_hold.status = 'active'"),
        ended_hold.c.expires_at.is_not(None),
        ended_hold.c.expires_at <= now,
    )
    lots = sa.select(_stock.level_id).where(not_walked(connection, _stock.org_id) == org_id, *expired_lots(now))
    spoilt = sa.select(_level.product_id).where(_level.org_id == org_id, _level.id.in_(lots))
    found: dict[str, str] = {}
    for where in (
        [ROAMING, _hold.product_id.in_(freed.union(spoilt))],
        [ACTIVE, elsewhere, _hold.level_id.in_(lots)],
    ):
        query = sa.select(_hold.id, _hold.product_id).where(*own, *where)
        rows = connection.execute(query.order_by(not_walked(connection, _hold.id).desc()).limit(count))
        found.update((row[0], row[1]) for row in rows)
    return sorted(found.items(), reverse=True)[:count]


def _expired(connection: sa.Connection, catalog: Catalog, now: int, products: Collection[str]) -> set[str]:
    """Those of the products of which a lot has expired somewhere."""
    org_id = catalog.settings.id
    gone = sa.select(_stock.lot_id).where(_stock.org_id == org_id, _stock.level_id == _level.id, *expired_lots(now))
    mine = among(connection, _level.product_id, products)
    query = sa.select(_level.product_id).where(_level.org_id == org_id, mine, gone.exists())
    return set(connection.execute(query.distinct()).scalars())


def foresee(
    connection: sa.Connection, catalog: Catalog, now: int, products: Collection[str], *, most: int | None = None
) -> Foreseen:
    """What will have changed of the products when everything of theirs that has ended is settled.

    Those of which somebody waits or gives way are settled in memory, `most` of them (None: all). Of what is beyond,
    whoever waits is reckoned as served by what is free where he waits; holds and sums by lot are not known.
    """
    seen = Foreseen(catalog, now)
    seen.products = frozenset(products)
    if not products:
        return seen
    org_id = catalog.settings.id
    rows = connection.execute(
        sa.select(*_LEVEL_COLUMNS).where(_level.org_id == org_id, among(connection, _level.product_id, products))
    )
    families: dict[str, list[Level]] = defaultdict(list)
    for level in _read(Level, rows):
        families[level.product_id].append(level)
    over = ended(connection, org_id, now, levels=[level.id for family in families.values() for level in family])
    if not over:
        return seen
    intricate: list[Level] = []
    simple: list[Level] = []
    left = len(families) if most is None else most
    for family in families.values():
        changed = [level for level in family if level.id in over]
        settles = left > 0 and bool(changed) and _is_intricate(family, over)
        (intricate if settles else simple).extend(changed)
        left -= settles
    places = {(level.product_id, level.location_id): level for family in families.values() for level in family}
    _subtract(connection, seen, simple, over, places)
    if intricate:
        _run(connection, seen, intricate)
    return seen


def _is_intricate(family: list[Level], over: dict[str, Ended]) -> bool:
    """Does somebody wait for what becomes free, or lose what expires? Then sums do not tell who has what."""
    nothing = Ended()
    waiting = sum(level.backordered - over.get(level.id, nothing).waiting for level in family)
    return waiting > 0 or any(
        level.reserved > over[level.id].held and over[level.id].expired for level in family if level.id in over
    )


# Sums ----------------------------------------------------------------------------------------------------------------


def _subtract(
    connection: sa.Connection,
    seen: Foreseen,
    levels: list[Level],
    over: dict[str, Ended],
    places: dict[LevelKey, Level],
) -> None:
    """Levels that are not settled in memory: expired holds are gone, expired units lie in quarantine."""
    for level in levels:
        left = as_settled(level, over[level.id])
        seen.change(level, on_hand=left.on_hand, reserved=left.reserved, backordered=left.backordered)
    expired = {level.id: level for level in levels if over[level.id].expired}
    corners = corners_of(seen.catalog)
    for at in _lots_expired(connection, seen, expired):
        level = expired[at.level_id]
        corner = (level.product_id, corners[level.location_id])
        seen.moves.append(Move(at.level_id, at.lot_id, corner, at.on_hand, at.value))
        seen.lots[at.level_id, at.lot_id] = replace(at, on_hand=0, reserved=0, value=0, is_open=False)
    coming: dict[LevelKey, int] = defaultdict(int)
    for move in seen.moves:
        coming[move.corner] += move.units
    seen.arriving.update(seen.aside())
    for key, units in coming.items():
        there = places.get(key)
        if there is None:
            level = Level(corner_id(*key), *key, units, 0, 0, 0, True, seen.now, seen.now)
            seen.begun[level.id] = level
        else:
            seen.change(there, on_hand=seen.level(there).on_hand + units, listed=True)
    for hold in _expired_of(connection, seen, [level.id for level in levels if over[level.id].held]):
        for lot_id, units in hold.allocations:
            key = (hold.level_id, lot_id)
            if key not in seen.lots:
                seen.freed[key] = seen.freed.get(key, 0) + units


def _lots_expired(connection: sa.Connection, seen: Foreseen, levels: Collection[str]) -> list[LotStock]:
    if not levels:
        return []
    query = sa.select(*_STOCK_COLUMNS).where(
        _stock.org_id == seen.catalog.settings.id, *expired_lots(seen.now), among(connection, _stock.level_id, levels)
    )
    return list(_read(LotStock, connection.execute(query)))


def _expired_of(connection: sa.Connection, seen: Foreseen, levels: Collection[str]) -> list[Reservation]:
    """The expired holds of the levels, in the order in which they expired."""
    if not levels:
        return []
    query = sa.select(*_HOLD_COLUMNS).where(
        _hold.org_id == seen.catalog.settings.id, *expired_holds(seen.now), among(connection, _hold.level_id, levels)
    )
    holds: list[Reservation] = list(_read(Reservation, connection.execute(query)))
    return sorted(holds, key=lambda hold: (hold.expires_at, hold.id))


# Settling in memory --------------------------------------------------------------------------------------------------


def _run(connection: sa.Connection, seen: Foreseen, levels: list[Level]) -> None:
    """Settle the levels in memory, and remember how everything stands afterwards."""
    stock = Stock(seen.catalog.settings.id, seen.catalog.copy(), seen.now, lambda: str(uuid_utils.uuid7()))
    # A batch is told with its levels of which products somebody waits who may be served elsewhere.
    roaming = sa.select(_hold.product_id).where(
        _hold.org_id == stock.org_id, ROAMING, among(connection, _hold.product_id, _products_of(levels))
    )
    stock.roaming_products.update(connection.execute(roaming.distinct()).scalars())
    _put(connection, stock, levels, seen)
    asking = cast(BatchSession, _Asking(connection))
    for _ in range(SETTLING_ROUNDS_MAX):
        mark = stock.mark()
        try:
            settle(stock)
            break
        except Missing as missing:
            stock.undo(mark)
            keys = {(want.product_id, want.location_id) for want in missing.wants if isinstance(want, LevelAt)}
            if keys:
                _put(connection, stock, _levels_at(connection, stock, keys), seen)
                stock.locked.update(keys)
            load_more(asking, stock, [want for want in missing.wants if not isinstance(want, LevelAt)])
    else:
        raise RuntimeError("settling asked for ever more")
    for level in stock.levels.values():
        if level.id in stock.fresh:
            seen.begun[level.id] = level
        else:
            seen.levels[level.id] = level
            seen.lots.update(((level.id, lot_id), at) for lot_id, at in stock.lots_at[level.id].items())
    seen.holds.update((hold.id, hold) for hold in stock.reservations.values())
    seen.changed.update((name, hold) for name, hold in stock.touched().reservations.items() if hold.active)
    seen.made += stock.new_holds((0, 0, 0)).values()
    seen.moves.extend(_moves_of(stock))


def _moves_of(stock: Stock) -> Iterator[Move]:
    """Which expired lots the ledger entries of the run have taken from where into which quarantine."""
    out: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for entry in stock.entries:
        if entry.ref_type == "EXPIRY" and entry.qty_delta < 0 and entry.lot_id is not None:
            sums = out[entry.level_id, entry.lot_id]
            sums[0] -= entry.qty_delta
            sums[1] -= entry.value_delta
    corners = corners_of(stock.catalog)
    for (level_id, lot_id), (units, value) in out.items():
        level = stock.level_of_id[level_id]
        yield Move(level_id, lot_id, (level.product_id, corners[level.location_id]), units, value)


def _levels_at(connection: sa.Connection, stock: Stock, keys: Collection[LevelKey]) -> list[Level]:
    """The levels at (product id, location id) that exist."""
    products = {key[0] for key in keys}
    query = sa.select(*_LEVEL_COLUMNS).where(
        _level.org_id == stock.org_id, among(connection, _level.product_id, products)
    )
    return [level for level in _read(Level, connection.execute(query)) if (level.product_id, level.location_id) in keys]


def _put(
    connection: sa.Connection,
    stock: Stock,
    levels: list[Level],
    seen: Foreseen,
) -> None:
    """Bring levels into the stock with their open lots and their expired holds."""
    new = [level for level in levels if level.id not in stock.level_of_id]
    if not new:
        return
    for level in new:
        key = (level.product_id, level.location_id)
        stock.locked.add(key)
        seen.before[level.id] = level
        stock.levels[key] = stock.level_of_id[level.id] = replace(level)
        stock.lots_at[level.id] = {}
    names = [level.id for level in new]
    query = (
        sa.select(*_STOCK_COLUMNS, *(column.label(f"lot_{column.name}") for column in _LOT_COLUMNS))
        .join(schema.lot, (_lot.org_id == _stock.org_id) & (_lot.id == _stock.lot_id))
        .where(_stock.org_id == stock.org_id, among(connection, _stock.level_id, names), OPEN)
    )
    width = len(_STOCK_COLUMNS)
    for row in connection.execute(query):
        at, lot = row_type(LotStock).read(row[:width]), row_type(Lot).read(row[width:])
        stock.lots.setdefault(lot.id, lot)
        stock.know_lot_stock(at)
    for index, hold in enumerate(_expired_of(connection, seen, names)):
        if index < RELEASED_MAX:
            stock.know_hold(hold)
        else:
            _forget(stock, hold, seen.now)


def _forget(stock: Stock, hold: Reservation, now: int) -> None:
    """Take an expired hold off the sums that it is part of."""
    level = stock.level_of_id[hold.level_id]
    level.reserved -= hold.allocated
    level.backordered -= hold.backordered
    for lot_id, units in hold.allocations:
        stock.lots_at[level.id][lot_id].reserved -= units
    stock.know_hold(hold_as_settled(hold, now))


class _Asking:
    """A read's own view, asked as a batch asks its session: the same queries, and nothing is locked."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name

    def fetch(self, sql: str, **parameters: Any) -> list[Row]:
        """Rows of a query with `:name` parameters."""
        bare = sql.replace(" FOR UPDATE", "")
        rows = self._connection.exec_driver_sql(bare if self.dialect == "sqlite" else _percent(bare), parameters)
        return [[str(value) if isinstance(value, UUID) else value for value in row] for row in rows]

    def fetch_all(self, queries: Sequence[Query]) -> list[list[Row]]:
        """The rows of several queries."""
        return [self.fetch(query.sql, **query.parameters) for query in queries]


def _read(struct: type[Any], rows: Iterable[Any]) -> Iterator[Any]:
    read = row_type(struct).read
    return (read(row) for row in rows)
