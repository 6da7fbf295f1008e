"""The lines of a sale as its page shows them: who has which units, and from which lots those came that went out.

    lines_of(sale, holds, moves, zone)     -> [{"title": "Mug", "held": ["2 at MAIN from lot A"], "sold": [...], ...}]

`moves` are ledger entries of the kind SALE. An entry belongs to the line whose hold it names, or to the only line of
its product; where neither tells, it is shown with the ledger alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from holdfast.web.pages.inventory_view import Json, number_text
from holdfast.web.pages.sale_view import UNFINISHED, left_of, time_of

LOTS_SHOWN = 8
"""Most lots of a line that are named."""


def lines_of(sale: Json, holds: Sequence[Json], moves: Iterable[Json], zone: ZoneInfo) -> list[Json]:
    """The lines with what they hold and what went out of which lot."""
    held = defaultdict[str, list[Json]](list)
    for hold in holds:
        if hold["status"] == "active" and hold["sale_line_id"]:
            held[hold["sale_line_id"]].append(hold)
    sold = _sold_by_line(sale["lines"], moves)
    unfinished = sale["status"] in UNFINISHED
    return [_line(line, held[line["id"]], sold[line["id"]], zone, unfinished=unfinished) for line in sale["lines"]]


def _line(line: Json, holds: Sequence[Json], sold: Json, zone: ZoneInfo, *, unfinished: bool) -> Json:
    lots = [f"{number_text(_number(units))} {where}" for where, units in sold.items() if units]
    return {
        "id": line["id"],
        "title": line["title"],
        "sku": line["sku"],
        "quantity": number_text(line["quantity"]),
        "unit_price": line["unit_price"],
        "discount": line["discount"],
        "total": line["line_total"],
        "counts": _counts(line),
        "held": [_held(hold, zone) for hold in holds],
        "sold": lots[:LOTS_SHOWN],
        "more_sold": max(0, len(lots) - LOTS_SHOWN),
        "shippable": _shippable(line) if unfinished else "0",
        "returnable": "0" if unfinished else left_of(line["fulfilled"], line["returned"]),
    }


def _counts(line: Json) -> list[Json]:
    """What became of the units: held, waiting, lapsed, shipped, returned; only what there is."""
    words = (
        ("held", left_of(line["held"], line["backordered"]), "held"),
        ("waits", line["backordered"], "waiting for stock"),
        ("lapsed", line["lapsed"], "not held any more"),
        ("shipped", line["fulfilled"], "gone out"),
        ("returned", line["returned"], "returned"),
    )
    return [{"kind": kind, "words": f"{number} {text}"} for kind, number, text in words if Decimal(str(number))]


def _held(hold: Json, zone: ZoneInfo) -> str:
    """One hold in words: how much, where, from which lots, and until when."""
    lots = [f"{number_text(one['quantity'])} from {_lot(one)}" for one in hold["allocations"]]
    named = ", ".join(lots[:LOTS_SHOWN]) + (
        f" and {len(lots) - LOTS_SHOWN} more lots" if len(lots) > LOTS_SHOWN else ""
    )
    words = f"{number_text(hold['open_quantity'])} at {hold['location']}"
    if named:
        words += f": {named}"
    if hold["backordered_quantity"]:
        words += f"; {number_text(hold['backordered_quantity'])} wait for stock"
    return words if hold["expires_at"] is None else f"{words}; until {time_of(hold['expires_at'], zone)['when']}"


def _lot(allocation: Json) -> str:
    return f"lot {allocation['lot_code']}" if allocation["lot_code"] else "a lot without a code"


def _sold_by_line(lines: Sequence[Json], moves: Iterable[Json]) -> defaultdict[str, dict[str, Decimal]]:
    """What went out of each line by lot and location, in smallest steps exactly; what was taken back is taken off."""
    by_hold = {name: line["id"] for line in lines for name in line["reservations"]}
    of_product = Counter(line["product_id"] for line in lines)
    only = {line["product_id"]: line["id"] for line in lines if of_product[line["product_id"]] == 1}
    found: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)
    for move in moves:
        line_id = by_hold.get(move["reservation_id"] or "") or only.get(move["product_id"])
        if line_id is not None and move["qty_delta"]:
            where = f"from {_lot(move)} at {move['location']}"
            found[line_id][where] = found[line_id].get(where, Decimal(0)) - Decimal(str(move["qty_delta"]))
    return found


def _number(units: Decimal) -> int | float:
    return int(units) if units == units.to_integral_value() else float(units)


def _shippable(line: Json) -> str:
    """What can be shipped now: of goods what is backed by stock, of the rest what did not go out yet."""
    if line["held"] or line["lapsed"]:
        return left_of(line["held"], line["backordered"])
    return left_of(line["quantity"], line["fulfilled"])
