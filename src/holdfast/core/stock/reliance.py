"""Locations that documents rely on: none is removed while something is left to do there.

    keep(stock, place)      -> None: it is there, and stays until this transaction has committed
    in_use(stock, place)    -> Rejected: "MAIN has stock of MUG-1." or None when nothing keeps it

An open count sheet or a transfer on the road names a location without touching a level there, so the lock of a level
does not protect it: `keep` locks the location's row for the documents that rely on it (they share the lock). A
command that removes the location locks it alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.records.organisation import Location
from holdfast.core.records.product import folded
from holdfast.core.records.rejection import Code, Rejected, invalid_state, not_found
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


def keep(stock: Stock, place: Location) -> Rejected | None:
    """Keep a location from being removed before this transaction commits; LOCATION_NOT_FOUND when it is gone."""
    if place.id in stock.born or stock.require(PlaceKept(place.id)):
        return None
    return not_found(Code.LOCATION_NOT_FOUND, "Location", place.code)


def gone_refusal(place: Location) -> Rejected | None:
    """Refuse to act at a location that was removed."""
    if place.active:
        return None
    return invalid_state(f"{place.code} was removed: nothing begins or comes in there any more.", location=place.code)


def removed_location(stock: Stock, reference: str) -> Location | None:
    """The removed location with that id, or the one with that code (any case) that was removed last."""
    code = folded(reference)
    known = [place for place in stock.catalog.locations.values() if not place.active]
    named = [place for place in known if place.id == reference] or [place for place in known if place.code == code]
    return max(named, key=lambda place: (place.updated_at, place.id), default=None)


def in_use(stock: Stock, place: Location) -> Rejected | None:
    """What keeps a location from being removed, moved or turned (INVALID_STATE naming it), or None.

    That is stock, a promise without stock, an open count, or a transfer from or to it that is on the road. The
    location and all its levels are locked by asking, so that nothing begins there before this transaction commits.
    """
    return next(_in_the_way(stock, place), None)


def _in_the_way(stock: Stock, place: Location) -> Iterator[Rejected]:
    stocked = set() if place.id in stock.born else _stocked_before(stock, place)
    for level in stock.levels.values():
        if level.location_id == place.id:
            stocked.discard(level.product_id)
            if level.on_hand or level.backordered:
                stocked.add(level.product_id)
    if stocked:
        product = stock.catalog.product(min(stocked))
        assert product is not None
        yield invalid_state(f"{place.code} has stock or promises of {product.sku}.", product_id=product.id)
    for sheet in stock.records_of("count_sheet"):
        if sheet.status == "draft" and sheet.location_id == place.id:
            yield invalid_state(f"{place.code} has the open count {sheet.id}: post or cancel it.", count_id=sheet.id)
    for transfer in stock.records_of("transfer"):
        if transfer.status == "shipped" and place.id in (transfer.from_location_id, transfer.to_location_id):
            detail = f"{place.code} has a transfer on the road: {transfer.id}."
            yield invalid_state(detail, transfer_id=transfer.id)


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
