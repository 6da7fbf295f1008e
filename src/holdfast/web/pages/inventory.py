"""The inventory page: what is where, how much of it is promised, and what runs low.

    GET /admin/inventory?search=mug&store=EAST&location=MAIN&state=reserved&low_stock=true&threshold=5&sort=-available
    GET /admin/inventory/rows?...&cursor=...      the next rows alone, for the page's script
    GET /admin/inventory/live?level=...&level=... these rows as they are now, and the figures

Filtering and paging work without JavaScript; the script fetches the two parts instead of the whole page. Nobody
without `inventory:manage` gets any of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.reports import LIMIT_MAX, LevelFilter, Page, Reports
from holdfast.web.pages.inventory_filters import ORDERS, PATH, Filters, filters_of
from holdfast.web.pages.inventory_view import Json, figures, heads, number_text, shown
from holdfast.web.pages.layout import FIGURES, Store, Visitor, everything, render, render_part
from holdfast.web.pages.page_access import page

ROWS = 50
"""Rows of a page."""

LIVE_MAX = 50
"""Most rows that one live update asks for."""

KINDS = (
    "InventoryReserved",
    "ReservationReleased",
    "ReservationExpired",
    "ReservationFulfilled",
    "ReservationBackordered",
    "ReservationAllocated",
    "ReservationShortfall",
    "StockReceived",
    "StockAdjusted",
    "StockCounted",
    "StockTransferred",
    "LowStock",
    "LotQuarantined",
    "LotReleased",
    "LotWrittenOff",
)
"""Events that change an entry."""


@page(Permission.MANAGE, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The whole page."""
    reports, filters = request.app.state.application.shop.reports, filters_of(request.query_params)
    places = await run_in_threadpool(_places, reports, visitor)
    # The cursor is read first: what happens while the rows are read is told again, and nothing is missed.
    cursor = await run_in_threadpool(reports.events_end, visitor.actor.org_id)
    listed = await run_in_threadpool(_listed, reports, visitor, filters, request.query_params.get("cursor"), ROWS)
    views = await run_in_threadpool(_views, reports, visitor)
    return render(
        request,
        "inventory.html",
        visitor,
        filters=filters,
        problem=filters.problem,
        entries=await run_in_threadpool(_shown, reports, visitor, listed.items, places),
        more_href=_more(filters, visitor, listed),
        heads=heads(filters, visitor.store),
        orders=ORDERS,
        views=views,
        view_query=filters.query(visitor.store),
        cursor=cursor,
        kinds=" ".join(KINDS),
        locations=[one for one in places if _sells(one) or one["code"] == filters.location],
        all_places=[one["code"] for one in sorted(places, key=_bins_last) if _sells(one)],
        **await _overview(request, visitor, filters, empty=not listed.items),
    )


@page(Permission.MANAGE, fragment=True, by_store=True)
async def more_rows(request: Request, visitor: Visitor) -> Response:
    """The rows of the filters alone, from a cursor on; `limit` up to 200 reads again what a page has shown."""
    asked = request.query_params
    reports, filters = request.app.state.application.shop.reports, filters_of(asked)
    limit = asked.get("limit", "")
    rows = min(LIMIT_MAX, int(limit)) if limit.isascii() and limit.isdigit() and len(limit) < 5 and int(limit) else ROWS
    listed = await run_in_threadpool(_listed, reports, visitor, filters, asked.get("cursor"), rows)
    return render_part(
        "inventory_rows.html",
        entries=await run_in_threadpool(_shown, reports, visitor, listed.items),
        more_href=_more(filters, visitor, listed),
        heads=heads(filters, visitor.store),
        problem=filters.problem,
        **await _overview(request, visitor, filters, empty=not listed.items),
    )


@page(Permission.MANAGE, fragment=True, by_store=True)
async def live(request: Request, visitor: Visitor) -> Response:
    """Some rows as they are now (`level`, at most 50 of them), and the figures; a row that is gone is left out."""
    asked = request.query_params
    ids = asked.getlist("level")[:LIVE_MAX]
    reports = request.app.state.application.shop.reports
    entries = await run_in_threadpool(_levels, reports, visitor, ids)
    return render_part(
        "inventory_live.html",
        entries=await run_in_threadpool(_shown, reports, visitor, entries),
        **await _overview(request, visitor, filters_of(asked), empty=False),
    )


def _listed(reports: Reports, visitor: Visitor, filters: Filters, cursor: str | None, limit: int) -> Page:
    return reports.levels(
        visitor.actor.org_id,
        msgspec.structs.replace(filters.levels(visitor.store), sort=filters.sort),
        stores=visitor.stores,
        cursor=cursor or None,
        limit=limit,
    )


def _levels(reports: Reports, visitor: Visitor, ids: list[str]) -> list[Json]:
    entries = []
    for level_id in ids:
        entry = reports.level(visitor.actor.org_id, level_id, stores=visitor.stores)
        # An entry that was taken off the list can still be read by its id.
        if entry is not None and reports.level_key(visitor.actor.org_id, level_id, stores=visitor.stores) is not None:
            entries.append(entry)
    return entries


def _places(reports: Reports, visitor: Visitor) -> list[Json]:
    """The locations that the visitor may see, by code: of the store that is chosen, or of all."""
    places = everything(reports.locations, visitor)
    if visitor.store is not None:
        places = [one for one in places if one["store_id"] == visitor.store.id]
    return sorted(places, key=lambda one: str(one["code"]))


def _sells(place: Json) -> bool:
    """Are goods sold from the location?"""
    return place["kind"] not in ("transit", "quarantine")


def _bins_last(place: Json) -> tuple[bool, str]:
    """The order in which locations are offered to what comes: goods come to a shop or warehouse first."""
    return place["kind"] == "bin", str(place["code"])


def _views(reports: Reports, visitor: Visitor) -> list[Json]:
    """The views of this page that the visitor has saved."""
    if not visitor.actor.id:
        return []
    return [one for one in reports.saved_views(visitor.actor.org_id, visitor.actor.id) if one["page"] == PATH]


def _shown(reports: Reports, visitor: Visitor, entries: list[Json], places: list[Json] | None = None) -> list[Json]:
    """Entries as the templates show them, each with what of its product lies where nothing is sold."""
    if not entries:
        return []
    places = _places(reports, visitor) if places is None else places
    kinds = {one["code"]: one["kind"] for one in places}
    elsewhere: dict[str, list[Json]] = {}
    ids = tuple({entry["product_id"] for entry in entries})
    for one in _away(reports, visitor, ids):
        if one["location"] in kinds:
            elsewhere.setdefault(one["product_id"], []).append(one)
    return [
        {
            **shown(entry, visitor.timezone),
            "away": _notes(elsewhere.get(entry["product_id"], []), kinds, visitor.store) if entry["sellable"] else [],
        }
        for entry in entries
    ]


def _away(reports: Reports, visitor: Visitor, product_ids: tuple[str, ...]) -> list[Json]:
    """What lies of these products where nothing is sold: on the road, and in quarantine.

    Only what is kept there is looked at: most products have been in some store's quarantine once, and are not now.
    """
    levels = LevelFilter(products=product_ids, sellable=False, state="on_hand")
    found, cursor = list[Json](), None
    while True:
        part = reports.levels(visitor.actor.org_id, levels, stores=visitor.stores, cursor=cursor, limit=LIMIT_MAX)
        found += part.items
        cursor = part.next_cursor
        if cursor is None:
            return found


def _notes(levels: list[Json], kinds: dict[str, str], store: Store | None) -> list[Json]:
    """ "4 on the way" and "2 in quarantine": a link to the entry where it is one, and added up where there are more."""
    notes = []
    for kind, words in (("transit", "on the way"), ("quarantine", "in quarantine")):
        here = [one for one in levels if kinds[one["location"]] == kind]
        if here:
            total = sum((Decimal(str(one["quantity"])) for one in here), Decimal(0))
            number: Any = int(total) if total == total.to_integral_value() else float(total)
            asked = {"search": here[0]["sku"], "store": "" if store is None else store.code}
            asked["location"] = here[0]["location"] if len(here) == 1 else ""
            href = f"{PATH}?{urlencode({name: text for name, text in asked.items() if text})}"
            notes.append({"text": f"{number_text(number)} {words}", "href": href if len(here) == 1 else ""})
    return notes


def _more(filters: Filters, visitor: Visitor, listed: Page) -> str:
    if listed.next_cursor is None:
        return ""
    return f"{PATH}?{filters.query(visitor.store, cursor=listed.next_cursor)}"


async def _overview(request: Request, visitor: Visitor, filters: Filters, *, empty: bool) -> Json:
    """The figures of what the filters show, and where they show nothing, how much each of them hides."""
    remembered = getattr(request.app.state, FIGURES)

    async def count(which: Filters) -> Json:
        found: Json = await remembered.get((visitor.actor.org_id, which.levels(visitor.store), visitor.stores))
        return found

    stats = await count(filters)
    hidden = []
    if empty:
        for name, words in filters.named().items():
            fewer = filters.without(name)
            entries = (await count(fewer))["entries"]
            if entries:
                hidden.append({"words": words, "entries": number_text(entries), "href": fewer.href(visitor.store)})
    overview = figures(stats, filters, visitor.store)
    return {
        "overview": overview,
        "total": number_text(stats["entries"]),
        "hidden": hidden,
        "narrowed": filters.any,
        "clear": Filters(sort=filters.sort).href(visitor.store),
    }
