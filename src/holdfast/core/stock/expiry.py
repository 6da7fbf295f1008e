"""Expiry: until when a lot may be sold where it lies.

    a lot of expires_on 2027-01-15 in Berlin   -> sellable there until 2027-01-15T23:00:00Z
    the store moves its clock to Auckland      -> until 2027-01-15T11:00:00Z, what lies there already too

The instant is kept beside the lot at its location, so that settling, sweeping and reading need no calendar. It is
worked out when a lot comes to lie somewhere, and anew when the store's time zone changes.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.organisation import Location, Store
from holdfast.core.records.stock import Lot, LotStock
from holdfast.core.records.time import end_of_day
from holdfast.core.records.wants import LotsWithDay, RecordById
from holdfast.core.stock.posting import Stock


def sellable_until(stock: Stock, lot: Lot, place: Location) -> int | None:
    """When the lot's expiry takes it off sale at the location: at its instant, or after its day there."""
    if not place.sellable:
        return None
    if lot.expires_on is not None:
        return end_of_day(lot.expires_on, stock.catalog.timezone_of(place))
    return lot.expires_at


def renew(stock: Stock, at: LotStock, lot: Lot, place: Location) -> None:
    """Work the instant out anew for a lot that comes back to where it lay: the place may have changed meanwhile."""
    until = sellable_until(stock, lot, place)
    if until != at.sellable_until:
        stock.set_sellable_until(at, until)


def follow_clock(stock: Stock, store: Store) -> None:
    """Work the instants out anew for all lots with a day that lie in a store whose time zone was just changed.

    The store's levels are locked for it, so no goods come in by the old clock meanwhile. Nor does a level begin: its
    first goods rely on their location being as it was (`updated_at`), and the locations change with the clock.
    """
    stock.require(LotsWithDay(store.id))
    places = {
        place.id: place
        for place in stock.catalog.locations.values()
        if place.store_id == store.id and place.active and place.sellable
    }
    stock.require(*(RecordById("location", name) for name in places if ("location", name) not in stock.records))
    for place_id in places:
        record = stock.record("location", place_id)
        moved = msgspec.structs.replace(record, updated_at=max(stock.now, record.updated_at + 1))
        stock.put_record("location", place_id, moved)
        stock.put_in_catalog(moved)
    for here in stock.lots_at.values():
        for at in here.values():
            if at.on_hand and at.location_id in places:
                renew(stock, at, stock.lots[at.lot_id], places[at.location_id])
