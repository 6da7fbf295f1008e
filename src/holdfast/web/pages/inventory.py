"""The inventory page: what is where, how much of it is promised, and what runs low.

    GET /admin/inventory?search=mug&store=EAST&location=MAIN&low_stock=true&threshold=5
    GET /admin/inventory/rows?...&cursor=...      the next rows alone, for the page's script
    GET /admin/inventory/live?level=...&level=... these rows as they are now, and the figures

The form is a plain GET form, so everything but changing stock works without JavaScript. It refuses to compute: rows
and figures are what the reports answer.
"""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.core.records.number import Number
from holdfast.reports import LIMIT_MAX, LevelFilter, Page, Reports
from holdfast.web.http.strict_json import TEXT_MAX, unprintable
from holdfast.web.pages.inventory_view import Json, figures, shown
from holdfast.web.pages.layout import FIGURES, Store, Visitor, everything, render, render_part
from holdfast.web.pages.page_access import page

ROWS = 50
"""Rows that come at once."""

LIVE_MAX = 50
"""Most rows that one live update asks for."""

KINDS = (
    "InventoryReserved",
    "ReservationReleased",
    "ReservationExpired",
    "ReservationConsumed",
    "ReservationBackordered",
    "BackorderAllocated",
    "StockAdjusted",
    "StockReceived",
    "StockCounted",
    "StockTransferred",
    "LotQuarantined",
    "LowStock",
    "SaleCompleted",
    "SaleReturned",
)
"""The events that change what the page shows; an EventSource must name each that it listens to."""

_NUMBER = re.compile(r"[0-9]{1,13}(\.[0-9]{1,4})?")


class Filters(msgspec.Struct, frozen=True):
    """What the page is narrowed to; `problem` says what of it could not be read."""

    search: str = ""
    location: str = ""
    low_stock: bool = False
    threshold: str = ""
    problem: str = ""

    @property
    def any(self) -> bool:
        """Is anything narrowed?"""
        return bool(self.search or self.location or self.low_stock)

    @property
    def limit(self) -> Number | None:
        """The threshold as a number in whole units; None: each entry's own."""
        if not self.threshold or self.problem:
            return None
        return Decimal(self.threshold) if "." in self.threshold else int(self.threshold)

    def query(self, cursor: str | None, store: Store | None) -> str:
        """The query string of these filters in a store, from the cursor on."""
        pairs = {
            "search": self.search,
            "store": "" if store is None else store.code,
            "location": self.location,
            "low_stock": "true" if self.low_stock else "",
            "threshold": self.threshold,
            "cursor": cursor or "",
        }
        return urlencode({name: value for name, value in pairs.items() if value})


def filters_of(asked: QueryParams) -> Filters:
    """The filters of a query; what cannot be meant is left out, with a word about it."""

    def text(name: str) -> str:
        value = asked.get(name, "").strip()
        return "" if len(value) > TEXT_MAX or unprintable(value) else value

    threshold, problem = text("threshold"), ""
    if threshold and not _NUMBER.fullmatch(threshold):
        problem = f"{threshold!r} is no threshold: give a number of 0 or more, with at most 4 decimal places."
    low_stock = asked.get("low_stock", "") in ("true", "on", "1") or bool(threshold)
    return Filters(text("search"), text("location").upper(), low_stock, threshold, problem)


@page(Permission.MANAGE, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The whole page."""
    reports, filters = request.app.state.application.shop.reports, filters_of(request.query_params)
    locations = await run_in_threadpool(_locations, reports, visitor)
    # The cursor is read first: what happens while the rows are read is told again, and nothing is missed.
    cursor = await run_in_threadpool(reports.events_end, visitor.actor.org_id)
    listed = await run_in_threadpool(_listed, reports, visitor, filters, request.query_params.get("cursor"), ROWS)
    return render(
        request,
        "inventory.html",
        visitor,
        filters=filters,
        problem=filters.problem,
        entries=[shown(entry, visitor.timezone) for entry in listed.items],
        more_href=_more(filters, visitor, listed),
        overview=await _overview(request, visitor),
        cursor=cursor,
        kinds=" ".join(KINDS),
        locations=locations,
    )


@page(Permission.MANAGE, fragment=True, by_store=True)
async def more_rows(request: Request, visitor: Visitor) -> Response:
    """The rows of the filters alone, from a cursor on; `limit` up to 200 reads again what a page has shown."""
    asked = request.query_params
    filters, wanted = filters_of(asked), asked.get("limit", "")
    limit = min(int(wanted), LIMIT_MAX) if re.fullmatch(r"[1-9][0-9]{0,2}", wanted) else ROWS
    reports = request.app.state.application.shop.reports
    listed = await run_in_threadpool(_listed, reports, visitor, filters, asked.get("cursor"), limit)
    return render_part(
        "inventory_rows.html",
        entries=[shown(entry, visitor.timezone) for entry in listed.items],
        more_href=_more(filters, visitor, listed),
        problem=filters.problem,
    )


@page(Permission.MANAGE, fragment=True, by_store=True)
async def live(request: Request, visitor: Visitor) -> Response:
    """Some rows as they are now (`level`, at most 50 of them), and the figures; a row that is gone is left out."""
    asked = request.query_params
    wanted = asked.getlist("level")[:LIVE_MAX]
    reports = request.app.state.application.shop.reports
    entries = await run_in_threadpool(_levels, reports, visitor, wanted)
    return render_part(
        "inventory_live.html",
        entries=[shown(entry, visitor.timezone) for entry in entries],
        overview=await _overview(request, visitor),
    )


def _listed(reports: Reports, visitor: Visitor, filters: Filters, cursor: str | None, limit: int) -> Page:
    levels = LevelFilter(
        search=filters.search or None,
        store=None if visitor.store is None else visitor.store.id,
        location=filters.location or None,
        low_stock=filters.low_stock if filters.limit is None else filters.limit,
    )
    return reports.levels(visitor.actor.org_id, levels, stores=visitor.stores, cursor=cursor or None, limit=limit)


def _levels(reports: Reports, visitor: Visitor, ids: list[str]) -> list[Json]:
    org_id, stores = visitor.actor.org_id, visitor.stores
    entries = []
    for one in ids:
        entry = reports.level(org_id, one, stores=stores)
        # Only an empty entry can have left the list.
        if entry and (entry["quantity"] or entry["backordered_quantity"] or reports.level_key(org_id, one)):
            entries.append(entry)
    return entries


def _locations(reports: Reports, visitor: Visitor) -> list[Json]:
    """The locations that a filter offers: of the store that is chosen, or of all."""
    places = everything(reports.locations, visitor)
    if visitor.store is not None:
        places = [one for one in places if one["store_id"] == visitor.store.id]
    return sorted(places, key=lambda one: str(one["code"]))


def _more(filters: Filters, visitor: Visitor, listed: Page) -> str:
    if listed.next_cursor is None:
        return ""
    return f"/admin/inventory?{filters.query(listed.next_cursor, visitor.store)}"


async def _overview(request: Request, visitor: Visitor) -> list[Json]:
    """The figures of the chosen store, or of all that the visitor may see."""
    remembered = getattr(request.app.state, FIGURES)
    store = None if visitor.store is None else visitor.store.id
    return figures(await remembered.get((visitor.actor.org_id, store, visitor.stores)))
