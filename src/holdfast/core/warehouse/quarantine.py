"""Recall: lots that may not be sold (docs/why/lots.md).

    Quarantine lot A7   -> its units everywhere move to each store's quarantine location; its holds give way
    Release lot A7      -> the units go back where they came from and serve the holds that wait
    Write off lot A7    -> the units are gone, their value is lost (ADJUSTMENT)

An expired lot goes the same way by itself (EXPIRY): `core.stock.settling`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.documents import lot_fields
from holdfast.core.records.number import Number, share_of_value
from holdfast.core.records.organisation import Location
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import (
    Code,
    Refused,
    invalid_quantity,
    invalid_state,
    not_found,
)
from holdfast.core.records.status import ACTIVE, PARTLY_RELEASED, QUARANTINED, SHIPPED
from holdfast.core.records.stock import Level, Lot, LotStock
from holdfast.core.records.wants import LotById, PlacesOfLot, RecordById, TransfersFrom, TransfersTo, Want
from holdfast.core.stock.backorders import serve_waiting
from holdfast.core.stock.gate import OTHER_STORE, is_of
from holdfast.core.stock.lots import lot_at
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.settling import set_aside, without_origin
from holdfast.core.stock.shortages import remove_units
from holdfast.core.stock.store_access import may_act_at, refuse_foreign_store, was_theirs

replace = msgspec.structs.replace


class Quarantine(Command, frozen=True, gc=False):
    """Take a lot off sale everywhere."""

    lot_id: str
    reason: str | None = None


class ReleaseFromQuarantine(Command, frozen=True, gc=False):
    """Bring a lot's units (default: all in quarantine) back to `location`, or to where they came from."""

    lot_id: str
    location: str | None = None
    quantity: Number | None = None
    reason: str | None = None


class WriteOff(Command, frozen=True, gc=False):
    """Lose a lot's units (default: all that are in quarantine, else all) at `location` or wherever they lie."""

    lot_id: str
    location: str | None = None
    quantity: Number | None = None
    reason: str | None = None


class LotsDocument(msgspec.Struct, frozen=True, gc=False):
    """A lot and where it lies after a recall command; `shorted` are holds that lost units."""

    id: str
    lot_code: str | None
    product_id: str
    status: str
    locations: list[dict[str, Any]]
    shorted: list[str]


def _lot(stock: Stock, lot_id: str) -> Lot:
    """The lot with every level where it lies locked."""
    stock.require(LotById(lot_id), PlacesOfLot(lot_id))
    lot = stock.lots.get(lot_id)
    if lot is None:
        raise not_found(Code.LOT_NOT_FOUND, "Lot", lot_id)
    stock.levels_of_lot(lot)
    return lot


def _lies_at(stock: Stock, lot: Lot) -> list[tuple[Level, LotStock]]:
    """Where the lot has units, in order of location code."""
    found = []
    levels = stock.levels_of_lot(lot)
    stock.ask_for_lot_stocks((level, lot.id) for level in levels)
    for level in levels:
        at = stock.lot_stock(level, lot.id)
        if at is not None and at.on_hand:
            found.append((level, at))
    codes = stock.catalog.locations
    return sorted(found, key=lambda pair: codes[pair[0].location_id].code)


def _refuse_foreign(stock: Stock, lot: Lot, places: list[Location]) -> None:
    """Refuse a caller who may not act at one of the places; when there are none, one who has no unit of the lot."""
    if places:
        for place in places:
            refuse_foreign_store(stock, place)
    elif not _units_of(stock, lot).own:
        _refuse_shared(stock, lot)


class _Units(NamedTuple):
    """A lot's units: in the caller's stores, in other stores, on the road."""

    own: int
    foreign: int
    road: int


def _units_of(stock: Stock, lot: Lot) -> _Units:
    own = foreign = road = 0
    for level, at in _lies_at(stock, lot):
        place = stock.catalog.locations[level.location_id]
        if place.kind == "transit":
            road += at.on_hand
        elif may_act_at(stock, place):
            own += at.on_hand
        else:
            foreign += at.on_hand
    return _Units(own, foreign, road)


def _refuse_shared(stock: Stock, lot: Lot) -> None:
    """Refuse a caller of some stores who does not have the lot alone.

    They have it alone when other stores have no unit of it and what is on the road goes from or to their stores; an
    empty lot must have been at one of them.
    """
    if stock.caller.stores is None:
        return
    units = _units_of(stock, lot)
    alone = not units.foreign and (not units.road or _road_is_theirs(stock, lot, units.road))
    if not alone or not (units.own or units.road or was_theirs(stock, lot.id)):
        raise Refused(Code.FORBIDDEN, OTHER_STORE)


def _road_is_theirs(stock: Stock, lot: Lot, units: int) -> bool:
    """Do transfers from or to the caller's stores carry all the units of the lot that are on the road?"""
    stores = stock.caller.stores or frozenset()
    places = [place.id for place in stock.catalog.locations.values() if place.store_id in stores]
    transfers: list[Want] = [kind(place) for place in places for kind in (TransfersFrom, TransfersTo)]
    stock.require(*transfers)
    names = {name for want in transfers for name in stock.require(want)}
    stock.require(*(RecordById("transfer", name) for name in names if ("transfer", name) not in stock.records))
    carried: int = sum(
        shipped.on_the_road
        for transfer in stock.records_of("transfer")
        if transfer.status == SHIPPED and is_of(stock, stores, transfer)
        for shipped in transfer.lots
        if shipped.lot_id == lot.id
    )
    return carried >= units


def quarantine(stock: Stock, command: Quarantine) -> LotsDocument:
    """Decide a Quarantine. Units on the road stay there and are diverted when they arrive.

    It takes the whole lot off sale, so a caller of some stores has to have it alone.
    """
    lot = _lot(stock, command.lot_id)
    sellable = [
        (level, at) for level, at in _lies_at(stock, lot) if stock.catalog.locations[level.location_id].sellable
    ]
    _refuse_shared(stock, lot)
    if lot.status == QUARANTINED:
        raise invalid_state(f"Lot {lot.code or lot.id} is {lot.status}.")
    lot = replace(lot, status=QUARANTINED)
    stock.put_lot(lot)
    cause = Cause(stock.caller.actor, ref_id=lot.id, reason=command.reason)

    def move(_: int, lies: tuple[Level, LotStock]) -> list[str]:
        level, at = lies
        lost = set_aside(stock, level, at, at.on_hand, cause, "TRANSFER")
        serve_waiting(stock, level, stock.caller.actor)
        return lost

    shorted = [name for lost in stock.each(sellable, move) for name in lost]
    return _describe(stock, lot, shorted)


def release_from_quarantine(stock: Stock, command: ReleaseFromQuarantine) -> LotsDocument:
    """Decide a ReleaseFromQuarantine."""
    lot = _lot(stock, command.lot_id)
    target = None if command.location is None else stock.catalog.location(command.location)
    aside = [
        (level, at)
        for level, at in _lies_at(stock, lot)
        if stock.catalog.locations[level.location_id].kind == "quarantine"
    ]
    if target is not None:
        refuse_foreign_store(stock, target)
    _refuse_foreign(stock, lot, _touched_by_readmission(stock, aside, target))
    if command.location is not None and target is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", command.location)
    if target is not None and not target.sellable:
        raise Refused(Code.INVALID_REQUEST, f"{target.code} is not sellable.", {"field": "location"})
    units = _asked(stock, lot, command.quantity, aside, "in quarantine")
    cause = Cause(stock.caller.actor, ref_id=lot.id, reason=command.reason)
    if lot.status != ACTIVE:
        lifted = _lifts_the_recall(stock, lot, units, whole=command.quantity is None)
        lot = replace(lot, status=ACTIVE if lifted else PARTLY_RELEASED)
        stock.put_lot(lot)
    parts: list[tuple[Level, LotStock, str, int]] = []
    for level, at in aside:
        known = sum(held for _, held in at.origins)
        for origin, held in (*at.origins, (level.location_id, max(0, at.on_hand - known))):
            part = min(units, held)
            if part:
                parts.append((level, at, origin, part))
                units -= part

    def bring(_: int, moved: tuple[Level, LotStock, str, int]) -> None:
        level, at, origin, part = moved
        place = target or _home(stock, stock.catalog.locations[origin])
        if not (place.active and place.sellable):
            raise invalid_state(f"The store of {place.code} has no selling location: name one.", field="location")
        _bring_back(stock, lot, level, at, part, place, cause)
        stock.set_origins(at, without_origin(at.origins, part, origin))

    stock.each(parts, bring)
    return _describe(stock, lot, [])


def _lifts_the_recall(stock: Stock, lot: Lot, released: int, *, whole: bool) -> bool:
    """Is the recall over when `released` units are back? A `whole` release ends it, also for units on the road.

    A caller of some stores does not end it while any unit is on the road or in another store.
    """
    if stock.caller.stores is not None:
        units = _units_of(stock, lot)
        if units.foreign or units.road:
            return False
    return whole or not _others_recalled(stock, lot, released)


def _others_recalled(stock: Stock, lot: Lot, released: int) -> bool:
    """Will units of the lot still lie in quarantine or be on the road when `released` are back?"""
    known = stock.catalog.locations
    away = [at.on_hand for level, at in _lies_at(stock, lot) if not known[level.location_id].sellable]
    return sum(away) > released


def _touched_by_readmission(
    stock: Stock, aside: list[tuple[Level, LotStock]], target: Location | None
) -> list[Location]:
    """Where units lie in quarantine, and where they would go."""
    known = stock.catalog.locations
    places = [known[level.location_id] for level, _ in aside]
    if target is None:
        places += [_home(stock, known[origin]) for _, at in aside for origin, _ in at.origins]
    return places


def _home(stock: Stock, place: Location) -> Location:
    """The place itself, or the first sellable location of its store when it is not sellable (any more)."""
    if place.sellable and place.active:
        return place
    return next(iter(stock.catalog.sellable_places(frozenset({place.store_id}), online=False)), place)


def _bring_back(stock: Stock, lot: Lot, level: Level, at: LotStock, units: int, place: Location, cause: Cause) -> None:
    back_level = stock.open_level(lot.product_id, place.id)
    value = share_of_value(at.value, at.on_hand, units)
    home = lot_at(stock, back_level, lot)
    if home.sellable_until is not None and home.sellable_until <= stock.now:
        raise Refused(Code.LOT_NOT_AVAILABLE, f"Lot {lot.code or lot.id} has expired.", {"lot_id": lot.id})
    stock.post(cause, level, at, "TRANSFER", qty=-units, value=-value)
    stock.post(cause, back_level, home, "TRANSFER", qty=units, value=value)
    serve_waiting(stock, back_level, stock.caller.actor)


def _asked(stock: Stock, lot: Lot, quantity: Number | None, places: list[tuple[Level, LotStock]], where: str) -> int:
    """The units meant (default: all at the places); a refusal says what there is, and `where`."""
    product = stock.catalog.product(lot.product_id)
    assert product is not None
    there = sum(at.on_hand for _, at in places)
    if quantity is None and there:
        return there
    units = None if quantity is None else product.units(quantity)
    if quantity is not None and (units is None or units <= 0):
        raise invalid_quantity(product, quantity)
    if units is not None and units <= there:
        return units
    numbers = {"product_id": product.id, "available": product.number(there), "lot_id": lot.id}
    said = f"Lot {lot.code or lot.id} of {product.sku} has {product.number(there) or 'no units'} {where}"
    if units is None:
        raise Refused(Code.INSUFFICIENT_STOCK, f"{said}.", numbers)
    asked = product.number(units)
    raise Refused(Code.INSUFFICIENT_STOCK, f"{said}: {asked} requested.", {**numbers, "requested": asked})


def write_off(stock: Stock, command: WriteOff) -> LotsDocument:
    """Decide a WriteOff: a fact, so holds give way."""
    lot = _lot(stock, command.lot_id)
    places = _lies_at(stock, lot)
    known = stock.catalog.locations
    wanted = None if command.location is None else stock.catalog.location(command.location)
    if command.location is not None:
        places = [(level, at) for level, at in places if wanted is not None and level.location_id == wanted.id]
    else:
        aside = [pair for pair in places if known[pair[0].location_id].kind == "quarantine"]
        others = [pair for pair in places if known[pair[0].location_id].sellable]
        places = aside if aside and command.quantity is None else aside + others
    if wanted is not None:
        refuse_foreign_store(stock, wanted)
    _refuse_foreign(stock, lot, [known[level.location_id] for level, _ in places])
    if command.location is not None and wanted is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", command.location)
    if wanted is not None and wanted.kind == "transit":
        raise Refused(Code.INVALID_REQUEST, "What is on the road is written off by a short arrival.")
    units = _asked(stock, lot, command.quantity, places, "here" if wanted is None else f"at {wanted.code}")
    cause = Cause(stock.caller.actor, ref_id=lot.id, reason=command.reason)
    parts: list[tuple[Level, LotStock, int]] = []
    for level, at in places:
        part = min(units, at.on_hand)
        if part:
            parts.append((level, at, part))
            units -= part

    def lose(_: int, lost: tuple[Level, LotStock, int]) -> list[str]:
        level, at, part = lost
        shorted = remove_units(stock, level, at, part, cause, "ADJUSTMENT")[1]
        stock.set_origins(at, without_origin(at.origins, part))
        serve_waiting(stock, level, stock.caller.actor)
        return shorted

    shorted = [name for names in stock.each(parts, lose) for name in names]
    return _describe(stock, lot, shorted)


def _describe(stock: Stock, lot: Lot, shorted: list[str]) -> LotsDocument:
    """The lot, and the places of it that the caller may read."""
    product = stock.catalog.product(lot.product_id)
    assert product is not None
    rows = [
        lot_fields(lot, at, product, stock.catalog.locations[level.location_id], stock.settings)
        for level, at in _lies_at(stock, lot)
        if stock.catalog.shows(level.location_id, stock.caller.stores)
    ]
    return LotsDocument(lot.id, lot.code, product.id, lot.status, rows, shorted)


DECISIONS = (
    Decision(Quarantine, quarantine, Permission.MANAGE),
    Decision(ReleaseFromQuarantine, release_from_quarantine, Permission.MANAGE),
    Decision(WriteOff, write_off, Permission.MANAGE),
)
