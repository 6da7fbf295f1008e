"""Events over HTTP: a list with a cursor that never skips one, or a stream of Server-Sent Events.

    GET /api/v1/events?cursor=...                            -> {"items": [...], "next_cursor": "..."}
    GET /api/v1/events  with Accept: text/event-stream       -> id: <cursor>, event: InventoryReserved, data: {...}

A stream begins after `cursor` or `Last-Event-ID` (neither: at the beginning; `end`: now) and follows what comes. It
ends when the process stops, the key is revoked, or nobody listens; a client goes on from the last id. There is a bound
on how many. At a till a cashier hears of the carts, the queue and the stock of its store, and of its own session.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from holdfast.access import Actor, Permission, concerns
from holdfast.web.api.shapes import EventDocument
from holdfast.web.http.problems import Problem, invalid
from holdfast.web.http.query_string import CURSOR_MAX
from holdfast.web.http.request_body import Receive
from holdfast.web.http.response import SAFE_HEADERS, Answer
from holdfast.web.http.route import PAGED, Call, Route, Sender, encode
from holdfast.web.http.serving import Serving
from holdfast.web.identity.caller_mark import caller_header

POLL_SECONDS = 0.5
"""How long an idle stream waits before it looks again."""

HEARTBEAT_SECONDS = 15.0
"""How often an idle stream says that it is alive."""

PAGE = 200
"""Most events of a stream that are read at once."""

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *SAFE_HEADERS,
    (b"x-accel-buffering", b"no"),  # nginx would collect the events in a buffer, and the page waits for ever
]
END = "end"
"""The cursor that means: only what comes from now on."""

OF_CARTS = frozenset({"SaleOpened", "SaleSuspended", "SaleResumed", "SaleFulfilled", "SaleCompleted", "SaleCancelled"})
OF_STOCK = frozenset(
    {
        *("InventoryReserved", "ReservationReleased", "ReservationExpired", "ReservationConsumed", "ReservationMoved"),
        *("ReservationBackordered", "BackorderAllocated", "StockReceived", "StockAdjusted", "StockCounted"),
        *("StockTransferred", "StockReturned", "LotQuarantined", "LowStock"),
    }
)
TILL_EVENTS = OF_CARTS | OF_STOCK
"""What a till hears of its store, whoever is at it."""

OF_SESSION = frozenset({"RegisterOpened", "RegisterClosed"})
"""What it hears of its own session."""


def list_events(call: Call) -> Any:
    """Events, oldest first."""
    paging = call.paging()
    if paging["cursor"] == END:
        paging["cursor"] = call.shop.reports.events_end(call.actor.org_id)
    return _visible(call, call.shop.reports.events(call.actor.org_id, **paging))


async def stream_events(application: Serving, call: Call, sender: Sender, receive: Receive, answer: Answer) -> None:
    """Send events as they come until somebody stops."""
    with application.callers.streaming(call.actor):
        cursor = _begin(call, sender.headers)
        async with application.callers.reading(call.actor):
            if cursor == END:
                cursor = await application.read(call.shop.reports.events_end, call.actor.org_id)
            page = await application.read(_page, call, cursor)  # a bad cursor is refused before the stream begins
        await _follow(application, call, page, sender, receive, answer)


async def _follow(
    application: Serving, call: Call, page: Any, sender: Sender, receive: Receive, answer: Answer
) -> None:
    gone = asyncio.ensure_future(_gone(receive))
    stopping = asyncio.ensure_future(application.stopping.wait())
    try:
        await answer.begin(200, [*_STREAM_HEADERS, caller_header(call.actor)])
        await answer.part(b": connected\n\nretry: 2000\n\n")
        spoke_at = time.monotonic()
        while True:
            if page.items:
                await answer.part(_block(page))
                spoke_at = time.monotonic()
            cursor = page.next_cursor
            if len(page.items) < PAGE:
                await asyncio.wait((gone, stopping), timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or stopping.done() or not await _may_follow(application, call, sender):
                break
            if time.monotonic() - spoke_at >= HEARTBEAT_SECONDS:
                await answer.part(b": alive\n\n")
                spoke_at = time.monotonic()
            async with application.callers.reading(call.actor):
                page = await application.read(_page, call, cursor)
        if not gone.done():
            await answer.end()
    finally:
        for task in (gone, stopping):
            task.cancel()


def _begin(call: Call, headers: dict[bytes, bytes]) -> str | None:
    last = headers.get(b"last-event-id")
    if last:
        text = last.decode("latin-1")
        if len(text) > CURSOR_MAX or not text.isascii() or not text.isprintable():
            raise invalid("Last-Event-ID", "is not the id of an event of this stream.")
        return text
    cursor: str | None = call.query.get("cursor")
    return cursor


def _page(call: Call, cursor: str | None) -> Any:
    return _visible(call, call.shop.reports.events(call.actor.org_id, cursor=cursor, limit=PAGE))


def _visible(call: Call, page: Any) -> Any:
    """The page without the events of other stores, for a caller who is limited to some, and of other things than its
    own, for a till whose cashier is no staff."""
    if not call.actor.stores or not page.items:
        return page
    stores = frozenset(call.actor.stores)
    if not call.actor.has(Permission.EVENTS):
        return msgspec.structs.replace(page, items=[event for event in page.items if _is_of_till(call, event, stores)])
    return msgspec.structs.replace(page, items=[event for event in page.items if concerns(event["data"], stores)])


def _is_of_till(call: Call, event: Any, stores: frozenset[str]) -> bool:
    """Is it about the carts, queue or stock of the till's store, or about its own session?"""
    if event["type"] in OF_SESSION:
        return bool(event["data"].get("session_id") == call.actor.session_id)
    return event["type"] in TILL_EVENTS and concerns(event["data"], stores)


def _may_hear(actor: Actor) -> bool:
    """May they hear of events at all, or at their till?"""
    return actor.has(Permission.EVENTS) or (actor.session_id is not None and actor.has(Permission.READ))


def _block(page: Any) -> bytes:
    """The page's events; the last one carries the cursor, so going on from it skips nothing and repeats little."""
    parts = []
    last = len(page.items) - 1
    for index, event in enumerate(page.items):
        cursor = event.get("cursor") or (page.next_cursor if index == last else None)
        mark = b"" if cursor is None else b"id: " + cursor.encode() + b"\n"
        kind = str(event.get("type", "message")).encode()
        parts.append(b"%bevent: %b\ndata: %b\n\n" % (mark, kind, encode(event)))
    return b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _may_follow(application: Serving, call: Call, sender: Sender) -> bool:
    """May the caller still follow the events? From now on by what their rights are now."""
    try:
        actor = await application.auth.actor_of(sender.headers, origin=sender.origin)
    except Problem:  # since it began, its key may not be used from there any more
        return False
    if actor is None or actor.org_id != call.actor.org_id or not _may_hear(actor):
        return False
    if actor.session_id != call.actor.session_id:  # another session, or no till any more
        return False
    if call.store_id is not None:  # the stream was narrowed to it
        if actor.stores and call.store_id not in actor.stores:
            return False
        actor = msgspec.structs.replace(actor, stores=(call.store_id,))
    call.actor = actor
    return True


ROUTES = (
    Route(
        method="GET",
        path="/api/v1/events",
        summary="List events, oldest first, or follow them",
        about="`next_cursor` is never null: ask again with it. `Accept: text/event-stream` follows them. The cursor "
        "`end` begins with what comes from now on. At a till whose cashier is no staff: the carts, the queue and the "
        "stock of its store, and its own session.",
        till_too=True,
        tag="Events",
        permission=Permission.EVENTS,
        answer_with=list_events,
        answer=[EventDocument],
        query=PAGED,
        stream=stream_events,
    ),
)
