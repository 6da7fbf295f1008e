"""Products, stores and locations over HTTP.

    POST /api/v1/products {"sku": "MUG-1", "title": "Mug", "price": "12.00"}      -> 201
    PATCH /api/v1/locations/MAIN {"reorder_points": {"MUG-1": 5, "TEE-S": null}}  -> merged, null removes

Nothing is deleted: a removed record is no longer active, and its name is free again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.access import Permission
from holdfast.core.organisation.places import (
    AddLocation,
    AddStore,
    ChangeLocation,
    ChangeStore,
    LocationChanges,
    RemoveLocation,
    RemoveStore,
    StoreChanges,
)
from holdfast.core.organisation.products import AddProduct, ChangeProduct, ProductChanges
from holdfast.core.records.command import Command, given
from holdfast.core.records.documents import product_fields
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code
from holdfast.db import credentials as directory
from holdfast.db.queries.records import location_fields, store_fields
from holdfast.reports import Reports
from holdfast.web.api.records import require_store, settings_of
from holdfast.web.api.shapes import LocationDocument, ProductDocument, StoreDocument
from holdfast.web.http.problems import invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, PlannedCommand, Route, encode, found, reference
from holdfast.web.http.strict_json import InstantOrDay, instant_or_start

TOTALS = ("total_quantity", "total_reserved", "total_available", "backordered")


class ProductBody(AddProduct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A product; what is not given takes its default."""

    available_from: InstantOrDay | None = None  # type: ignore[assignment] # a text, as instants are over HTTP


class ProductChange(ProductChanges, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):
    """What to change of a product."""

    available_from: InstantOrDay | UnsetType | None = UNSET  # type: ignore[assignment] # a text over HTTP


# Products ------------------------------------------------------------------------------------------------------------


def _fields(body: ProductBody | ProductChange, settings: Settings) -> dict[str, Any]:
    """The fields that were given, as a command has them."""
    fields = given(body)
    if fields.get("available_from") is not None:
        fields["available_from"] = instant_or_start("available_from", fields["available_from"], settings.timezone)
    return fields


def _render_product(settings: Settings, totals: dict[str, Any]) -> Any:
    def render(product: Product) -> bytes:
        return encode({**product_fields(product, settings), **totals})

    return render


def plan_add_product(call: Call) -> PlannedCommand:
    """Make a product."""
    body: ProductBody = call.body
    totals: dict[str, Any] = dict.fromkeys(TOTALS, 0)
    if body.kind != "physical":
        totals["total_available"] = 999_999
    settings = settings_of(call)
    return PlannedCommand(AddProduct(**_fields(body, settings)), _render_product(settings, totals))


def _product(call: Call) -> dict[str, Any]:
    name = call.args["id"]
    one = call.shop.reports.product(call.actor.org_id, reference(name), stores=call.stores)
    found(one, Code.PRODUCT_NOT_FOUND, "Product", name)
    assert one is not None
    return one


def plan_change_product(call: Call) -> PlannedCommand:
    """Change a product."""
    settings = settings_of(call)
    old = _product(call)
    totals = {name: old[name] for name in TOTALS}
    command = ChangeProduct(old["id"], **_fields(call.body, settings))
    return PlannedCommand(command, _render_product(settings, totals))


def read_product(call: Call) -> Any:
    """A product with totals."""
    return _product(call)


# Stores --------------------------------------------------------------------------------------------------------------


def _render_store(store: Store) -> bytes:
    return encode(store_fields(store))


def plan_add_store(call: Call) -> PlannedCommand:
    """Make a store."""
    return PlannedCommand(call.body, _render_store)


def _store(call: Call) -> dict[str, Any]:
    name = call.args["id"]
    store = call.shop.reports.store(call.actor.org_id, name, stores=call.stores)
    found(store, Code.STORE_NOT_FOUND, "Store", name)
    assert store is not None
    return store


def plan_change_store(call: Call) -> PlannedCommand:
    """Change a store."""
    return PlannedCommand(ChangeStore(_store(call)["id"], **given(call.body)), _render_store)


def plan_remove_store(call: Call) -> Command:
    """Remove a store with its locations; one that holds stock stays."""
    return RemoveStore(_store(call)["id"])


def read_store(call: Call) -> Any:
    """A store."""
    return _store(call)


# Locations -----------------------------------------------------------------------------------------------------------


def _render_location(call: Call, location_id: str | None, references: set[str]) -> Any:
    names = directory.products_named(call.shop.database, call.actor.org_id, location_id, references)
    skus = {name: sku for name, (sku, _) in names.items()}
    places = {name: precision for name, (_, precision) in names.items()}

    def render(location: Location) -> bytes:
        return encode(location_fields(location, skus, places))

    return render


def _location_inside(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
    inside = dict(fields)
    if inside.get("store_id") is not None:
        name = inside["store_id"]
        store = found(call.shop.reports.store(call.actor.org_id, name), Code.STORE_NOT_FOUND, "Store", name)
        require_store(call, store["id"])
        inside["store_id"] = store["id"]
    if "reorder_points" in inside:
        inside["reorder_points"] = {reference(name): value for name, value in inside["reorder_points"].items()}
    return inside


def plan_add_location(call: Call) -> PlannedCommand:
    """Make a location."""
    fields = _location_inside(call, msgspec.structs.asdict(call.body))
    if fields["store_id"] is None:
        fields["store_id"] = _only_store(call)
    render = _render_location(call, None, set(fields["reorder_points"]))
    return PlannedCommand(AddLocation(**fields), render)


def _only_store(call: Call) -> str:
    stores = call.shop.reports.stores(call.actor.org_id, stores=call.stores, limit=2).items
    if len(stores) != 1:
        raise invalid("store_id", "is required: there is more than one store.")
    store_id: str = stores[0]["id"]
    return store_id


def _location(call: Call) -> dict[str, Any]:
    name = call.args["id"]
    place = call.shop.reports.location(call.actor.org_id, name)
    found(place, Code.LOCATION_NOT_FOUND, "Location", name)
    assert place is not None
    return place


def plan_change_location(call: Call) -> PlannedCommand:
    """Change a location."""
    old = _location(call)
    require_store(call, old["store_id"])
    fields = _location_inside(call, given(call.body))
    render = _render_location(call, old["id"], set(fields.get("reorder_points", ())))
    return PlannedCommand(ChangeLocation(old["id"], **fields), render)


def plan_remove_location(call: Call) -> Command:
    """Remove a location; one that holds stock or promises stays."""
    old = _location(call)
    require_store(call, old["store_id"])
    return RemoveLocation(old["id"])


def read_location(call: Call) -> Any:
    """A location of the stores that the caller may see."""
    name = call.args["id"]
    place = call.shop.reports.location(call.actor.org_id, name, stores=call.stores)
    return found(place, Code.LOCATION_NOT_FOUND, "Location", name)


# The table -----------------------------------------------------------------------------------------------------------

_PRODUCT_CODES = (Code.INVALID_QUANTITY, Code.INVALID_AMOUNT, Code.ALREADY_EXISTS)
_EXAMPLE = {"sku": "MUG-1", "title": "Mug", "price": "12.00", "gtin": "9506000134352"}


_MAKING = {
    "store": "Only for callers who are limited to no store: the new one would be beyond their reach.",
    "location": "An organisation has one `transit` location, which is there from the start.",
}


def _record_routes(
    noun: str,
    missing: str,
    permission: Permission,
    plans: tuple[Any, Any, Any],
    reads: tuple[Any, Any],
    bodies: tuple[type[Any], type[Any], type[Any]],
    codes: tuple[str, ...],
    example: dict[str, Any],
    change: dict[str, Any],
) -> tuple[Route, ...]:
    """List, make, read, change and remove one kind of record."""
    path, tag = f"/api/v1/{noun}s", f"{noun.capitalize()}s"
    add, body_change, answer = bodies
    shared: dict[str, Any] = {"tag": tag, "answer": answer}
    one = f"{path}/{{id}}"
    return (
        Route(method="POST", path=path, summary=f"Make a {noun}", permission=permission, plan=plans[0], body=add,
              status=201, codes=codes, example=example, looks_up=True, of_all_stores=noun == "store",
              about=_MAKING[noun], **shared),
        Route(method="GET", path=path, summary=f"List {noun}s", tag=tag, permission=Permission.READ,
              answer_with=reads[0], answer=[answer], query=(STORE, *PAGED)),
        Route(method="GET", path=one, summary=f"Read a {noun}", permission=Permission.READ,
              answer_with=reads[1], codes=(missing,), **shared),
        Route(method="PATCH", path=one, summary=f"Change a {noun}", permission=permission, plan=plans[1],
              body=body_change, codes=(missing, *codes, Code.INVALID_STATE), example=change, looks_up=True, **shared),
        Route(method="DELETE", path=one, summary=f"Remove a {noun}", tag=tag, permission=permission, plan=plans[2],
              status=204, codes=(missing, Code.INVALID_STATE), looks_up=True),
    )  # fmt: skip


ROUTES = (
    Route(
        method="POST",
        path="/api/v1/products",
        summary="Make a product",
        about="`gtin` has 8, 12, 13 or 14 digits, the last of which checks the others. No two active products have the "
        "same number; zeros in front make no difference. `available_from` is an instant, or a day: its first one "
        "in the organisation's time zone.",
        tag="Products",
        permission=Permission.MANAGE,
        plan=plan_add_product,
        body=ProductBody,
        answer=ProductDocument,
        status=201,
        codes=_PRODUCT_CODES,
        example=_EXAMPLE,
        looks_up=True,
    ),
    Route(
        method="GET",
        path="/api/v1/products",
        summary="List products",
        tag="Products",
        permission=Permission.READ,
        answer_with=Pages(Reports.products),
        answer=[ProductDocument],
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path="/api/v1/products/{id}",
        summary="Read a product",
        tag="Products",
        permission=Permission.READ,
        answer_with=read_product,
        answer=ProductDocument,
        codes=(Code.PRODUCT_NOT_FOUND,),
        query=(STORE,),
    ),
    Route(
        method="PATCH",
        path="/api/v1/products/{id}",
        summary="Change a product",
        about="`gtin` as in making one. `precision` and `kind` are fixed once the product has a ledger entry.",
        tag="Products",
        permission=Permission.MANAGE,
        plan=plan_change_product,
        body=ProductChange,
        answer=ProductDocument,
        codes=(Code.PRODUCT_NOT_FOUND, *_PRODUCT_CODES, Code.INVALID_STATE),
        example={"price": "13.00", "reorder_point": 5},
        looks_up=True,
    ),
    *_record_routes(
        "store",
        Code.STORE_NOT_FOUND,
        Permission.CONFIGURE,
        (plan_add_store, plan_change_store, plan_remove_store),
        (Pages(Reports.stores), read_store),
        (AddStore, StoreChanges, StoreDocument),
        (Code.ALREADY_EXISTS,),
        {"code": "EAST", "name": "East side", "timezone": "Europe/Lisbon"},
        {"name": "East side shop"},
    ),
    *_record_routes(
        "location",
        Code.LOCATION_NOT_FOUND,
        Permission.MANAGE,
        (plan_add_location, plan_change_location, plan_remove_location),
        (Pages(Reports.locations), read_location),
        (AddLocation, LocationChanges, LocationDocument),
        (Code.STORE_NOT_FOUND, Code.PRODUCT_NOT_FOUND, Code.INVALID_QUANTITY, Code.ALREADY_EXISTS),
        {"store_id": "MAIN", "code": "BACKROOM", "kind": "warehouse", "priority": 50},
        {"reorder_points": {"MUG-1": 5}},
    ),
)
