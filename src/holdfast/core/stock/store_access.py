"""Who may act where, said before anything is changed; the gate stops a command that forgets to ask.

refuse_foreign_store(stock, place)       -> FORBIDDEN for a caller of other stores
was_theirs(stock, lot_id)                -> False when the lot was never at a store of the caller's
"""

from __future__ import annotations

from holdfast.core.records.organisation import Location
from holdfast.core.records.rejection import Code, Refused
from holdfast.core.stock.gate import OTHER_STORE
from holdfast.core.stock.posting import Stock


def refuse_foreign_store(stock: Stock, place: Location) -> None:
    """Refuse a location of a store that the caller is not assigned to."""
    if not may_act_at(stock, place):
        raise Refused(Code.FORBIDDEN, OTHER_STORE)


def refuse_foreign_location(stock: Stock, location: str | None) -> None:
    """Refuse a location (code or id) of another store. One that does not exist is told of later."""
    place = None if location is None else stock.catalog.location(location)
    if place is not None:
        refuse_foreign_store(stock, place)


def may_act_at(stock: Stock, place: Location) -> bool:
    """Is the location of a store that the caller is assigned to?"""
    return stock.caller.stores is None or place.store_id in stock.caller.stores


def was_theirs(stock: Stock, lot_id: str) -> bool:
    """Has or had the lot units at a location of the caller's stores? The road is no store's."""
    stores = stock.caller.stores
    if stores is None:
        return True
    places = [stock.catalog.locations[name] for name in stock.places_ever_of_lot(lot_id)]
    return any(place.kind != "transit" and place.store_id in stores for place in places)
