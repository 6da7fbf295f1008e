"""Holds that wait: where each waits, and which of them gets the units that come.

The problem. Units are promised that are not there yet: backorders, pre-orders, orders of a channel, units that a count
has taken away. Such units wait at a location. Stock comes later, and often to another location. Three wishes then pull
apart: whoever came first is served first; an order is held at few places; no unit lies free at one place while a hold
that may have it waits at another.

A worked example. MUG-1 may be backordered. MAIN has 3 units, EAST has none, and both may serve an order that names no
location. Order 101 takes 5, then order 102 takes 4. Then 5 units come to EAST.

    lines of sales                              holds of no sale line (direct holds)
    101: 3 backed at MAIN, 2 wait there         101: 3 backed at MAIN, 2 wait there
    102: 4 wait at MAIN                         102: 4 wait at MAIN
    5 come to EAST                              5 come to EAST
    101: 3 backed at MAIN, 2 backed at EAST     101: 5 backed at EAST, and leaves 3 units at MAIN
    102: 3 backed at EAST, 1 waits at MAIN      102: 3 backed at MAIN, 1 waits there

Both orders of each column have as many units as they would have if all of it had come to one place.

The decision. Whatever raises the free units of a level serves the holds that wait, by best priority, then oldest,
whether they wait at that level or at another one that serves the same orders (`serve_waiting`). A sale line may be held
at several places: only its waiting part comes. A direct hold has one place: it moves whole, and only where stock backs
more of it than now. So it gains with every move and comes to rest, and what it leaves behind serves the next one. For
the same reason a direct hold is made where stock backs most of it. A hold that has just begun to wait looks for free
units elsewhere once, when its command is decided (`seek`). Units wait at the place that sells first; among places of
equal priority where the product lies, last received first (`in_waiting_order`). A hold whose location was given waits
there and nowhere else.

`Stock.roaming_products` names the products that roaming holds wait for: those that wait and may be served at several
locations. It is filled when levels are loaded and when a hold begins to roam, so for all other products a command asks
for nothing more.

What was left out. Nobody plans ahead: a hold never gives units back so that the one behind it fits better. A direct
hold is not split over places: its answer names one location. Goods on the road are promised to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from holdfast.core.records.organisation import Location
from holdfast.core.records.product import Product
from holdfast.core.records.sale import SaleLine
from holdfast.core.records.stock import Level, Reservation
from holdfast.core.records.wants import CameIn, LastCameIn, SaleById
from holdfast.core.stock.allocation import Backing, back, held_in_order, post_backing
from holdfast.core.stock.foreseen_id import split_id
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.shortages import Allocations, cause_of_hold, hold_facts, tell_hold

replace = msgspec.structs.replace


def in_waiting_order(stock: Stock, product: Product, places: list[Location]) -> list[Location]:
    """Places in the order in which units wait at them; the levels of all of them are loaded.

    By priority; among equals where the product has a level, last received first, then by code.
    """
    if len({place.priority for place in places}) == len(places):
        return places
    levels = {place.id: stock.level(product.id, place.id) for place in places}
    if not any(levels.values()):
        return places
    came_in = dict(map(LastCameIn.of, stock.require(CameIn(product.id))))
    for place_id, level in levels.items():
        if level is not None and level.id in stock.came_in:
            came_in[place_id] = stock.came_in[level.id]

    def key(place: Location) -> tuple[int, bool, int, str]:
        return place.priority, levels[place.id] is None, -came_in.get(place.id, 0), place.code

    return sorted(places, key=key)


def free_units_at(stock: Stock, product: Product, place: Location, lot_id: str | None) -> int:
    """Units that a hold could get at the place, of the pinned lot or of any."""
    level = stock.level(product.id, place.id)
    if level is None:
        return 0
    if lot_id is None:
        return level.available
    at = stock.lot_stock(level, lot_id)
    assert at is not None, (level, lot_id)
    return at.free


def most_backed_first(
    stock: Stock, product: Product, places: list[Location], units: int, lot_id: str | None
) -> list[Location]:
    """The places where a direct hold of `units` may wait, as it prefers them: where stock backs most of it, and among
    equals in waiting order. A place that backs less would leave free units beside it for a later hold."""
    in_order = in_waiting_order(stock, product, places)
    return sorted(in_order, key=lambda place: -min(units, max(0, free_units_at(stock, product, place, lot_id))))


# Serving -------------------------------------------------------------------------------------------------------------


def serve_waiting(stock: Stock, level: Level, actor: str) -> list[str]:
    """Give the level's free units to the holds that wait for them, here or elsewhere; the ids of these, in order."""
    served: dict[str, None] = {}
    freed = [level]
    with stock.consequences():
        while freed:  # a direct hold that moves leaves units behind, which serve others
            _serve_from(stock, freed.pop(0), actor, served, freed)
    return list(served)


def _serve_from(stock: Stock, level: Level, actor: str, served: dict[str, None], freed: list[Level]) -> None:
    roams = level.product_id in stock.roaming_products
    if level.on_hand == level.reserved or not (level.backordered or roams):
        return
    place = stock.catalog.locations[level.location_id]
    if not place.sellable:
        return
    product = stock.product_of(level)
    waiting = _queue(stock, level, place, roams=roams)
    _need_sales(stock, level, waiting)
    stock.ask_for_lot_stocks((level, hold.lot_id) for hold in waiting if hold.lot_id is not None)
    for name in [hold.id for hold in waiting]:
        if level.on_hand == level.reserved:
            break
        hold = stock.reservations[name]
        if hold.level_id == level.id:
            given = _serve_here(stock, level, product, hold, actor)
        elif hold.sale_line_id is not None:
            given = _serve_line(stock, level, product, hold, actor)
        else:
            given = _move_if_better(stock, level, product, hold, actor, freed)
        if given:
            served[name] = None


def _queue(stock: Stock, level: Level, place: Location, *, roams: bool) -> list[Reservation]:
    """All holds that the level's units may serve, in turn."""
    holds = stock.waiting_at(level)
    if roams:
        holds += [hold for hold in stock.roaming(level.product_id) if hold.level_id != level.id]
        reach: dict[str | None, bool] = {None: True}
        for hold in holds:
            if hold.served_from is not None and hold.served_from not in reach:
                reach[hold.served_from] = place in stock.catalog.serving_places(hold.served_from)
        holds = [hold for hold in holds if hold.level_id == level.id or reach[hold.served_from]]
    return sorted((hold for hold in holds if _waits(stock, hold)), key=lambda hold: hold.turn)


def _waits(stock: Stock, hold: Reservation) -> bool:
    """Does it wait, and is it still alive?"""
    return hold.active and hold.backordered > 0 and (hold.expires_at is None or hold.expires_at > stock.now)


def _need_sales(stock: Stock, level: Level, waiting: list[Reservation]) -> None:
    """Ask at once for the sales whose lines will be held at one place more."""
    left, sales = level.available, dict[str, None]()
    for hold in waiting:
        if left <= 0:
            break
        if hold.sale_line_id is not None and hold.level_id != level.id and (hold.allocated or hold.backordered > left):
            sales[str(hold.reserved_for_id)] = None
        left -= hold.backordered if hold.lot_id is None else 0
    stock.require(*map(SaleById, sales))


def _with(allocations: Allocations, backing: Backing) -> Allocations:
    """The allocations and those of the backing, by lot."""
    units_of = dict(allocations)
    for at, units in backing:
        units_of[at.lot_id] = units_of.get(at.lot_id, 0) + units
    return tuple(units_of.items())


def _serve_here(stock: Stock, level: Level, product: Product, hold: Reservation, actor: str) -> int:
    """Give units to a hold of the level itself; how many it got."""
    cause = cause_of_hold(hold, actor, "backorder")
    backing = back(stock, level, product, hold.backordered, hold.lot_id)
    for at, units in backing:
        stock.post(cause, level, at, "RESERVE", reserved=units, backordered=-units, hold=hold.id)
    given = sum(units for _, units in backing)
    if given:
        allocations = _with(hold.allocations, backing)
        waits = hold.backordered - given
        hold = replace(hold, backordered=waits, allocations=allocations, updated_at=level.updated_at)
        stock.put_hold(hold)
        tell_hold(stock, "BackorderAllocated", hold, product, given)
    return given


def _serve_line(stock: Stock, level: Level, product: Product, hold: Reservation, actor: str) -> int:
    """Give units to a sale line that waits elsewhere: all of the hold comes here, or the part that is served."""
    backing = back(stock, level, product, hold.backordered, hold.lot_id)
    units = sum(taken for _, taken in backing)
    if not units:
        return 0
    if units == hold.open:
        hold = relocate(stock, hold, level, backing, actor)
    else:
        hold = _hold_elsewhere(stock, level, hold, backing, units, actor)
    tell_hold(stock, "BackorderAllocated", hold, product, units)
    return units


def _hold_elsewhere(
    stock: Stock, level: Level, hold: Reservation, backing: Backing, units: int, actor: str
) -> Reservation:
    """Hold `units` of what waits for a sale line at another level instead, where `backing` backs them.

    The hold that has them now: one of the line that is there, or a new one.
    """
    stock.require(SaleById(str(hold.reserved_for_id)))
    line = stock.row(SaleLine, str(hold.sale_line_id))
    old = stock.level_of_id[hold.level_id]
    cause = cause_of_hold(hold, actor, "moved")
    stock.post(cause, old, None, "RELEASE", backordered=-units, hold=hold.id)
    stock.put_hold(
        replace(
            hold,
            quantity=hold.quantity - units,
            backordered=hold.backordered - units,
            updated_at=old.updated_at,
        )
    )
    known = None if line is None else _own_hold_at(stock, level, hold)
    made_id = split_id(hold.id, level.id, level.seq) if known is None else known.id
    post_backing(stock, cause, level, made_id, backing)
    made = replace(
        hold if known is None else known,
        id=made_id,
        level_id=level.id,
        location_id=level.location_id,
        quantity=units + (0 if known is None else known.quantity),
        consumed=0 if known is None else known.consumed,
        released=0 if known is None else known.released,
        backordered=0 if known is None else known.backordered,
        allocations=_with(() if known is None else known.allocations, backing),
        updated_at=level.updated_at,
    )
    stock.put_hold(made)
    if line is not None and made.id not in line.reservations:
        stock.put_row(replace(line, reservations=(*line.reservations, made.id)))
    return made


def _own_hold_at(stock: Stock, level: Level, hold: Reservation) -> Reservation | None:
    """The active hold of the same line at the level that may take more units."""
    same = (hold.sale_line_id, hold.lot_id, hold.served_from, hold.expires_at, hold.priority, level.id)
    for other in stock.holds_of_line(str(hold.sale_line_id)):
        its = (other.sale_line_id, other.lot_id, other.served_from, other.expires_at, other.priority, other.level_id)
        if other.active and its == same:
            return other
    return None


def _move_if_better(
    stock: Stock, level: Level, product: Product, hold: Reservation, actor: str, freed: list[Level]
) -> int:
    """Move a direct hold here when that backs more of it than it has; how many units more it has then."""
    backing, gained = _better(stock, level, product, hold)
    if gained <= 0:
        return 0
    if hold.allocated:
        freed.append(stock.level_of_id[hold.level_id])
    moved = relocate(stock, hold, level, backing, actor)
    tell_hold(stock, "BackorderAllocated", moved, product, gained)
    return gained


def _better(stock: Stock, level: Level, product: Product, hold: Reservation) -> tuple[Backing, int]:
    """What would back a direct hold at another level, and how many units more that is than back it where it is."""
    backing = back(stock, level, product, hold.open, hold.lot_id)
    return backing, sum(taken for _, taken in backing) - hold.allocated


# Moving --------------------------------------------------------------------------------------------------------------


def relocate(stock: Stock, hold: Reservation, level: Level, backing: Backing, actor: str) -> Reservation:
    """Move an active hold to another level of its product, with its place in the queue: `backing` backs it there and
    the rest waits. The hold as it stands then; what it leaves behind is for the caller to offer."""
    old = stock.level_of_id[hold.level_id]
    assert old.id != level.id and old.product_id == level.product_id, (hold, level)
    product = stock.product_of(level)
    cause = cause_of_hold(hold, actor, "moved")
    left = stock.catalog.locations[hold.location_id]
    for at, held in held_in_order(stock, old, product, hold):
        stock.post(cause, old, at, "RELEASE", reserved=-held, hold=hold.id)
    if hold.backordered:
        stock.post(cause, old, None, "RELEASE", backordered=-hold.backordered, hold=hold.id)
    waits = hold.open - sum(taken for _, taken in backing)
    post_backing(stock, cause, level, hold.id, backing, waits)
    hold = replace(
        hold,
        level_id=level.id,
        location_id=level.location_id,
        backordered=waits,
        allocations=_with((), backing),
        updated_at=level.updated_at,
    )
    stock.moved.add(hold.id)
    stock.put_hold(hold)
    came_from = {"from_location": left.code, "from_store_id": left.told_to}
    facts = {**hold_facts(stock, hold, product, hold.open), **came_from}
    stock.tell("ReservationMoved", product.id, facts)
    return hold


def offer(stock: Stock, levels: list[Level]) -> None:
    """Note the roaming holds that these levels may serve, so that `seek` looks for free units for them.

    It is for units that lie free although nothing has just freed them.
    """
    for level in levels:
        place = stock.catalog.locations[level.location_id]
        if level.on_hand == level.reserved or level.product_id not in stock.roaming_products:
            continue
        for hold in stock.roaming(level.product_id):
            if place in stock.catalog.serving_places(str(hold.served_from)):
                stock.holds_to_place[hold.id] = None


def seek(stock: Stock) -> None:
    """Give the holds that have begun to roam (`holds_to_place`) free units of any location that may serve them.

    It is done after each decision and after settling. A decision that adopts holds does it before it makes its answer,
    which tells what waits of the sale.
    """
    names, stock.holds_to_place = stock.holds_to_place, {}
    if not names:
        return
    holds = [hold for name in names if (hold := stock.reservations.get(name)) is not None and hold.roams]
    holds = sorted((hold for hold in holds if _waits(stock, hold)), key=lambda hold: hold.turn)
    places = stock.catalog.serving_places
    stock.lock_levels((hold.product_id, place.id) for hold in holds for place in places(str(hold.served_from)))
    with stock.consequences():
        stock.each([hold.id for hold in holds], lambda _, name: _look_elsewhere(stock, name))


def _look_elsewhere(stock: Stock, name: str) -> None:
    hold = stock.reservations[name]
    if hold.sale_line_id is None:
        _move_to_best(stock, hold)
        return
    for level in _levels_elsewhere(stock, hold):
        hold = stock.reservations[name]
        if not hold.backordered:
            return
        if level.id != hold.level_id:
            _serve_line(stock, level, stock.product_of(level), hold, stock.caller.actor)


def _levels_elsewhere(stock: Stock, hold: Reservation) -> Iterator[Level]:
    """Levels with free units where the hold may be served and is not, in selling order."""
    for place in stock.catalog.serving_places(str(hold.served_from)):
        level = stock.level(hold.product_id, place.id)
        if level is not None and level.id != hold.level_id and level.on_hand != level.reserved:
            yield level


def _move_to_best(stock: Stock, hold: Reservation) -> None:
    """Move a direct hold that waits to where stock backs most of it, if that is more than it has."""
    if not hold.backordered:
        return
    product = stock.catalog.product(hold.product_id)
    assert product is not None, hold
    best: tuple[Level, Backing] | None = None
    most = 0
    for level in _levels_elsewhere(stock, hold):
        backing, gained = _better(stock, level, product, hold)
        if gained > most:
            best, most = (level, backing), gained
    if best is not None:
        old = stock.level_of_id[hold.level_id]
        moved = relocate(stock, hold, *best, stock.caller.actor)
        tell_hold(stock, "BackorderAllocated", moved, product, most)
        serve_waiting(stock, old, stock.caller.actor)
