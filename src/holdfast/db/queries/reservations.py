"""Reservations: lists with filters, and single ones.

How a list is found depends on its most selective filter. An order, a target and active holds of a level have indexes.
The closed holds of a product or a lot have none (each would be paid on every hold for ever): while their levels'
ledgers are short the holds are found through those, else they are dense enough among all holds to be met by scanning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.documents import reservation_document
from holdfast.core.records.stock import Lot, Reservation
from holdfast.core.stock.foreseen_id import ids_around
from holdfast.db import schema
from holdfast.db.batch.rows import row_type
from holdfast.db.queries.as_of import given_rows, stretches_of_lot
from holdfast.db.queries.catalog import columns_of, places_of, product_of, products_of
from holdfast.db.queries.filters import LOCATION, PRODUCT, SOURCE, STATUS, Filter
from holdfast.db.queries.paging import (
    EMPTY,
    Found,
    Json,
    Page,
    Part,
    Stores,
    among,
    as_id,
    bounded,
    id_of_cursor,
    newest,
    page_of,
    pieces,
)
from holdfast.db.queries.settled import Foreseen, foresee, foresee_holds, stirring
from holdfast.db.queries.settling import ACTIVE, instant

_hold, _level, _ledger, _lot = schema.reservation.c, schema.level.c, schema.ledger.c, schema.lot.c
COLUMNS = columns_of(schema.reservation, Reservation)

AROUND_MAX = 20
"""Most holds that are looked at to find the one off which another one will be split: ids lie far apart."""

STIRRED_MAX = 100
"""Holds that may move when what has ended is settled, of one page; a page that has more of them ends before them."""

LEDGER_MAX = 3_000
"""Up to so many ledger entries the holds of levels are looked up through them."""


class ReservationFilter(Filter, frozen=True, kw_only=True):
    """Which reservations; `reserved_for_id` is the id of their target."""

    product: Annotated[str | None, PRODUCT] = None
    order_number: Annotated[str | None, Meta(description="Only for this order.")] = None
    status: Annotated[Literal["active", "consumed", "released"] | None, STATUS] = None
    source: Annotated[str | None, SOURCE] = None
    lot_id: Annotated[str | None, Meta(description="Only backed by, or pinned to, this lot.")] = None
    location: Annotated[str | None, LOCATION] = None
    reserved_for_id: str | None = None


def listed(connection: sa.Connection, catalog: Catalog, filters: ReservationFilter, part: Part) -> Page:
    """A page of reservations; expired ones are shown and found as released (or consumed)."""
    before, limit, org_id, now = id_of_cursor(part.cursor), bounded(part.limit), catalog.settings.id, part.now
    places = places_of(catalog, stores=part.stores, location=filters.location)
    where = _conditions(filters, places, now)
    if where is None:
        return EMPTY
    indexed = filters.order_number is not None or filters.reserved_for_id is not None
    if not indexed and (filters.product is not None or filters.lot_id is not None):
        stretches = _stretches(connection, catalog, filters, places)
        if not stretches:
            return EMPTY
        where.append(_hold.level_id.in_(list(stretches)))
        if filters.status == "active":
            indexed = True
        elif sum(high - low for low, high in stretches.values()) <= LEDGER_MAX:
            where.append(_hold.id.in_(_named_in_ledgers(connection, org_id, stretches)))
            indexed = True
    elif filters.product is not None:
        product = product_of(connection, org_id, filters.product)
        if product is None:
            return EMPTY
        where.append(_hold.product_id == product.id)
    if filters.product is not None or filters.lot_id is not None:
        stirred = foresee(connection, catalog, now, _products_named(connection, catalog, filters))
        if stirred.changed:
            where.append(sa.not_(among(connection, _hold.id, stirred.changed)))
        found = newest(
            connection, schema.reservation, COLUMNS, org_id, where, before=before, limit=limit, indexed=indexed
        )
        found = found._replace(rows=read(found.rows))
    else:
        found = newest(
            connection, schema.reservation, COLUMNS, org_id, where, before=before, limit=limit, indexed=indexed
        )
        holds = read(found.rows)
        floor = holds[limit - 1].id if len(holds) > limit else found.floor
        stirred, floor = _foreseen(connection, catalog, filters, now, before, floor)
        kept = [hold for hold in holds if hold.id not in stirred.changed and (floor is None or hold.id >= floor)]
        found = Found(kept, floor)
    own = [hold for hold in stirred.changed.values() if _fits(filters, places, hold)]
    found = _merged(found, own, before)
    return page_of(found, limit, lambda holds: describe(connection, catalog, holds, now, stirred))


def _products_named(connection: sa.Connection, catalog: Catalog, filters: ReservationFilter) -> set[str]:
    """The product of the lot or product that is asked for, if there is one."""
    if filters.lot_id is not None:
        lots = lots_of(connection, catalog.settings.id, [name] if (name := as_id(filters.lot_id)) else [])
        return {lot.product_id for lot in lots.values()}
    product = product_of(connection, catalog.settings.id, filters.product or "")
    return set() if product is None else {product.id}


def _foreseen(
    connection: sa.Connection,
    catalog: Catalog,
    filters: ReservationFilter,
    now: int,
    before: str | None,
    floor: str | None,
) -> tuple[Foreseen, str | None]:
    """What settling will have moved or split of the holds below `before`, down to the `floor` (None: to the last one):
    such holds are listed as they will be. Beside it, the id down to which that is known, the floor or one above it."""
    if filters.status not in (None, "active"):
        return Foreseen(catalog, now), floor
    # A hold that will be split off has what names its order and target from the first one, and lies next to it.
    lowest = None if floor is None else ids_around(floor)[0]
    highest = None if before is None else ids_around(before)[1]
    count = STIRRED_MAX
    while True:
        holds = stirring(connection, catalog, now, _inherited(filters), (lowest, highest), count)
        known = floor if len(holds) < count else ids_around(holds[-1][0])[1]
        if known == floor or before is None or (known is not None and known < before):
            return foresee(connection, catalog, now, {product_id for _, product_id in holds}), max(
                filter(None, (known, floor)), default=None
            )
        count *= 4


def _inherited(filters: ReservationFilter) -> list[sa.ColumnElement[bool]]:
    """The conditions that a hold and what is split off it both meet, or neither."""
    where: list[sa.ColumnElement[bool]] = []
    if filters.order_number is not None:
        where += [_hold.order_number.is_not(None), _hold.order_number == filters.order_number]
    if filters.reserved_for_id is not None:
        where += [_hold.reserved_for_id.is_not(None), _hold.reserved_for_id == as_id(filters.reserved_for_id)]
    if filters.source is not None:
        where.append(_hold.source == filters.source)
    return where


def _merged(found: Found, holds: Sequence[Reservation], before: str | None) -> Found:
    """What was found and those of the holds that belong among it, newest first."""
    inside = [
        hold
        for hold in holds
        if (before is None or hold.id < before) and (found.floor is None or hold.id >= found.floor)
    ]
    if not inside:
        return found
    rows = [*found.rows, *inside]
    return found._replace(rows=sorted(rows, key=lambda row: row.id, reverse=True))


def _fits(filters: ReservationFilter, places: Collection[str] | None, hold: Reservation) -> bool:
    """Is it one of those that are listed? The hold is alive and settled."""
    lot_id = as_id(filters.lot_id)
    return (
        filters.status in (None, "active")
        and (filters.order_number is None or hold.order_number == filters.order_number)
        and (filters.reserved_for_id is None or hold.reserved_for_id == as_id(filters.reserved_for_id))
        and (filters.source is None or hold.source == filters.source)
        and (filters.lot_id is None or lot_id == hold.lot_id or lot_id in dict(hold.allocations))
        and (places is None or hold.location_id in places)
    )


def _conditions(
    filters: ReservationFilter, places: Collection[str] | None, now: int
) -> list[sa.ColumnElement[bool]] | None:
    """The conditions on the reservation itself; None when nothing can match."""
    if filters.reserved_for_id is not None and as_id(filters.reserved_for_id) is None:
        return None
    where = _inherited(filters)
    if filters.lot_id is not None:
        name = as_id(filters.lot_id)
        if name is None:
            return None
        backed = sa.cast(_hold.allocations, sa.Text).contains(name)
        living = sa.or_(_hold.expires_at.is_(None), _hold.expires_at > now)
        where.append(sa.or_(_hold.lot_id == name, sa.and_(backed, living)))
    if places is not None:
        if not places:
            return None
        where.append(_hold.location_id.in_(places))
    if filters.status is not None:
        where.append(_status(filters.status, now))
    return where


def _status(status: str, now: int) -> sa.ColumnElement[bool]:
    """The condition that a reservation shows the status: expired ones show the one that settling will give them."""
    if status == "active":
        return sa.and_(ACTIVE, sa.or_(_hold.expires_at.is_(None), _hold.expires_at > now))
    partly = _hold.consumed > 0 if status == "consumed" else _hold.consumed == 0
    if status not in ("consumed", "released"):
        return sa.false()
    return sa.or_(_hold.status == status, sa.and_(_hold.status == "active", _hold.expires_at <= now, partly))


def _stretches(
    connection: sa.Connection, catalog: Catalog, filters: ReservationFilter, places: Collection[str] | None
) -> dict[str, tuple[int, int]]:
    """The levels that product, lot and location name together, each with the part of its ledger to look at."""
    org_id = catalog.settings.id
    of_lot = None if filters.lot_id is None else stretches_of_lot(connection, org_id, filters.lot_id)
    where = [_level.org_id == org_id]
    if filters.product is not None:
        product = product_of(connection, org_id, filters.product)
        if product is None:
            return {}
        where.append(_level.product_id == product.id)
    if of_lot is not None:
        where.append(_level.id.in_(list(of_lot)))
    if places is not None:
        where.append(_level.location_id.in_(places))
    levels = connection.execute(sa.select(_level.id, _level.seq).where(*where))
    return {name: (0, seq) if of_lot is None else of_lot[name] for name, seq in levels}


def _named_in_ledgers(connection: sa.Connection, org_id: str, stretches: Mapping[str, tuple[int, int]]) -> list[str]:
    """The ids of the reservations that entries of the stretches name."""
    kinds = {"level_id": schema.Id, "low": sa.BigInteger(), "high": sa.BigInteger()}
    given = given_rows(connection.dialect.name, kinds, [(name, *both) for name, both in stretches.items()])
    query = sa.select(_ledger.reservation_id).select_from(given)
    query = query.outerjoin(
        schema.ledger,
        sa.and_(
            _ledger.org_id == org_id,
            _ledger.level_id == given.c.level_id,
            _ledger.seq > given.c.low,
            _ledger.seq <= given.c.high,
        ),
    )
    return sorted({name for name in connection.execute(query).scalars() if name is not None})


def one(
    connection: sa.Connection, catalog: Catalog, reservation_id: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """A reservation by id, within the stores."""
    at, name = instant(now), as_id(reservation_id)
    if name is None:
        return None
    query = sa.select(*COLUMNS).where(_hold.org_id == catalog.settings.id, _hold.id == name)
    holds = read(connection.execute(query).all())
    seen = foresee_holds(connection, catalog, at, holds or _around(connection, catalog, name))
    found = seen.hold(holds[0]) if holds else seen.changed.get(name)
    if found is None or not catalog.shows(found.location_id, stores):
        return None
    return describe(connection, catalog, [found], at, seen)[0]


def _around(connection: sa.Connection, catalog: Catalog, split: str) -> list[Reservation]:
    """The holds off which settling may split one with that id."""
    low, high = ids_around(split)
    query = sa.select(*COLUMNS).where(
        _hold.org_id == catalog.settings.id, _hold.id.between(low, high), ACTIVE, _hold.served_from.is_not(None)
    )
    return read(connection.execute(query.limit(AROUND_MAX)).all())


def describe(
    connection: sa.Connection, catalog: Catalog, holds: Sequence[Reservation], now: int, stirred: Foreseen
) -> list[Json]:
    """Reservations as they go outside, as settled at `now`; of products in `stirred` that is known already."""
    org_id = catalog.settings.id
    others = [hold for hold in holds if hold.product_id not in stirred.products]
    seen = foresee_holds(connection, catalog, now, others)
    holds = [(stirred if hold.product_id in stirred.products else seen).hold(hold) for hold in holds]
    products = products_of(connection, org_id, {hold.product_id for hold in holds})
    lots = lots_of(connection, org_id, {lot_id for hold in holds for lot_id, _ in hold.allocations})
    return [
        msgspec.to_builtins(
            reservation_document(hold, products[hold.product_id], catalog.locations[hold.location_id], lots)
        )
        for hold in holds
    ]


def lots_of(connection: sa.Connection, org_id: str, ids: Collection[str]) -> dict[str, Lot]:
    """The lots with those ids, by id."""
    found: dict[str, Lot] = {}
    for part in pieces(sorted(ids)):
        query = sa.select(*columns_of(schema.lot, Lot)).where(_lot.org_id == org_id, _lot.id.in_(part))
        lots = [row_type(Lot).read(row) for row in connection.execute(query)]
        found.update((lot.id, lot) for lot in lots)
    return found


def read(rows: Sequence[Any]) -> list[Reservation]:
    read = row_type(Reservation).read
    return [read(row) for row in rows]
