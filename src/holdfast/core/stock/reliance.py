"""Locations that documents rely on: none is removed while something is left to do there.

    keep(stock, place)             -> it is there, and stays until this transaction has committed
    refuse_in_use(stock, place)    -> INVALID_STATE: "MAIN has stock of MUG-1."

An open count sheet or a transfer on the road names a location without touching a level there, so the lock of a level
does not protect it: `keep` locks the location's row for the documents that rely on it (they share the lock). A
command that removes the location locks it alone.
"""

from __future__ import annotations

from typing import Any

from holdfast.core.records.organisation import Location
from holdfast.core.records.product import folded
from holdfast.core.records.rejection import Code, invalid_state, not_found
from holdfast.core.records.status import DRAFT, SHIPPED
from holdfast.core.records.wants import (
    LevelsWithStock,
    OpenSheets,
    PlaceKept,
    RecordById,
    TransfersFrom,
    TransfersTo,
    Want,
)
from holdfast.core.stock.posting import Stock


def keep(stock: Stock, place: Location) -> None:
    """Keep a location from being removed before this transaction commits; LOCATION_NOT_FOUND when it is gone."""
    if place.id not in stock.born and not stock.require(PlaceKept(place.id)):
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", place.code)


def refuse_gone(place: Location) -> None:
    """Refuse to act at a location that was removed."""
    if not place.active:
        words = f"{place.code} was removed: nothing begins or comes in there any more."
        raise invalid_state(words, location=place.code)


def removed_location(stock: Stock, reference: str) -> Location | None:
    """The removed location with that id, or the one with that code (any case) that was removed last."""
    code = folded(reference)
    known = [place for place in stock.catalog.locations.values() if not place.active]
    named = [place for place in known if place.id == reference] or [place for place in known if place.code == code]
    return max(named, key=lambda place: (place.updated_at, place.id), default=None)


def refuse_in_use(stock: Stock, place: Location, **numbers: Any) -> None:
    """Refuse to remove, move or turn a location while something keeps it (INVALID_STATE naming it, with `numbers`).

    That is stock, a promise without stock, an open count, or a transfer from or to it that is on the road. The
    location and all its levels are locked by asking, so that nothing begins there before this transaction commits.
    """
    stocked = set() if place.id in stock.born else _stocked_before(stock, place)
    for level in stock.levels.values():
        if level.location_id == place.id:
            stocked.discard(level.product_id)
            if level.on_hand or level.backordered:
                stocked.add(level.product_id)
    if stocked:
        product = stock.catalog.product(min(stocked))
        assert product is not None
        raise invalid_state(f"{place.code} has stock or promises of {product.sku}.", product_id=product.id, **numbers)
    for sheet in stock.records_of("count_sheet"):
        if sheet.status == DRAFT and sheet.location_id == place.id:
            detail = f"{place.code} has the open count {sheet.id}: post or cancel it."
            raise invalid_state(detail, count_id=sheet.id, **numbers)
    for transfer in stock.records_of("transfer"):
        if transfer.status == SHIPPED and place.id in (transfer.from_location_id, transfer.to_location_id):
            detail = f"{place.code} has a transfer on the road: {transfer.id}."
            raise invalid_state(detail, transfer_id=transfer.id, **numbers)


def _stocked_before(stock: Stock, place: Location) -> set[str]:
    """Products that the location had when it was loaded; it, its levels, open counts and transfers are locked."""
    location = RecordById("location", place.id)
    wants: list[Want] = [
        OpenSheets(place.id),
        TransfersFrom(place.id),
        TransfersTo(place.id),
        LevelsWithStock(place.id),
    ]
    stock.require(*(() if ("location", place.id) in stock.records else (location,)), *wants)
    names = {*stock.require(TransfersFrom(place.id)), *stock.require(TransfersTo(place.id))}
    stock.require(*(RecordById("transfer", name) for name in names if ("transfer", name) not in stock.records))
    return {*stock.require(LevelsWithStock(place.id))}
