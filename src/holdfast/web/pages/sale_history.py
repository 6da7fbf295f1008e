"""The time line of a sale: what happened to it, the newest first, as far as the sale itself tells.

    history_of(sale, returns, zone)     -> [{"what": "Shipped 2 of MUG-1", "who": "ana@example.org", ...}, ...]

It is made of what is kept for ever: when the sale was ordered and made, its payments, shipments and returns, and its
end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from holdfast.web.pages.inventory_view import Json, number_text
from holdfast.web.pages.sale_view import METHOD_WORDS, person, time_of

NAMED_MAX = 3
"""Most lines that a shipment or return names."""


class _Step(NamedTuple):
    at: str
    what: str
    who: str = ""


def history_of(sale: Json, returns: Sequence[Json], zone: ZoneInfo) -> list[Json]:
    """What happened, the newest first; of the same instant, what is told later comes first."""
    steps = sorted(_steps(sale, returns), key=lambda step: step.at)
    return [{"at": one.at, "what": one.what, "who": one.who, **time_of(one.at, zone)} for one in reversed(steps)]


def _steps(sale: Json, returns: Sequence[Json]) -> Iterator[_Step]:
    if sale["ordered_at"] < sale["created_at"]:
        yield _Step(sale["ordered_at"], f"Ordered at {sale['source']}")
    yield _Step(sale["created_at"], _made(sale["source"]))
    skus = {line["id"]: line["sku"] for line in sale["lines"]}
    for shipment in sale["fulfillments"]:
        goods = _named((number_text(line["quantity"]), skus.get(line["line_id"], "")) for line in shipment["lines"])
        tracking = f", tracking {shipment['tracking']}" if shipment["tracking"] else ""
        yield _Step(shipment["at"], f"Shipped {goods}{tracking}")
    for payment in sale["payments"]:
        if payment["at"] is not None:
            yield _Step(payment["at"], _paid(payment), person(payment["cashier"]))
    if sale["receipt"] and sale["receipt"]["completed_at"]:
        yield _Step(sale["receipt"]["completed_at"], "Completed", person(sale["cashier"]))
    for one in returns:
        goods = _named((number_text(line["quantity"]), line["sku"]) for line in one["lines"] if line["quantity"])
        what = f"Returned {goods}" if goods else f"Money off: {one['reason'] or 'no reason'}"
        yield _Step(one["created_at"], f"{what}, {one['refund_total']} back", person(one["cashier"]))
    if sale["status"] == "cancelled":
        yield _Step(sale["updated_at"], "Cancelled", person(sale["cashier"]))


def _made(source: str) -> str:
    known = {"pos": "Begun at a till", "manual": "Entered by hand"}
    return known.get(source, f"Came in from {source}")


def _paid(payment: Json) -> str:
    method = METHOD_WORDS[payment["method"]].lower()
    if payment["amount"].startswith("-"):
        return f"{payment['amount'][1:]} went back, {method}"
    return f"Paid {payment['amount']}, {method}"


def _named(goods: Iterable[tuple[str, str]]) -> str:
    """ "2 of MUG-1, 1 of LAMP-1 and 4 more lines" """
    words = [f"{quantity} of {sku}" if sku else f"{quantity} of a line that was removed" for quantity, sku in goods]
    more = len(words) - NAMED_MAX
    return ", ".join(words[:NAMED_MAX]) + (f" and {more} more lines" if more > 0 else "")
