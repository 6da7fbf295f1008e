"""The picking list: what has to be taken from which place for the sales that wait, to be printed or read on a phone.

    GET /admin/sales/picking?status=suspended&source=shopify      for the sales that these filters show
    GET /admin/sales/picking?sale=0190-...&sale=...               for these sales, at most 50

It has what stock backs; what waits for stock cannot be picked. Nothing is added up: each row is one lot for one sale.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.reports import LIMIT_MAX, Json, Reports
from holdfast.web.pages.inventory_view import number_text
from holdfast.web.pages.layout import Visitor, render
from holdfast.web.pages.page_access import page
from holdfast.web.pages.sale_view import UNFINISHED
from holdfast.web.pages.sales import ROWS, found_sales
from holdfast.web.pages.sales_filters import filters_of


class Pick(NamedTuple):
    """What is taken from one place for one sale: so much of a lot. Picks are sorted as they are walked to."""

    location: str
    sku: str
    number: str
    lot: str
    title: str
    quantity: str
    href: str
    whom: str


@page(Permission.MANAGE, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The list for the sales that are named, or that the filters show."""
    reports: Reports = request.app.state.application.shop.reports
    sales, more = await run_in_threadpool(_sales, reports, visitor, request)
    picks = await run_in_threadpool(_picks, reports, visitor, sales)
    places: dict[str, list[Pick]] = {}
    for pick in sorted(picks):
        places.setdefault(pick.location, []).append(pick)
    filters = filters_of(request.query_params)
    return render(
        request, "sales_picking.html", visitor, places=places, more=more, back=filters.href(visitor.store), most=ROWS
    )


def _sales(reports: Reports, visitor: Visitor, request: Request) -> tuple[list[Json], bool]:
    """The sales, and whether the filters show more of them than one list has."""
    named = request.query_params.getlist("sale")[:ROWS]
    if named:
        found = [reports.sale(visitor.actor.org_id, name, stores=visitor.stores) for name in named]
        return [one for one in found if one is not None], False
    part = found_sales(
        reports, visitor, filters_of(request.query_params), request.query_params.get("cursor") or None, ROWS
    )
    return part.items, part.next_cursor is not None


def _picks(reports: Reports, visitor: Visitor, sales: Iterable[Json]) -> list[Pick]:
    """What the holds of the sales have of each lot."""
    picks = []
    for sale in sales:
        if sale["status"] not in UNFINISHED:
            continue
        titles = {line["product_id"]: line["title"] for line in sale["lines"]}
        for hold in _holds(reports, visitor, sale):
            picks += [
                Pick(
                    hold["location"],
                    hold["sku"],
                    sale["number"],
                    lot["lot_code"] or "",
                    titles.get(hold["product_id"], ""),
                    number_text(lot["quantity"]),
                    f"/admin/sales/{sale['id']}",
                    sale["customer"] or "",
                )
                for lot in hold["allocations"]
            ]
    return picks


def _holds(reports: Reports, visitor: Visitor, sale: Json) -> Iterable[Json]:
    """The active holds of the sale: a sale has a bounded number of lines, and so of holds."""
    cursor: str | None = None
    while True:
        part = reports.reservations(
            visitor.actor.org_id,
            order_number=sale["order_number"],
            source=sale["source"],
            status="active",
            stores=visitor.stores,
            cursor=cursor,
            limit=LIMIT_MAX,
        )
        yield from part.items
        cursor = part.next_cursor
        if cursor is None:
            return
