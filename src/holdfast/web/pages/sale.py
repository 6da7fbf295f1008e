"""One sale: its lines and who holds them, what was paid, shipped and returned, its entries, its receipt.

    GET /admin/sales/{sale_id}?ledger=...      the page; `ledger` goes on in the list of its ledger entries
    GET /admin/sales/{sale_id}/part            what follows what happens, and the forms, for the page's script

What can be done is done over the API by the page's script. A sale that is not there, or that the visitor may not see,
is 404.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.reports import LIMIT_MAX, Json, Page, Reports
from holdfast.web.http.problems import Problem
from holdfast.web.pages.failure import failure_page
from holdfast.web.pages.layout import Visitor, render, render_part
from holdfast.web.pages.page_access import page
from holdfast.web.pages.sale_history import history_of
from holdfast.web.pages.sale_lines import lines_of
from holdfast.web.pages.sale_parts import (
    entry_of_journal,
    entry_of_ledger,
    facts_of,
    forms_of,
    receipt_of,
    return_of,
    shipment_of,
    sums_of,
)
from holdfast.web.pages.sale_view import badges_of
from holdfast.web.pages.sales import KINDS

HOLDS_MAX = 1_000
"""Most holds of a sale that are looked at to say who has its units."""

MOVES_MAX = 1_000
"""Most ledger entries of a sale, the newest, that are looked at to say from which lots it was taken."""

SHOWN = 50
"""Ledger entries, journal entries and returns that are shown at once."""


@page(Permission.MANAGE)
async def show(request: Request, visitor: Visitor) -> Response:
    """The whole page."""
    reports: Reports = request.app.state.application.shop.reports
    cursor = await run_in_threadpool(reports.events_end, visitor.actor.org_id)
    found = await run_in_threadpool(_read, reports, visitor, request)
    if found is None:
        return failure_page(request, 404, visitor, text="There is no such sale, or it is of a store that is not yours.")
    return render(request, "sale.html", visitor, cursor=cursor, kinds=" ".join(KINDS), **found)


@page(Permission.MANAGE, fragment=True)
async def part(request: Request, visitor: Visitor) -> Response:
    """The parts that follow what happens."""
    reports: Reports = request.app.state.application.shop.reports
    found = await run_in_threadpool(_read, reports, visitor, request)
    if found is None:
        raise Problem("SALE_NOT_FOUND", "There is no such sale.")
    return render_part("sale_part.html", **found)


def _read(reports: Reports, visitor: Visitor, request: Request) -> Json | None:
    """What the templates show of the sale; None where there is none that the visitor may see."""
    org_id, stores = visitor.actor.org_id, visitor.stores
    sale = reports.sale(org_id, request.path_params["sale_id"], stores=stores)
    if sale is None:
        return None
    zone = ZoneInfo(visitor.timezone)
    settings = reports.settings(org_id)
    assert settings is not None, "a visitor has an organisation"
    order: Json = {"order_number": sale["order_number"], "source": sale["source"]}
    holds = _all(lambda **more: reports.reservations(org_id, **order, stores=stores, **more), HOLDS_MAX)
    moves = _all(lambda **more: reports.ledger(org_id, **order, ref_type="SALE", stores=stores, **more), MOVES_MAX)
    ledger = reports.ledger(
        org_id, **order, stores=stores, cursor=request.query_params.get("ledger") or None, limit=SHOWN
    )
    returns = reports.returns(org_id, sale_id=sale["id"], stores=stores, limit=SHOWN)
    about = (sale["id"], *(one["id"] for one in sale["payments"] if one["id"]), *(one["id"] for one in returns.items))
    journal = reports.journal(org_id, ref_ids=about, stores=stores, limit=SHOWN)
    store = None if sale["store_id"] is None else reports.store(org_id, sale["store_id"])
    lines = lines_of(sale, holds, moves, zone)
    return {
        "sale": sale,
        "currency": settings["currency"],
        "facts": facts_of(sale, "" if store is None else store["name"], zone),
        "badges": badges_of(sale),
        "lines": lines,
        "sums": sums_of(sale),
        "shipments": [shipment_of(one, sale, zone) for one in sale["fulfillments"]],
        "returns": [return_of(one, sale, zone) for one in returns.items],
        "more_returns": returns.next_cursor is not None,
        "story": history_of(sale, returns.items, zone),
        "ledger": [entry_of_ledger(one, zone) for one in ledger.items],
        "older_ledger": ledger.next_cursor,
        "journal": [entry_of_journal(one, zone) for one in journal.items],
        "more_journal": journal.next_cursor is not None,
        "receipt": receipt_of(sale, visitor.organisation, "" if store is None else store["name"], zone),
        "forms": forms_of(sale, lines),
    }


def _all(read: object, most: int) -> list[Json]:
    """All that a list has, and at most `most` of it."""
    items: list[Json] = []
    cursor: str | None = None
    while len(items) < most:
        found: Page = read(cursor=cursor, limit=LIMIT_MAX)  # type: ignore[operator] # a list with its filter
        items += found.items
        cursor = found.next_cursor
        if cursor is None:
            break
    return items
