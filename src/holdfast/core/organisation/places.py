"""Stores and locations: where stock lies, and what may change when.

    AddStore(code="EAST", timezone="Europe/Lisbon")           -> a store, with its quarantine location
    ChangeLocation("MAIN", reorder_points={"MUG-1": 5})       -> merged with those that there are; None removes one
    RemoveStore("EAST")                                       -> refused while something lies there

Codes come in any case and are kept in capitals. In a change `UNSET` leaves a field as it is. A place with stock, an
open till, the only transit location: what the organisation cannot do without stays. Nothing is deleted: what is removed
is no longer active, and its code is free again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.organisation.changes import existing, lock_organisation, put, refuse_taken_name, written
from holdfast.core.records.command import ALL_STORES, Command, Decision, given
from holdfast.core.records.field import Priority, StoreCode, Text, Timezone
from holdfast.core.records.number import Number
from holdfast.core.records.organisation import Location, LocationKind, Register, Store
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import Code, Refused, invalid_state, malformed, not_found
from holdfast.core.records.status import OPEN
from holdfast.core.records.wants import LastSession, PlacesOfKind, RecordById, RegistersOf
from holdfast.core.sales.register import sessions_of
from holdfast.core.stock.expiry import follow_clock
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.reliance import refuse_in_use

replace = msgspec.structs.replace

QUARANTINE_SUFFIX = "-QUARANTINE"
"""The quarantine location that every store is made with is called like the store, with this behind."""

CODE_MAX = 64
"""Most characters of a code."""


class AddStore(Command, frozen=True, gc=False, forbid_unknown_fields=True):
    """A store; it is made with a quarantine location. Its name is its code, its time zone the organisation's."""

    code: StoreCode
    name: Text | None = None
    timezone: Timezone | None = None


class StoreChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a store."""

    code: StoreCode | UnsetType = UNSET
    name: Text | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET


class ChangeStore(StoreChanges, frozen=True, gc=False):
    """Change a store (id or code)."""

    store_id: str


class RemoveStore(Command, frozen=True, gc=False):
    """Take away a store (id or code) with its locations and registers."""

    store_id: str


class AddLocation(Command, frozen=True, gc=False, forbid_unknown_fields=True):
    """A location of a store (id or code; not needed where there is only one); bins do not ship online by default.

    `reorder_points` are quantities by the id or SKU of a product.
    """

    code: StoreCode
    store_id: Text | None = None
    kind: LocationKind = "store"
    priority: Priority = 100
    ships_online: bool | None = None
    reorder_points: dict[Text, Number | None] = msgspec.field(default_factory=dict)


class LocationChanges(Command, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a location; `reorder_points` are merged, null removes one."""

    code: StoreCode | UnsetType = UNSET
    store_id: Text | UnsetType = UNSET
    kind: LocationKind | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    ships_online: bool | UnsetType = UNSET
    reorder_points: dict[Text, Number | None] | UnsetType = UNSET


class ChangeLocation(LocationChanges, frozen=True, gc=False):
    """Change a location (id or code)."""

    location_id: str


class RemoveLocation(Command, frozen=True, gc=False):
    """Take away a location (id or code)."""

    location_id: str


# Stores --------------------------------------------------------------------------------------------------------------


def add_store(stock: Stock, command: AddStore) -> Store:
    """Decide an AddStore."""
    refuse_taken_name(stock, "store", command.code, None)
    store = Store(
        id=stock.new_id(),
        code=command.code,
        name=command.name or command.code,
        timezone=command.timezone or stock.settings.timezone,
        created_at=stock.now,
        updated_at=stock.now,
    )
    stock.born.add(store.id)
    put(stock, "store", store)
    corner = Location(
        id=stock.new_id(),
        store_id=store.id,
        code=store.code[: CODE_MAX - len(QUARANTINE_SUFFIX)] + QUARANTINE_SUFFIX,
        kind="quarantine",
        ships_online=False,
        created_at=stock.now,
        updated_at=stock.now,
    )
    refuse_taken_name(stock, "location", corner.code, None)
    put(stock, "location", corner)
    return store


def change_store(stock: Stock, command: ChangeStore) -> Store:
    """Decide a ChangeStore: days of lots end by another clock when the time zone changes."""
    store = _store(stock, command.store_id)
    fields = given(command, "store_id")
    if "code" in fields:
        refuse_taken_name(stock, "store", fields["code"], store.id)
    changed = replace(store, **fields, updated_at=stock.now)
    put(stock, "store", changed)
    if changed.timezone != store.timezone:
        follow_clock(stock, changed)
    return changed


def remove_store(stock: Stock, command: RemoveStore) -> Store:
    """Decide a RemoveStore: a store with stock, or with an open till, stays."""
    store = _store(stock, command.store_id)
    here = [place for place in stock.catalog.locations.values() if place.store_id == store.id and place.active]
    here.sort(key=lambda place: place.code)
    stock.each(here, lambda _, place: _refuse_needed(stock, place))
    for place in here:
        put(stock, "location", replace(stock.record("location", place.id), active=False, updated_at=stock.now))
    _close_tills(stock, store)
    removed = replace(store, active=False, updated_at=stock.now)
    put(stock, "store", removed)
    return removed


def _store(stock: Stock, reference: str) -> Store:
    """The active store with that id or code, locked."""
    found = stock.catalog.store(reference)
    if found is None:
        raise not_found(Code.STORE_NOT_FOUND, "Store", reference)
    return existing(stock, "store", found.id)  # type: ignore[no-any-return] # a Store


def store_id_of(stock: Stock, reference: str) -> str:
    """The id of the active store with that id or code."""
    found = stock.catalog.store(reference)
    if found is None:
        raise not_found(Code.STORE_NOT_FOUND, "Store", reference)
    return found.id


def _close_tills(stock: Stock, store: Store) -> None:
    """The registers of a removed store go with it, unless one has an open session."""
    known = [till.id for till in written(stock, "register") if till.store_id == store.id]
    keys = sorted({*stock.require(RegistersOf(store.id)), *known})
    stock.require(*(RecordById("register", key) for key in keys if ("register", key) not in stock.records))
    stock.require(*(LastSession(key) for key in keys))
    for key in keys:
        till = stock.record("register", key)
        assert till is not None, key
        if till.active:
            refuse_open_till(stock, till)
            put(stock, "register", replace(till, active=False, updated_at=stock.now))


def refuse_open_till(stock: Stock, till: Register) -> None:
    """Refuse to take away a register (locked) whose drawer is open."""
    if any(session.status == OPEN for session in sessions_of(stock, till.id)):
        raise invalid_state(f"Register {till.code} has an open session: close it first.", register_id=till.id)


# Locations -----------------------------------------------------------------------------------------------------------


def add_location(stock: Stock, command: AddLocation) -> Location:
    """Decide an AddLocation."""
    store_id = _store_of(stock, command.store_id)
    refuse_taken_name(stock, "location", command.code, None)
    if command.kind == "transit":
        _refuse_second_transit(stock)
    points = _points(stock, command.reorder_points, {})
    online = command.kind in ("warehouse", "store") if command.ships_online is None else command.ships_online
    place = Location(
        id=stock.new_id(),
        store_id=store_id,
        code=command.code,
        kind=command.kind,
        priority=command.priority,
        ships_online=online,
        reorder_points=points,
        created_at=stock.now,
        updated_at=stock.now,
    )
    stock.born.add(place.id)
    put(stock, "location", place)
    return place


def change_location(stock: Stock, command: ChangeLocation) -> Location:
    """Decide a ChangeLocation."""
    place = _place(stock, command.location_id)
    fields = given(command, "location_id")
    if place.kind == "transit" and stock.caller.stores is not None:
        raise Refused(Code.FORBIDDEN, ALL_STORES)  # goods of every store are on the road there
    if "store_id" in fields:
        fields["store_id"] = store_id_of(stock, fields["store_id"])
    if "code" in fields:
        refuse_taken_name(stock, "location", fields["code"], place.id)
    if fields.get("kind") == "transit" and place.kind != "transit":
        _refuse_second_transit(stock)
    _refuse_location(stock, place, fields)
    if "reorder_points" in fields:
        fields["reorder_points"] = _points(stock, fields["reorder_points"], place.reorder_points)
    changed = replace(place, **fields, updated_at=stock.now)
    put(stock, "location", changed)
    return changed


def remove_location(stock: Stock, command: RemoveLocation) -> Location:
    """Decide a RemoveLocation: one that holds stock or promises, or that is needed, stays."""
    place = _place(stock, command.location_id)
    _refuse_location(stock, place, {"active": False})
    removed = replace(place, active=False, updated_at=stock.now)
    put(stock, "location", removed)
    return removed


def _place(stock: Stock, reference: str) -> Location:
    """The active location with that code or id, locked."""
    found = stock.catalog.location(reference)
    if found is None:
        raise not_found(Code.LOCATION_NOT_FOUND, "Location", reference)
    return existing(stock, "location", found.id)  # type: ignore[no-any-return] # a Location


def _store_of(stock: Stock, reference: str | None) -> str:
    """The id of the named store, or of the only one that there is."""
    if reference is not None:
        return store_id_of(stock, reference)
    active = [store.id for store in stock.catalog.stores.values() if store.active]
    if len(active) != 1:
        raise malformed("store_id", "is required: there is more than one store.")
    return active[0]


def _refuse_second_transit(stock: Stock) -> None:
    lock_organisation(stock)
    there = stock.unread(stock.require(PlacesOfKind("transit")), "location")
    there.update(place.id for place in written(stock, "location") if place.kind == "transit" and place.active)
    if there:
        raise Refused(Code.ALREADY_EXISTS, "The organisation has its transit location already.", {"field": "kind"})


def _refuse_needed(stock: Stock, place: Location) -> None:
    """Refuse to remove the store of the transit location, which the organisation needs, or of one that is in use."""
    if place.kind == "transit":
        raise invalid_state(f"{place.code} of the store is needed.")
    refuse_in_use(stock, place)


def _refuse_location(stock: Stock, place: Location, fields: dict[str, Any]) -> None:
    """Refuse to move, turn or remove a location that holds stock, or the only transit or quarantine location."""
    turned = [
        name for name in ("kind", "store_id", "active") if name in fields and fields[name] != getattr(place, name)
    ]
    if not turned:
        return
    refuse_in_use(stock, place, field=turned[0])
    if not place.sellable:
        alike = [
            other
            for other in stock.catalog.locations.values()
            if other.active
            and other.kind == place.kind
            and (place.kind == "transit" or other.store_id == place.store_id)
        ]
        if len(alike) <= 1:
            raise invalid_state(f"{place.code} is the only {place.kind} location: it is needed.")


def _points(stock: Stock, named: dict[str, Number | None], old: dict[str, int]) -> dict[str, int]:
    """Reorder points by product id in smallest units, merged with the old ones.

    The organisation is locked, so that no product changes its precision meanwhile.
    """
    if named:
        lock_organisation(stock)
    merged = dict(old)
    stock.catalog.know_products(named)
    for reference, quantity in named.items():
        product = stock.catalog.product(reference)
        if product is None:
            raise not_found(Code.PRODUCT_NOT_FOUND, "Product", reference)
        if quantity is None:
            merged.pop(product.id, None)
            continue
        units = product.units(quantity)
        if units is None or units < 0:
            raise Refused(
                Code.INVALID_QUANTITY,
                f"The reorder point of {product.sku} is not a quantity of it.",
                {"product_id": product.id, "field": f"reorder_points.{reference}"},
            )
        merged[product.id] = units
    return merged


DECISIONS = (
    Decision(AddStore, add_store, Permission.CONFIGURE, changes_catalog=True, of_all_stores=True),
    Decision(ChangeStore, change_store, Permission.CONFIGURE, changes_catalog=True),
    Decision(RemoveStore, remove_store, Permission.CONFIGURE, changes_catalog=True),
    Decision(AddLocation, add_location, Permission.MANAGE, changes_catalog=True),
    Decision(ChangeLocation, change_location, Permission.MANAGE, changes_catalog=True),
    Decision(RemoveLocation, remove_location, Permission.MANAGE, changes_catalog=True),
)
