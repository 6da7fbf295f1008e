"""Levels over HTTP: what is where, and the plain facts about it (set, adjust, reserve at a level).

    POST /api/v1/store/inventory/set {"product_id": "MUG-1", "location": "MAIN", "quantity": 7}   -> the entry
    GET /api/v1/store/inventory?product=MUG-1&as_of=2026-01-31T00:00:00Z                          -> as it stood then

The same under /admin/inventory for those who look at all stores, with figures; its writes name the store.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from holdfast.access import Permission
from holdfast.core.records.command import Command
from holdfast.core.records.documents import LevelDocument, LevelHoldDocument, UnlimitedDocument
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Code
from holdfast.core.reservations.order_holds import ConsumeAtLevel, ReleaseAtLevel, ReserveAtLevel
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock, UnlistLevel
from holdfast.db.queries.levels import LevelFilter, LowStockFilter
from holdfast.reports import Reports
from holdfast.web.api.shapes import (
    InventoryStats,
    LocationOverview,
    ProductSummary,
    StoreInventory,
    StoreOverview,
)
from holdfast.web.http.arrays import PARTS, part_of, parts_of
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.route import PAGED, STORE, Call, Pages, Route, found, reference
from holdfast.web.http.strict_json import Text

STORE_TAG = "Inventory"
ADMIN_TAG = "Inventory of all stores"


class SetBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Make the level hold exactly `quantity`; with `expected_quantity` only if that is what is there now."""

    product_id: Text
    location: Text
    quantity: Number
    expected_quantity: Number | None = None
    reason: Text | None = None


class AdminSetBody(SetBody, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same, in a store (id or code)."""

    store_id: Text


class PutBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Make the entry hold exactly `quantity`."""

    quantity: Number
    expected_quantity: Number | None = None
    reason: Text | None = None


class AdjustBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Add units (positive, at `unit_cost` or the last cost) or take units away (negative)."""

    product_id: Text
    location: Text
    quantity: Number
    reason: Text | None = None
    unit_cost: Text | None = None


class AdminAdjustBody(AdjustBody, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same, in a store (id or code)."""

    store_id: Text


class HoldBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Units at a level, for an order or for nobody in particular."""

    product_id: Text
    location: Text
    quantity: Number
    order_number: Text | None = None
    source: Text | None = None


# Writes --------------------------------------------------------------------------------------------------------------


def plan_reserve(call: Call) -> Command:
    """Hold units at a level."""
    body: HoldBody = call.body
    return ReserveAtLevel(
        reference(body.product_id), body.location, body.quantity, body.order_number, body.source or "manual"
    )


def plan_release(call: Call) -> Command:
    """Give back units held at a level."""
    body: HoldBody = call.body
    return ReleaseAtLevel(reference(body.product_id), body.location, body.quantity, body.order_number, body.source)


def plan_fulfill(call: Call) -> Command:
    """Consume units held at a level."""
    body: HoldBody = call.body
    return ConsumeAtLevel(reference(body.product_id), body.location, body.quantity, body.order_number, body.source)


def plan_set(call: Call) -> Command:
    """Make a level hold exactly so many units."""
    body: SetBody = call.body
    return SetStock(reference(body.product_id), body.location, body.quantity, body.expected_quantity, body.reason)


def plan_adjust(call: Call) -> Command:
    """Add units to a level, or take some away."""
    body: AdjustBody = call.body
    return AdjustStock(reference(body.product_id), body.location, body.quantity, body.reason, body.unit_cost)


def plan_admin_set(call: Call) -> Command:
    """The same in a named store."""
    _require_store(call)
    return plan_set(call)


def plan_admin_adjust(call: Call) -> Command:
    """The same in a named store."""
    _require_store(call)
    return plan_adjust(call)


def _require_store(call: Call) -> None:
    """The location must be of the store that the body names, and the caller may act there."""
    org_id, body = call.actor.org_id, call.body
    store = found(call.shop.reports.store(org_id, body.store_id), Code.STORE_NOT_FOUND, "Store", body.store_id)
    if call.stores is not None and store["id"] not in call.stores:
        raise Problem("FORBIDDEN", "You may not act in that store.")
    place = call.shop.reports.location(org_id, body.location)
    if place is not None and place["store_id"] != store["id"]:
        raise Problem("FORBIDDEN", f"{place['code']} belongs to another store than {store['code']}.")


def _level_key(call: Call) -> tuple[str, str]:
    level_id = call.id(Code.NOT_FOUND, "Inventory entry")
    key = call.shop.reports.level_key(call.actor.org_id, level_id)
    found(key, Code.NOT_FOUND, "Inventory entry", level_id)
    assert key is not None
    return key


def plan_put(call: Call) -> Command:
    """Make an entry hold exactly so many units."""
    body: PutBody = call.body
    product_id, location_id = _level_key(call)
    return SetStock(product_id, location_id, body.quantity, body.expected_quantity, body.reason)


def plan_forget(call: Call) -> Command:
    """Take an empty entry off the lists."""
    return UnlistLevel(*_level_key(call))


# Reads ---------------------------------------------------------------------------------------------------------------


class StoreLevelFilter(LevelFilter, frozen=True, kw_only=True):
    """Which entries, for those who work in a store: they name no threshold of their own."""

    low_stock: Annotated[bool, Meta(description="Only at or below the threshold of the entry.")] = False


class Entries(Pages):
    """A page of entries; how they stood in the past is listed in one order only."""

    def __call__(self, call: Call) -> Any:
        """The page."""
        if call.filter.as_of is not None and call.filter.sort is not None:
            raise invalid("sort", "does not go with as_of: what was in the past is listed newest first.")
        return super().__call__(call)


def read_summary(call: Call) -> Any:
    """A product with its entries."""
    name = call.args["id"]
    summary = call.shop.reports.product_summary(call.actor.org_id, reference(name), stores=call.stores)
    return found(summary, Code.PRODUCT_NOT_FOUND, "Product", name)


def read_stats(call: Call) -> Any:
    """Figures over all entries."""
    return call.shop.reports.inventory_stats(call.actor.org_id, stores=call.stores)


def read_low_stock(call: Call) -> Any:
    """The entries that run low."""
    return call.shop.reports.low_stock_page(call.actor.org_id, call.filter, stores=call.stores, **parts_of(call))


def read_stores(call: Call) -> Any:
    """Each store's figures."""
    rows = call.shop.reports.stores_overview(call.actor.org_id, stores=call.stores)
    return part_of(rows, lambda row: f"{row['store_name'][:40]} {row['store_id']}", call)


def read_locations(call: Call) -> Any:
    """Each location's figures."""
    rows = call.shop.reports.locations_overview(call.actor.org_id, stores=call.stores)
    return part_of(rows, lambda row: str(row["location"]), call)


def read_store(call: Call) -> Any:
    """One store's entries."""
    name = call.args["id"]
    answer = call.shop.reports.store_inventory(call.actor.org_id, name, stores=call.stores, **call.paging())
    return found(answer, Code.STORE_NOT_FOUND, "Store", name)


# The table -----------------------------------------------------------------------------------------------------------

_LEVEL = (Code.PRODUCT_NOT_FOUND, Code.LOCATION_NOT_FOUND, Code.INVALID_QUANTITY)
_EXAMPLE = {"product_id": "MUG-1", "location": "MAIN", "quantity": 2}
_ANSWER_HOLD = (LevelHoldDocument, UnlimitedDocument)


def _hold_route(action: str, plan: Any, summary: str, about: str, codes: tuple[str, ...]) -> Route:
    return Route(
        method="POST",
        path=f"/api/v1/store/inventory/{action}",
        summary=summary,
        about=about,
        tag=STORE_TAG,
        permission=Permission.RESERVE,
        plan=plan,
        body=HoldBody,
        answer=_ANSWER_HOLD,
        codes=(*_LEVEL, *codes),
        example={**_EXAMPLE, "order_number": "10234"},
    )


def _fact_route(prefix: str, action: str, plan: Any, body: type[Any], codes: tuple[str, ...]) -> Route:
    admin = prefix == "admin"
    example = {**_EXAMPLE, "reason": "shelf check"}
    return Route(
        method="POST",
        path=f"/api/v1/{prefix}/inventory/{action}",
        summary="Set the units on hand" if action == "set" else "Add units, or take some away",
        about="A fact is never refused because units are reserved: holds give way, by worst priority, then newest.",
        tag=ADMIN_TAG if admin else STORE_TAG,
        permission=Permission.MANAGE if admin else Permission.STOCK,
        plan=plan,
        body=body,
        answer=LevelDocument,
        codes=(*_LEVEL, Code.PRODUCT_NOT_STOCK_TRACKED, *codes, *((Code.STORE_NOT_FOUND,) if admin else ())),
        example={**example, "store_id": "MAIN"} if admin else example,
        looks_up=admin,
    )


def _entry_routes(prefix: str) -> tuple[Route, Route]:
    admin = prefix == "admin"
    path = f"/api/v1/{prefix}/inventory/{{id}}"
    permission = Permission.MANAGE if admin else Permission.STOCK
    tag = ADMIN_TAG if admin else STORE_TAG
    return (
        Route(
            method="PUT",
            path=path,
            summary="Set the units on hand of an entry",
            tag=tag,
            permission=permission,
            plan=plan_put,
            body=PutBody,
            answer=LevelDocument,
            codes=(Code.NOT_FOUND, Code.INVALID_QUANTITY, Code.QUANTITY_CHANGED),
            example={"quantity": 7, "expected_quantity": 9},
            looks_up=True,
        ),
        Route(
            method="DELETE",
            path=path,
            summary="Take an empty entry off the lists",
            about="Its ledger stays, and goes on when stock comes again.",
            tag=tag,
            permission=permission,
            plan=plan_forget,
            status=204,
            codes=(Code.NOT_FOUND, Code.INVALID_STATE),
            looks_up=True,
        ),
    )


def _read(path: str, summary: str, answer_with: Any, answer: Any, **more: Any) -> Route:
    """A read of the whole organisation's inventory."""
    return Route(
        method="GET",
        path=f"/api/v1/admin/inventory{path}",
        summary=summary,
        tag=ADMIN_TAG,
        permission=Permission.MANAGE,
        answer_with=answer_with,
        answer=answer,
        **more,
    )


ROUTES = (
    _hold_route(
        "reserve",
        plan_reserve,
        "Hold units at a location",
        "An unlimited product needs no hold: the answer says `unlimited`.",
        (Code.INVALID_STATE, Code.INSUFFICIENT_STOCK),
    ),
    _hold_route(
        "release",
        plan_release,
        "Give back units held at a location",
        "Of the order's holds, or without `order_number` of the ad-hoc ones, oldest first.",
        (Code.RESERVATION_NOT_FOUND, Code.INSUFFICIENT_RESERVED, Code.INVALID_STATE),
    ),
    _hold_route(
        "fulfill",
        plan_fulfill,
        "Consume units held at a location",
        "Of the order's holds, or without `order_number` of the ad-hoc ones, oldest first.",
        (Code.RESERVATION_NOT_FOUND, Code.INSUFFICIENT_RESERVED, Code.INVALID_STATE),
    ),
    _fact_route("store", "set", plan_set, SetBody, (Code.QUANTITY_CHANGED,)),
    _fact_route("store", "adjust", plan_adjust, AdjustBody, (Code.INVALID_AMOUNT, Code.INSUFFICIENT_STOCK)),
    Route(
        method="GET",
        path="/api/v1/store/inventory",
        summary="List inventory entries",
        tag=STORE_TAG,
        permission=Permission.READ,
        answer_with=Entries(Reports.levels),
        answer=[LevelDocument],
        filter=StoreLevelFilter,
        query=(STORE, *PAGED),
    ),
    Route(
        method="GET",
        path="/api/v1/store/inventory/product/{id}",
        summary="Read a product with its entries",
        tag=STORE_TAG,
        permission=Permission.READ,
        answer_with=read_summary,
        answer=ProductSummary,
        codes=(Code.PRODUCT_NOT_FOUND,),
        query=(STORE,),
    ),
    *_entry_routes("store"),
    _read(
        "",
        "List inventory entries of all stores",
        Entries(Reports.levels),
        [LevelDocument],
        query=(STORE, *PAGED),
    ),
    _read("/stats", "Read figures over all entries", read_stats, InventoryStats, query=(STORE,)),
    _read(
        "/low-stock",
        "List entries that run low, emptiest first",
        read_low_stock,
        list[LevelDocument],
        filter=LowStockFilter,
        query=(STORE, *PARTS),
    ),
    _read("/stores", "Read each store's figures", read_stores, list[StoreOverview], query=(STORE, *PARTS)),
    _read("/locations", "Read each location's figures", read_locations, list[LocationOverview], query=(STORE, *PARTS)),
    _read(
        "/stores/{id}",
        "Read a store's entries",
        read_store,
        StoreInventory,
        codes=(Code.STORE_NOT_FOUND,),
        query=PAGED,
    ),
    _read(
        "/products/{id}",
        "Read a product's entries in all stores",
        read_summary,
        ProductSummary,
        codes=(Code.PRODUCT_NOT_FOUND,),
        query=(STORE,),
    ),
    _fact_route("admin", "set", plan_admin_set, AdminSetBody, (Code.QUANTITY_CHANGED,)),
    _fact_route("admin", "adjust", plan_admin_adjust, AdminAdjustBody, (Code.INVALID_AMOUNT, Code.INSUFFICIENT_STOCK)),
    *_entry_routes("admin"),
)
