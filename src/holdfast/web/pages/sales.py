"""The list of sales: what waits to be done, and what was sold, the newest first.

    GET /admin/sales?search=ana&status=suspended&source=shopify&store=EAST&day=2031-01-31
    GET /admin/sales/rows?...&cursor=...      the next rows alone, for the page's script

Filtering and paging work without JavaScript; the script fetches the rows instead of the whole page. Nobody without
`inventory:manage` gets any of it. What can be done with one sale is on its own page (`sale`).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.reports import LIMIT_MAX, Json, Page, Reports
from holdfast.web.pages.inventory_view import number_text
from holdfast.web.pages.layout import Visitor, render, render_part
from holdfast.web.pages.page_access import page
from holdfast.web.pages.sale_view import row_of
from holdfast.web.pages.sales_filters import PATH, STATUS_WORDS, Filters, filters_of

ROWS = 50
"""Rows of a page."""

LOOKS_MAX = 5
"""So many stretches of the list are looked through for a first row before the page asks whether to look further."""

KINDS = (
    "SaleOpened",
    "SaleSuspended",
    "SaleResumed",
    "SaleFulfilled",
    "SaleFulfillmentReverted",
    "SalePaid",
    "SaleCompleted",
    "SaleCancelled",
    "SaleReturned",
    "ReservationShortfall",
    "ReservationAllocated",
)
"""Events that change a row."""


@page(Permission.MANAGE, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The whole page."""
    reports, filters = request.app.state.application.shop.reports, filters_of(request.query_params)
    # The cursor is read first: what happens while the rows are read is told again, and nothing is missed.
    cursor = await run_in_threadpool(reports.events_end, visitor.actor.org_id)
    known = await run_in_threadpool(reports.sale_sources, visitor.actor.org_id)
    return render(
        request,
        "sales.html",
        visitor,
        filters=filters,
        cursor=cursor,
        kinds=" ".join(KINDS),
        sources=sorted({*known, *([filters.source] if filters.source else [])}),
        **await run_in_threadpool(_list, reports, visitor, filters, request.query_params.get("cursor"), ROWS),
    )


@page(Permission.MANAGE, fragment=True, by_store=True)
async def more_rows(request: Request, visitor: Visitor) -> Response:
    """The rows of the filters alone, from a cursor on; `limit` up to 200 reads again what a page has shown."""
    asked = request.query_params
    reports, filters = request.app.state.application.shop.reports, filters_of(asked)
    limit = asked.get("limit", "")
    rows = min(LIMIT_MAX, int(limit)) if limit.isascii() and limit.isdigit() and len(limit) < 5 and int(limit) else ROWS
    return render_part(
        "sales_rows.html", **await run_in_threadpool(_list, reports, visitor, filters, asked.get("cursor"), rows)
    )


def _list(reports: Reports, visitor: Visitor, filters: Filters, cursor: str | None, rows: int) -> Json:
    """What the templates show of the list: rows, where it goes on, and which filter hides what is not there."""
    found = found_sales(reports, visitor, filters, cursor or None, rows)
    zone, stores = ZoneInfo(visitor.timezone), {one.id: one.name for one in visitor.all_stores}
    more = "" if found.next_cursor is None else f"{PATH}?{filters.query(visitor.store, cursor=found.next_cursor)}"
    return {
        "sales": [row_of(sale, stores, zone) for sale in found.items],
        "more_href": more,
        "tabs": _tabs(reports, filters, visitor),
        "problem": filters.problem,
        "narrowed": filters.any,
        "clear": Filters().href(visitor.store),
        "picking": f"{PATH}/picking?{filters.query(visitor.store)}",
    }


def found_sales(reports: Reports, visitor: Visitor, filters: Filters, cursor: str | None, rows: int) -> Page:
    """A page of sales. A filter may be so sparse that a stretch of the list has none: the next ones are looked at."""
    wanted = filters.sales(visitor.store, visitor.timezone)
    for _ in range(LOOKS_MAX):
        found = reports.sales(visitor.actor.org_id, wanted, stores=visitor.stores, cursor=cursor, limit=rows)
        cursor = found.next_cursor
        if found.items or cursor is None:
            break
    return found


def _tabs(reports: Reports, filters: Filters, visitor: Visitor) -> list[Json]:
    """The statuses to choose among, each with its address; of what waits, how many sales the other filters show."""
    words = {"": "All", **STATUS_WORDS}
    wanted = filters.sales(visitor.store, visitor.timezone)
    waiting = reports.unfinished_sales(visitor.actor.org_id, wanted, stores=visitor.stores)
    return [
        {
            "key": status or "all",
            "name": name,
            "count": number_text(waiting[status]) if status in waiting else "",
            "href": filters.href(visitor.store, status=status or None),
            "on": (filters.status or "") == status,
        }
        for status, name in words.items()
    ]
