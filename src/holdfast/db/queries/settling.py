"""What time has ended but nobody has settled yet: expired holds and expired lots, by level.

    ended(connection, org_id, now, levels=[...])   -> {level id: Ended(held=2, waiting=0, expired=5)}
    as_settled(level, that)                        -> a level of the past without them
    due(connection, now, 1000)                     -> the levels that the sweeper settles next

A hold expires at its `expires_at`, a lot at its `sellable_until`. The next command at a level settles it. What a read
shows until then is worked out in `settled`. Nothing here writes.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from holdfast.core.records.stock import Level, Reservation
from holdfast.core.stock.holds import closed
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of
from holdfast.db.queries.paging import among, not_walked

_hold, _lots, _level = schema.reservation.c, schema.lot_stock.c, schema.level.c

_HOLD_COLUMNS = columns_of(schema.reservation, Reservation)

ACTIVE: sa.ColumnElement[bool] = sa.text("reservation.status = 'active'")  # type: ignore[assignment] # see below
ROAMING: sa.ColumnElement[bool] = sa.text("reservation.backordered > 0 AND reservation.served_from IS NOT NULL")  # type: ignore[assignment] # a condition all the same
OPEN: sa.ColumnElement[bool] = sa.text("lot_stock.is_open")  # type: ignore[assignment] # a condition all the same
"""Said in the very words of the partial indexes: with a parameter no planner would know that they apply."""


def instant(now: int | None) -> int:
    """The instant that decides what has expired: the given one (microseconds since 1970), or the clock's."""
    return time.time_ns() // 1000 if now is None else now


class Ended(NamedTuple):
    """Of one level, in smallest units: reserved by expired holds, backordered by them, on hand in expired lots."""

    held: int = 0
    waiting: int = 0
    expired: int = 0


def expired_holds(now: int) -> list[sa.ColumnElement[bool]]:
    """The condition that a reservation has expired."""
    return [ACTIVE, _hold.expires_at.is_not(None), _hold.expires_at <= now]


def expired_lots(now: int) -> list[sa.ColumnElement[bool]]:
    """The condition that a lot at a location has units but may not be sold any more."""
    return [OPEN, _lots.sellable_until.is_not(None), _lots.sellable_until <= now]


def ended(
    connection: sa.Connection, org_id: str, now: int, *, levels: Collection[str] | None = None
) -> dict[str, Ended]:
    """What has ended at each of the levels, or of the whole organisation; levels where nothing has are left out."""
    found: dict[str, Ended] = {}
    if levels is not None and not levels:
        return found
    held_here = [] if levels is None else [among(connection, _hold.level_id, levels)]
    lots_here = [] if levels is None else [among(connection, _lots.level_id, levels)]
    held = (
        sa.select(
            _hold.level_id,
            sa.func.sum(_hold.quantity - _hold.consumed - _hold.released - _hold.backordered),
            sa.func.sum(_hold.backordered),
        )
        .where(_hold.org_id == org_id, *expired_holds(now), *held_here)
        .group_by(_hold.level_id)
    )
    for level_id, allocated, waiting in connection.execute(held):
        found[level_id] = Ended(int(allocated), int(waiting))
    # Of all lots the few expired ones are found by their time, those of known levels by level.
    org = not_walked(connection, _lots.org_id) if levels is None else _lots.org_id
    expired = (
        sa.select(_lots.level_id, sa.func.sum(_lots.on_hand))
        .where(org == org_id, *expired_lots(now), *lots_here)
        .group_by(not_walked(connection, _lots.level_id) if levels is None else _lots.level_id)
    )
    for level_id, units in connection.execute(expired):
        found[level_id] = found.get(level_id, Ended())._replace(expired=int(units))
    return found


def as_settled(level: Level, over: Ended | None, moved: int = 0) -> Level:
    """The level, as it stood at some instant, without expired lots and expired holds, and with the waiting served.

    `moved` units (smallest ones) of promises come from other levels, or go there. A promise that waits is reckoned as
    served by whatever is free, also one that waits for a certain lot.
    """
    if over is None and not moved:
        return level
    over = over or Ended()
    on_hand = level.on_hand - over.expired
    stays = level.reserved - over.held + level.backordered - over.waiting
    promised = stays + max(moved, -stays)  # what began to wait since then may move too, but was not there yet
    reserved = min(on_hand, promised)
    return msgspec.structs.replace(level, on_hand=on_hand, reserved=reserved, backordered=promised - reserved)


def gone_units(connection: sa.Connection, org_id: str, now: int) -> sa.CTE | None:
    """Units in expired lots as rows (level_id, units) of the organisation; None when there are none."""
    org = not_walked(connection, _lots.org_id)
    expired = [org == org_id, *expired_lots(now)]
    if connection.execute(sa.select(_lots.lot_id).where(*expired).limit(1)).first() is None:
        return None
    query = sa.select(_lots.level_id.label("level_id"), sa.func.sum(_lots.on_hand).label("units")).where(*expired)
    return query.group_by(not_walked(connection, _lots.level_id)).cte("gone").prefix_with("MATERIALIZED")


def hold_as_settled(hold: Reservation, now: int) -> Reservation:
    """The hold as settling would leave it: a expired one is released (or, partly consumed, consumed)."""
    if not hold.active or hold.expires_at is None or hold.expires_at > now:
        return hold
    over = msgspec.structs.replace(
        hold,
        released=hold.released + hold.open,
        backordered=0,
        allocations=(),
        updated_at=max(hold.updated_at, hold.expires_at),
    )
    return closed(over, "expired")


def due(connection: sa.Connection, now: int, limit: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """(organisation, [(product id, location id), ...]) of at most `limit` levels where something has ended."""
    holds = (
        sa.select(_hold.org_id, _hold.product_id, _hold.location_id).where(*expired_holds(now)).distinct().limit(limit)
    )
    lots = (
        sa.select(_lots.org_id, _level.product_id, _level.location_id)
        .join(schema.level, (_level.org_id == _lots.org_id) & (_level.id == _lots.level_id))
        .where(*expired_lots(now))
        .distinct()
        .limit(limit)
    )
    levels: dict[str, set[tuple[str, str]]] = {}
    count = 0
    for org_id, product_id, location_id in [*connection.execute(lots), *connection.execute(holds)]:
        pair = (product_id, location_id)
        known = levels.setdefault(org_id, set())
        if pair not in known and count < limit:
            known.add(pair)
            count += 1
    return [(org_id, sorted(pairs)) for org_id, pairs in levels.items() if pairs]
