"""One entry of the inventory in detail: how it went, who holds it, its lots, and what the ledger said last.

    GET /admin/inventory/entry?level=0190-...     the part that the page's script puts beside the list

Each list is short: it shows the newest, and says when there are more. An entry that is not there, or that the visitor
may not see, is 404.
"""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from holdfast.access import Permission
from holdfast.core.records.time import instant_of
from holdfast.db.queries.history import SPAN, HistoryFilter
from holdfast.reports import Reports
from holdfast.web.http.problems import Problem
from holdfast.web.pages.chart import chart_of
from holdfast.web.pages.inventory_view import Json, number_text
from holdfast.web.pages.layout import Visitor, render_part
from holdfast.web.pages.page_access import page

SHOWN = 5
"""How many holds, lots and ledger lines are shown."""

KIND_WORDS = {
    "RECEIPT": "received",
    "SALE": "sold",
    "RETURN": "returned",
    "ADJUSTMENT": "adjusted",
    "TRANSFER": "moved",
    "COUNT": "counted",
    "EXPIRY": "expired",
    "RESERVE": "reserved",
    "RELEASE": "released",
}
"""Kinds of ledger lines in words."""


@page(Permission.MANAGE, fragment=True)
async def show(request: Request, visitor: Visitor) -> Response:
    """The part of one entry."""
    reports: Reports = request.app.state.application.shop.reports
    found = await run_in_threadpool(_read, reports, visitor, request.query_params.get("level", ""))
    if found is None:
        raise Problem("NOT_FOUND", "There is no such entry.")
    return render_part("inventory_entry.html", **found)


def _read(reports: Reports, visitor: Visitor, level_id: str) -> Json | None:
    org_id, stores = visitor.actor.org_id, visitor.stores
    entry = reports.level(org_id, level_id, stores=stores)
    if entry is None:
        return None
    here: Json = {"product": entry["product_id"], "location": entry["location"]}
    more: Json = {"stores": stores, "limit": SHOWN}
    holds = reports.reservations(org_id, **here, status="active", **more)
    lots = reports.lots(org_id, **here, in_stock=True, **more)
    ledger = reports.ledger(org_id, **here, **more)
    now = time.time_ns() // 1000
    begun = instant_of(entry["created_at"])
    assert begun is not None, "an entry has a time"
    asked = HistoryFilter(location=entry["location"], from_=max(begun, now - SPAN), to=now)
    history = reports.product_history(org_id, entry["product_id"], asked, stores=stores)
    zone = ZoneInfo(visitor.timezone)
    return {
        "entry": entry,
        "holds": [_hold(one, zone) for one in holds.items],
        "more_holds": holds.next_cursor is not None,
        "lots": [_lot(one, zone) for one in lots.items],
        "more_lots": lots.next_cursor is not None,
        "lines": [_line(one, zone) for one in ledger.items],
        "chart": None if history is None else chart_of(history, entry["threshold"], zone),
        "since": "" if begun < now - SPAN else _when(entry["created_at"], zone),
    }


def _hold(hold: Json, zone: ZoneInfo) -> Json:
    whom = hold["order_number"] or hold["reserved_for_type"] or "nobody in particular"
    waits = hold["backordered_quantity"]
    return {
        "quantity": number_text(hold["open_quantity"]),
        "whom": f"order {whom}" if hold["order_number"] else str(whom).replace("_", " "),
        "source": hold["source"] or "",
        "waits": number_text(waits) if waits else "",
        "until": "" if hold["expires_at"] is None else f"until {_when(hold['expires_at'], zone)}",
    }


def _lot(lot: Json, zone: ZoneInfo) -> Json:
    return {
        "code": lot["lot_code"] or f"received {_when(lot['received_at'], zone)}",
        "on_hand": number_text(lot["on_hand"]),
        "reserved": number_text(lot["reserved"]),
        "expires": "" if lot["expires_at"] is None else lot["expires_at"][:10],
        "status": lot["status"],
    }


def _line(line: Json, zone: ZoneInfo) -> Json:
    changes = [
        (line["qty_delta"], "on hand", line["balance_after"]),
        (line["reserved_delta"], "reserved", line["reserved_after"]),
        (line["backordered_delta"], "backordered", line["backordered_after"]),
    ]
    return {
        "at": line["created_at"],
        "when": _when(line["created_at"], zone),
        "kind": KIND_WORDS[line["ref_type"]],
        "changes": [f"{delta:+,} {what}, {after:,} after" for delta, what, after in changes if delta],
        "who": line["actor"].partition(":")[2] or line["actor"],
        "why": line["reason"] or "",
        "order": line["order_number"] or "",
    }


def _when(instant: str, zone: ZoneInfo) -> str:
    at = datetime.fromisoformat(instant).astimezone(zone)
    return f"{at.day} {at:%b, %H:%M}"
