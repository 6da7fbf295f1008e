"""Who may act where, said before anything is changed; the gate stops a command that forgets to ask.

foreign_store_refusal(stock, place)      -> FORBIDDEN for a caller of other stores, or None
was_theirs(stock, lot_id)                -> False when the lot was never at a store of the caller's
"""

from __future__ import annotations

from holdfast.core.records.organisation import Location
from holdfast.core.records.rejection import (
    Code,
    Rejected,
)
from holdfast.core.stock.gate import OTHER_STORE
from holdfast.core.stock.posting import Stock


def foreign_store_refusal(stock: Stock, place: Location) -> Rejected | None:
    """Refuse a location of a store that the caller is not assigned to."""
    stores = stock.caller.stores
    if stores is not None and place.store_id not in stores:
        return Rejected(Code.FORBIDDEN, OTHER_STORE)
    return None


def was_theirs(stock: Stock, lot_id: str) -> bool:
    """Has or had the lot units at a location of the caller's stores? The road is no store's."""
    stores = stock.caller.stores
    if stores is None:
        return True
    places = [stock.catalog.locations[name] for name in stock.places_ever_of_lot(lot_id)]
    return any(place.kind != "transit" and place.store_id in stores for place in places)
