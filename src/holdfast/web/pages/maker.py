"""The page of makers: I made, I sold, I counted, and what is left (docs/how-to/make.md).

    GET /simple            the three buttons, and each product with what is left of it
    GET /simple/sell       the same, and "I sold" is open
    GET /simple/count      the same, and "I counted" is open

Its script asks the API for everything that it shows, and changes stock by the API alone. A button that the visitor's
role may not use is not there. It refuses nobody who may sell.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.reports import Reports
from holdfast.web.pages.layout import Visitor, everything, render
from holdfast.web.pages.page_access import page

KINDS = (
    "InventoryReserved",
    "ReservationReleased",
    "ReservationExpired",
    "ReservationFulfilled",
    "StockReceived",
    "StockAdjusted",
    "StockCounted",
    "StockTransferred",
    "LotQuarantined",
    "LotReleased",
    "LotWrittenOff",
    "SaleCompleted",
)
"""Events after which something else may be left."""

_NOT_FOR_SALE = ("transit", "quarantine")


@page(Permission.SELL, by_store=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The three buttons and the list."""
    return await _shown(request, visitor, "")


@page(Permission.SELL, by_store=True)
async def sell(request: Request, visitor: Visitor) -> Response:
    """The page with "I sold" open."""
    return await _shown(request, visitor, "sold")


@page(Permission.SELL, by_store=True)
async def count(request: Request, visitor: Visitor) -> Response:
    """The page with "I counted" open, for those who may count."""
    return await _shown(request, visitor, "counted" if visitor.actor.has(Permission.STOCK) else "")


async def _shown(request: Request, visitor: Visitor, opened: str) -> Response:
    reports = request.app.state.application.shop.reports
    org_id = visitor.actor.org_id
    hears = visitor.actor.has(Permission.EVENTS)
    # The cursor is read first: what happens while the page is read is told again, and nothing is missed.
    cursor = await run_in_threadpool(reports.events_end, org_id) if hears else ""
    settings = await run_in_threadpool(reports.settings, org_id)
    return render(
        request,
        "simple.html",
        visitor,
        opened=opened,
        hears=hears,
        cursor=cursor,
        kinds=" ".join(KINDS),
        currency=settings["currency"],
        places=await run_in_threadpool(_places, reports, visitor),
        stocks=visitor.actor.has(Permission.STOCK),
        prices=visitor.actor.has(Permission.PRICE_OVERRIDE),
        manages=visitor.actor.has(Permission.MANAGE),
    )


def _places(reports: Reports, visitor: Visitor) -> list[dict[str, Any]]:
    """The locations where the visitor makes, sells and counts, shops before bins: of the chosen store, or of all."""
    chosen = None if visitor.store is None else visitor.store.id
    found = [
        one
        for one in everything(reports.locations, visitor)
        if one["kind"] not in _NOT_FOR_SALE and chosen in (None, one["store_id"])
    ]
    return sorted(found, key=lambda one: (one["kind"] == "bin", str(one["code"])))
