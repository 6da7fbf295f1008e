"""Settling: what time has ended is carried out before a command is decided.

    a hold has expired at 12:00             -> its units go back to their lots, and serve the holds that wait
    a lot has expired where it lies         -> its units go to the quarantine of their store

Every command finds the levels that it locks as they are now; a sweep does the same for those that nobody asks about.
"""

from __future__ import annotations

from sys import maxsize

from holdfast.core.records.ledger import RefType
from holdfast.core.records.number import share_of_value
from holdfast.core.records.organisation import Location
from holdfast.core.records.stock import Level, Lot, LotStock
from holdfast.core.records.time import instant_text
from holdfast.core.stock.backorders import seek, serve_waiting
from holdfast.core.stock.caller import SYSTEM
from holdfast.core.stock.holds import release_units
from holdfast.core.stock.lots import ask_for_lots_at, lot_at, put_in
from holdfast.core.stock.low_stock import tell_low_stock
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.shortages import vacate, vacate_lots


def settle(stock: Stock) -> None:
    """Do what time has made due at the loaded levels: release expired holds (oldest first), set expired lots aside.

    It goes by the levels' ids, so that a read and the next command come to the same, however their levels were loaded.
    """
    caller, stock.caller = stock.caller, SYSTEM
    stock.entries_max = maxsize  # what is loaded bounds it
    try:
        levels = sorted(stock.levels.values(), key=lambda level: level.id)
        stock.each(levels, lambda _, level: _settle_level(stock, level))
        if stock.holds_to_place:
            seek(stock)
        for level_id in stock.level_of_id.keys() & stock.expired_holds.keys():
            del stock.expired_holds[level_id]
    finally:
        stock.caller = caller


def _settle_level(stock: Stock, level: Level) -> None:
    expired = [stock.reservations[name] for name in stock.expired_holds.get(level.id, ())]
    for hold in sorted(expired, key=lambda hold: (hold.expires_at or 0, hold.id)):
        hold = stock.reservations[hold.id]
        if hold.active and hold.expires_at is not None and hold.expires_at <= stock.now:
            release_units(stock, hold, hold.open, "expired")
    _set_expired_aside(stock, level)


def _set_expired_aside(stock: Stock, level: Level) -> None:
    expired = [
        at
        for at in stock.lots_at[level.id].values()
        if at.on_hand and at.sellable_until is not None and at.sellable_until <= stock.now
    ]
    if not expired:
        return
    expired.sort(key=lambda at: at.lot_id)
    cause = Cause(SYSTEM.actor, reason="expired")
    ask_for_lots_at(stock, _quarantine_level(stock, level), expired)
    for at in expired:
        if at.free:
            set_aside(stock, level, at, at.free, cause, "EXPIRY")
    left = [at for at in expired if at.on_hand]
    vacate_lots(stock, level, [(at, at.on_hand) for at in left], cause)
    for at in left:
        if at.on_hand:
            set_aside(stock, level, at, at.on_hand, cause, "EXPIRY")
    serve_waiting(stock, level, SYSTEM.actor)


def _quarantine_level(stock: Stock, level: Level) -> Level:
    """The level of the same product in the store's quarantine location."""
    quarantine = stock.catalog.quarantine_of(stock.catalog.locations[level.location_id])
    return stock.open_level(level.product_id, quarantine.id)


def set_aside(stock: Stock, level: Level, at: LotStock, units: int, cause: Cause, ref_type: RefType) -> list[str]:
    """Move a lot's units to the store's quarantine location; the ids of the holds that lost units."""
    place = stock.catalog.locations[level.location_id]
    quarantine = _quarantine_level(stock, level)
    lot = stock.lots[at.lot_id]
    there = lot_at(stock, quarantine, lot)
    shorted = vacate(stock, level, at, units, cause)
    before = level.on_hand
    value = share_of_value(at.value, at.on_hand, units)
    stock.post(cause, level, at, ref_type, qty=-units, value=-value)
    put_in(stock, cause, quarantine, lot, units, value, ref_type)
    stock.set_origins(there, with_origin(there.origins, place.id, units))
    tell_low_stock(stock, level, before)
    tell_quarantined(stock, lot, place, units, cause)
    return shorted


def with_origin(origins: tuple[tuple[str, int], ...], location_id: str, units: int) -> tuple[tuple[str, int], ...]:
    known = dict(origins)
    known[location_id] = known.get(location_id, 0) + units
    return tuple(known.items())


def without_origin(
    origins: tuple[tuple[str, int], ...], units: int, first: str | None = None
) -> tuple[tuple[str, int], ...]:
    """The origins after `units` left quarantine, those of location `first` before the others."""
    left = []
    for name, held in sorted(origins, key=lambda pair: pair[0] != first):
        gone = min(units, held)
        units -= gone
        if held > gone:
            left.append((name, held - gone))
    return tuple(left)


def tell_quarantined(stock: Stock, lot: Lot, place: Location, units: int, cause: Cause) -> None:
    product = stock.catalog.product(lot.product_id)
    assert product is not None
    stock.tell(
        "LotQuarantined",
        lot.product_id,
        {
            "lot_id": lot.id,
            "lot_code": lot.code,
            "product_id": product.id,
            "sku": product.sku,
            "location": place.code,
            "store_id": place.told_to,
            "quantity": product.number(units),
            "reason": cause.reason,
            "timestamp": instant_text(stock.now),
        },
    )
