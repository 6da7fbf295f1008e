"""Sourcing: where the stock of a sale's lines is held, and how its holds follow the line (docs/how-to/sell.md).

The problem. A line of a sale asks for units of a product, and the shop may have them at several locations. Each further
place is a further walk, parcel or transfer. But a sale that is refused while the units are there is worse. And a line
is edited: its holds must follow it, and what it holds already must never stand in its way.

A worked example. MUG-1 lies at EAST (3 units), MAIN (4) and BACK (6). They sell in this order.

    3 units     -> 3 at EAST: the first place that can fill the line alone, also where another one has more
    5 units     -> 5 at BACK: EAST and MAIN cannot fill it alone, BACK can
    7 units     -> 6 at BACK, 1 at MAIN: no place can, and the largest stocks make the fewest places
    12 units    -> 6 at BACK, 4 at MAIN, 2 at EAST
    14 units    -> refused: 14 requested, 13 available

Editing competes for the difference only. With EAST and MAIN alone a line of 5 is held as 4 at MAIN and 1 at EAST.
Edited to 7, it takes 2 more at EAST. Edited to 8, it is refused and keeps its 7. Edited to 2, it gives 5 back: what
waits goes first, whichever hold it is of, and then the units of the newest hold.

The decision. `spread` takes the first place in selling order that has all of it. If there is none it takes the places
by their free units, most first; among equals, selling order. Taking the largest first is the fewest places, because
each place gives all that it has. What no place has may wait if the product allows it (`oversell`), or if the sale is a
fact that happened elsewhere. It waits at one place, the first in waiting order (`core.stock.backorders`). Otherwise the
line is refused with the numbers. The holds of a cart end together, `cart_hold_minutes` after it was changed or resumed;
those of a suspended sale, and of an order of a channel, have no end.

What was left out. The fewest places are found for each line, not for the sale: two lines may be held at two places
although one place had both. Distance, cost and the age of lots do not count: selling order is where a shop says what it
prefers. A line that was split is not put together again when one place has enough later, because a hold that moves
without being asked to surprises whoever packs it.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.catalog import served_from_text
from holdfast.core.records.organisation import Location
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, insufficient_stock
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import OPEN
from holdfast.core.records.stock import Reservation
from holdfast.core.reservations.amend import extend, move, shrink
from holdfast.core.reservations.reserve import (
    PRIORITY_DEFAULT,
    Target,
    Terms,
    anywhere,
    ask_for_pinned,
    lot_lies_at,
    promise,
    shortfall_allowed,
    who_may_override,
)
from holdfast.core.stock.allocation import pinned_lot_refusal
from holdfast.core.stock.backorders import free_units_at, in_waiting_order
from holdfast.core.stock.holds import release_together, release_units
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import holds_of, product_of_line

replace = msgspec.structs.replace

MINUTE = 60_000_000
"""Microseconds."""


def cart_expiry(stock: Stock, sale: Sale) -> int | None:
    """Until when a cart holds its stock from now on; a suspended sale holds it without an end."""
    if sale.status != OPEN or not stock.settings.cart_hold_minutes:
        return None
    return stock.now + stock.settings.cart_hold_minutes * MINUTE


def renew(stock: Stock, sale: Sale) -> None:
    """Activity: every hold of the sale's lines lasts as if it had just been made."""
    expires_at = cart_expiry(stock, sale)
    for hold in holds_of(stock, sale):
        if hold.sale_line_id is not None and hold.expires_at != expires_at:
            stock.put_hold(replace(hold, expires_at=expires_at, updated_at=max(stock.now, hold.updated_at)))


def places_of(stock: Stock, sale: Sale, line: SaleLine) -> list[Location]:
    """Where a line may be filled from, in selling order; nowhere when the location that it names was removed."""
    if line.location_id is not None:
        place = stock.catalog.locations[line.location_id]
        return [place] if place.active else []
    if sale.store_id is not None:
        return stock.catalog.sellable_places(frozenset((sale.store_id,)), online=False)
    return stock.catalog.sellable_places(stock.caller.stores, online=stock.caller.online)


def served_from(stock: Stock, sale: Sale, line: SaleLine) -> str | None:
    """Where the line's holds may be served (`catalog.served_from_text`); None where its location was given."""
    if line.location_id is not None:
        return None
    if sale.store_id is not None:
        return served_from_text(frozenset((sale.store_id,)), online=False)
    return anywhere(stock)


def refuse_pinned_nowhere(stock: Stock, product: Product, places: list[Location], lot_id: str | None) -> None:
    """Refuse a lot that a line names and that can be had at none of the places."""
    if lot_id is None:
        return
    stock.lock_levels((product.id, place.id) for place in places)
    ask_for_pinned(stock, product, places, lot_id)
    refusals = [pinned_lot_refusal(stock, stock.level(product.id, place.id), lot_id, product) for place in places]
    if not refusals:
        raise Refused(Code.LOT_NOT_AVAILABLE, "There is no selling location for the lot.", {"lot_id": lot_id})
    told = [refusal for refusal in refusals if refusal is not None]
    if len(told) == len(refusals):
        raise Refused.of(told[0])


def spread(
    stock: Stock, product: Product, places: list[Location], units: int, lot_id: str | None
) -> tuple[list[tuple[Location, int]], int]:
    """Which of the places give how much, as few of them as can: ((place, units) in selling order, units short)."""
    places = [place for place in places if place.sellable]
    stock.lock_levels((product.id, place.id) for place in places)
    if lot_id is not None:
        places = [place for place in places if lot_lies_at(stock, product, place, lot_id)]
    free: list[tuple[Location, int]] = []
    for place in places:
        there = free_units_at(stock, product, place, lot_id)
        if there >= units:
            return [(place, units)], 0
        free.append((place, max(there, 0)))
    if sum(there for _, there in free) < units:
        stock.require_expired_holds(stock.level(product.id, place.id) for place in places)
    left = units
    parts: dict[str, int] = {}
    for place, there in sorted(free, key=lambda item: -item[1]):  # stable: equals stay in selling order
        part = min(there, left)
        if part:
            parts[place.id] = part
            left -= part
    return [(place, parts[place.id]) for place in places if place.id in parts], left


def hold_units(
    stock: Stock,
    sale: Sale,
    line: SaleLine,
    units: int,
    *,
    priority: int | None = None,
    fact: bool = False,
    override: bool | None = None,
) -> SaleLine:
    """Hold `units` more for a line, split where one place is not enough; the line with the holds.

    A hold that the line has there already takes them, if it is of the line's lot and of the `priority` (None: of any).
    With `override` a manager lets wait what is short; None: nobody can, where the line is changed here.
    Refused with INSUFFICIENT_STOCK, or as `refuse_pinned_nowhere` refuses.
    """
    overridden = bool(override)
    product = product_of_line(stock, line)
    places = places_of(stock, sale, line)
    refuse_pinned_nowhere(stock, product, places, line.lot_id)
    parts, short = spread(stock, product, places, units, line.lot_id)
    if short:
        waiting_place = _waiting_place_of_line(
            stock, product, places, short, line.lot_id, fact=fact, override=overridden
        )
        if waiting_place is None:
            asked = {} if override is None else who_may_override(stock, product)
            raise insufficient_stock(product, units, units - short, **asked)
        at_first = [(place, part + short if place is waiting_place else part) for place, part in parts]
        parts = at_first if any(place is waiting_place for place, _ in parts) else [*parts, (waiting_place, short)]
    known = [
        hold
        for hold in stock.holds_of_line(line.id)
        if hold.active and hold.lot_id == line.lot_id and priority in (None, hold.priority)
    ]

    def hold_part(_: int, at: tuple[Location, int]) -> Reservation:
        place, part = at
        own = next((hold for hold in known if hold.location_id == place.id), None)
        if own is None:
            terms = _terms_of(stock, sale, line, priority, fact=fact, override=overridden)
            return promise(stock, product, place, part, terms, served_from(stock, sale, line))
        level = stock.level(product.id, place.id)
        assert level is not None
        return extend(stock, level, product, own, part, fact=fact, override=overridden)

    made: list[str] = []
    for held in stock.each(parts, hold_part):
        if held.id not in line.reservations:
            made.append(held.id)
    return replace(line, reservations=(*line.reservations, *made))


def _waiting_place_of_line(
    stock: Stock,
    product: Product,
    places: list[Location],
    short: int,
    lot_id: str | None,
    *,
    fact: bool,
    override: bool,
) -> Location | None:
    """Where `short` units of a line may wait; None where nothing allows it."""
    for place in in_waiting_order(stock, product, places):
        if not place.sellable or not (lot_id is None or lot_lies_at(stock, product, place, lot_id)):
            continue
        level = stock.level(product.id, place.id)
        waiting = 0 if level is None else level.backordered
        if shortfall_allowed(stock, product, short, waiting, fact=fact, override=override):
            return place
    return None


def _terms_of(stock: Stock, sale: Sale, line: SaleLine, priority: int | None, *, fact: bool, override: bool) -> Terms:
    """The terms of a new hold of a line."""
    target = Target(
        order_number=sale.order_number,
        source=sale.source,
        reserved_for_type="transaction",
        reserved_for_id=sale.id,
        sale_line_id=line.id,
    )
    return Terms(
        target,
        line.lot_id,
        cart_expiry(stock, sale),
        PRIORITY_DEFAULT if priority is None else priority,
        override,
        fact,
    )


def adjust_hold(stock: Stock, sale: Sale, line: SaleLine, *, override: bool | None = None) -> SaleLine:
    """Make the line's holds promise exactly what is open of it; the line with the holds. `override` as in `hold_units`.

    Of a surplus the units that wait go first, whichever hold they are of, and then those that stock backs; each of the
    newest hold first. More units are held as `hold_units` holds them.
    """
    holds = stock.holds_of_line(line.id)
    lack = line.open - sum(hold.open for hold in holds)
    if lack > 0:
        return hold_units(stock, sale, line, lack, override=override)
    surplus = -lack
    newest_first = sorted(holds, key=lambda hold: (hold.created_at, hold.id), reverse=True)
    waiting = [(hold.id, hold.backordered) for hold in newest_first]
    backed = [(hold.id, hold.allocated) for hold in newest_first]
    for has in (waiting, backed):
        parts: list[tuple[str, int]] = []
        for name, units in has:
            part = min(surplus, units)
            if part:
                parts.append((name, part))
                surplus -= part
        stock.each(parts, lambda _, part: _give_back(stock, *part))
    return line


def move_line(stock: Stock, line: SaleLine, place: Location) -> None:
    """Hold at the place all that the line holds; each hold keeps its place in the queue."""
    for name in [hold.id for hold in stock.holds_of_line(line.id)]:
        move(stock, stock.reservations[name], place)


def _give_back(stock: Stock, name: str, units: int) -> None:
    """A line needs fewer units: a hold of which nothing is left ends, another one shrinks."""
    hold = stock.reservations[name]
    if units == hold.open and not hold.consumed:
        release_units(stock, hold, units, "edited")
    else:
        shrink(stock, hold, units)


def release_all(stock: Stock, sale: Sale, reason: str) -> None:
    """Give back every hold that names the sale."""
    release_together(stock, [(hold, hold.open) for hold in holds_of(stock, sale)], reason)
