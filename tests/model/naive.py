"""A naive Holdfast, written from docs/reference alone: plain lists, every figure recomputed by brute force.

It knows no batches, locks, ledger, database or undo. A command is a method: it changes the lists or raises `No` with
the code of the refusal (`attempt` brings back the state as it was). Quantities are smallest units, money minor units,
times microseconds. Where the law leaves the choice open, it follows what the code documents: a hold gives back what
waits first, then its newest lots; it sells and loses its oldest lots first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

NEVER = 10**30

Line = tuple[str, int | None, int | None]
"""(sku, units, lot)."""

RoadLine = tuple[str, int | None, int | None, int]
"""(sku, units, lot, units that are lost)."""

OrderLine = tuple[str, int | None]
"""(sku, units)."""


class No(Exception):
    """The command is refused."""

    def __init__(self, code: str, **numbers: Any) -> None:
        super().__init__(code, numbers)
        self.code = code
        self.numbers = numbers


@dataclass
class Product:
    sku: str
    precision: int = 0
    oversell: str = "deny"
    limit: int | None = None
    fefo: bool = False
    unlimited: bool = False


@dataclass
class Place:
    code: str
    store: str
    kind: str = "store"
    priority: int = 100
    online: bool = True

    @property
    def sellable(self) -> bool:
        return self.kind not in ("quarantine", "transit")


@dataclass
class Caller:
    stores: tuple[str, ...] = ()
    manager: bool = True


@dataclass
class Lot:
    n: int
    sku: str
    code: str | None
    cost: int
    expires: int | None
    received: int
    status: str = "active"


@dataclass
class Pile:
    """A lot at a place; `origins` says from where what lies in quarantine came."""

    units: int = 0
    value: int = 0
    origins: list[list[Any]] = field(default_factory=list)


@dataclass
class Hold:
    n: int
    sku: str
    place: str
    quantity: int
    created: int
    target: tuple[Any, ...]
    pinned: int | None = None
    priority: int = 100
    expires: int | None = None
    consumed: int = 0
    released: int = 0
    waits: int = 0
    alloc: dict[int, int] = field(default_factory=dict)
    reason: str | None = None
    reach: tuple[str, ...] | None = None
    """Where it may be served, in selling order; None: its location was given."""

    @property
    def open(self) -> int:
        return self.quantity - self.consumed - self.released

    @property
    def held(self) -> int:
        return sum(self.alloc.values())

    @property
    def status(self) -> str:
        return "active" if self.open else ("consumed" if self.consumed else "released")


@dataclass
class SaleLine:
    sku: str
    quantity: int
    gone: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.gone


@dataclass
class Sale:
    """An order that a channel took. Holds of its lines have the target ("line", order, source, sale, line)."""

    order: str
    source: str
    lines: list[SaleLine]
    status: str = "suspended"


@dataclass
class SheetLine:
    sku: str
    lot: int | None
    before: int
    counted: int | None


@dataclass
class Sheet:
    place: str
    lines: list[SheetLine]
    status: str = "draft"


@dataclass
class Shipment:
    """`lots` are (sku, lot, units still on the road)."""

    origin: str
    destination: str
    lots: list[tuple[str, int, int]]
    status: str = "shipped"
    arrived: int = 0
    back: int = 0


class Naive:
    """See the module."""

    def __init__(self, products: Iterable[Product], places: Iterable[Place], now: int) -> None:
        self.now = now
        self.products = {product.sku: product for product in products}
        self.places = {place.code: place for place in places}
        self.transit = next(place.code for place in self.places.values() if place.kind == "transit")
        self.lots: list[Lot] = []
        self.piles: dict[tuple[int, str], Pile] = {}
        self.been: set[tuple[int, str]] = set()
        self.holds: list[Hold] = []
        self.sheets: list[Sheet] = []
        self.corrects: tuple[str, str, Sheet | None] | None = None
        self.shipments: list[Shipment] = []
        self.appointments: list[str] = []
        self.sales: list[Sale] = []
        self.costs: dict[str, int] = {}
        self.listed: dict[tuple[str, str], bool] = {}
        self.came: dict[tuple[str, str], int] = {}
        self.simple = False
        self.allow_override = True
        # What the command that runs did to others.
        self.served: list[int] = []
        self.shorted: list[int] = []

    def attempt(self, command: Callable[[Naive], Any]) -> Any:
        """Do a command, or leave everything as it was and raise No."""
        before = copy.deepcopy(self.__dict__)
        self.served, self.shorted = [], []
        try:
            answer = command(self)
            self.seek()
            return answer
        except No:
            self.__dict__ = before
            raise

    # Looking ---------------------------------------------------------------------------------------------------------

    def pile(self, lot: int, place: str) -> Pile:
        return self.piles.setdefault((lot, place), Pile())

    def on_hand(self, sku: str, place: str) -> int:
        return sum(pile.units for (lot, at), pile in self.piles.items() if at == place and self.lots[lot].sku == sku)

    def holds_at(self, sku: str, place: str) -> list[Hold]:
        return [hold for hold in self.holds if hold.sku == sku and hold.place == place and hold.open]

    def reserved(self, sku: str, place: str) -> int:
        return sum(hold.held for hold in self.holds_at(sku, place))

    def waiting(self, sku: str, place: str) -> int:
        return sum(hold.waits for hold in self.holds_at(sku, place))

    def reserved_of(self, lot: int, place: str) -> int:
        return sum(hold.alloc.get(lot, 0) for hold in self.holds_at(self.lots[lot].sku, place))

    def free(self, lot: int, place: str) -> int:
        return self.piles.get((lot, place), Pile()).units - self.reserved_of(lot, place)

    def expired(self, lot: int, place: str) -> bool:
        expires = self.lots[lot].expires
        return self.places[place].sellable and expires is not None and expires <= self.now

    def in_order(self, sku: str, lots: Iterable[int]) -> list[int]:
        """FEFO when the product tracks expiry, else FIFO by receipt."""

        def key(n: int) -> tuple[int, int, int]:
            lot = self.lots[n]
            first = lot.expires if self.products[sku].fefo and lot.expires is not None else NEVER
            return (first, lot.received, lot.n)

        return sorted(lots, key=key)

    def lots_at(self, sku: str, place: str) -> list[int]:
        """Lots with units at the place, as units are taken from them."""
        here = [lot for (lot, at), pile in self.piles.items() if at == place and pile.units]
        return self.in_order(sku, [lot for lot in here if self.lots[lot].sku == sku])

    def backing(self, sku: str, place: str, units: int, pinned: int | None = None) -> list[tuple[int, int]]:
        found = []
        for lot in self.lots_at(sku, place):
            if pinned in (None, lot) and not self.expired(lot, place):
                part = min(units, self.free(lot, place))
                if part > 0:
                    found.append((lot, part))
                    units -= part
        return found

    def available(self, sku: str, place: str, pinned: int | None = None) -> int:
        return sum(units for _, units in self.backing(sku, place, NEVER, pinned))

    def touch(self, sku: str, place: str) -> None:
        self.listed[sku, place] = True

    # What is always the same -----------------------------------------------------------------------------------------

    def leave(self, lot: int, place: str, units: int) -> int:
        """Units leave a lot with their share of its value; the last unit takes what is left. The value."""
        pile = self.pile(lot, place)
        assert 0 < units <= pile.units, (lot, place, units, pile)
        value = pile.value if units == pile.units else round(Fraction(pile.value * units, pile.units))
        pile.units -= units
        pile.value -= value
        self.touch(self.lots[lot].sku, place)
        return value

    def come(self, lot: int, place: str, units: int, value: int) -> None:
        pile = self.pile(lot, place)
        self.been.add((lot, place))
        pile.units += units
        pile.value += value
        self.touch(self.lots[lot].sku, place)

    def worth(self, sku: str, units: int, cost: int) -> int:
        return round(Fraction(units * cost * 100, 10 ** (self.products[sku].precision + 6)))

    def new_lot(self, sku: str, code: str | None, cost: int, expires: int | None) -> int:
        self.lots.append(Lot(len(self.lots), sku, code, cost, expires, self.now))
        return len(self.lots) - 1

    def serve(self, sku: str, place: str) -> None:
        """New stock serves the waiting first, wherever they wait that may be served here: best priority, then oldest.

        Who waits elsewhere moves here when that backs more of it; what it leaves behind serves others.
        """
        if not self.places[place].sellable:
            return
        left: list[str] = []
        for hold in self.queue(sku):
            if hold.place == place:
                for lot, units in self.backing(sku, place, hold.waits, hold.pinned):
                    hold.alloc[lot] = hold.alloc.get(lot, 0) + units
                    hold.waits -= units
                    self.gave(hold)
            elif place in (hold.reach or ()) and self.available(sku, place, hold.pinned):
                if hold.target[0] == "line":
                    self.serve_line(hold, place)
                    self.gave(hold)
                elif min(hold.open, self.available(sku, place, hold.pinned)) > hold.held:
                    left.append(hold.place)
                    self.move(hold, place)
                    self.gave(hold)
        for other in left:
            self.serve(sku, other)

    def serve_line(self, hold: Hold, place: str) -> None:
        """A sale's line may be held at several places: what is here is held here, by the line's hold here if it has
        one; a hold that has nothing where it is comes as a whole."""
        units = min(hold.waits, self.available(hold.sku, place, hold.pinned))
        if units == hold.open:
            self.move(hold, place)
            return
        same = (hold.target, place, hold.pinned, hold.reach, hold.expires, hold.priority)
        own = [
            h for h in self.holds if h.open and (h.target, h.place, h.pinned, h.reach, h.expires, h.priority) == same
        ]
        backing = self.backing(hold.sku, place, units, hold.pinned)
        self.touch(hold.sku, hold.place)
        hold.waits -= units
        hold.quantity -= units
        taker = min(own, key=lambda h: (h.created, h.n)) if own else self.twin(hold, place)
        taker.quantity += units
        for lot, part in backing:
            taker.alloc[lot] = taker.alloc.get(lot, 0) + part
        self.touch(hold.sku, place)

    def twin(self, hold: Hold, place: str) -> Hold:
        """A new hold, of nothing yet, as old as the other one."""
        made = Hold(len(self.holds), hold.sku, place, 0, hold.created, hold.target, hold.pinned, hold.priority)
        made.expires, made.reach = hold.expires, hold.reach
        self.holds.append(made)
        return made

    def gave(self, hold: Hold) -> None:
        self.touch(hold.sku, hold.place)
        if hold.n not in self.served:
            self.served.append(hold.n)

    def queue(self, sku: str) -> list[Hold]:
        """Who waits for a product and is alive, in turn."""
        alive = [h for h in self.holds if h.sku == sku and h.waits and (h.expires is None or h.expires > self.now)]
        return sorted(alive, key=lambda h: (h.priority, h.created, h.n))

    def move(self, hold: Hold, place: str) -> None:
        """All that is open of a hold is held at another place, or waits there."""
        self.touch(hold.sku, hold.place)
        backing = self.backing(hold.sku, place, hold.open, hold.pinned)
        hold.waits = hold.open - sum(units for _, units in backing)
        hold.alloc = dict(backing)
        hold.place = place
        self.touch(hold.sku, place)

    def seek(self) -> None:
        """Who waits and is backed better elsewhere is served there: a line from each place, all else at the best."""
        for sku in self.products:
            for hold in self.queue(sku):
                if hold.target[0] == "line":
                    for place in hold.reach or ():
                        if place != hold.place and hold.waits and self.available(sku, place, hold.pinned):
                            self.serve_line(hold, place)
                elif hold.waits and hold.reach:
                    backed = {place: min(hold.open, self.available(sku, place, hold.pinned)) for place in hold.reach}
                    best, old = max(hold.reach, key=lambda place: backed[place]), hold.place
                    if best != old and backed[best] > hold.held:
                        self.move(hold, best)
                        self.serve(sku, old)

    def give_back(self, hold: Hold, units: int, reason: str, lot: int | None = None) -> None:
        """Release: what waits first, then the newest lots; then whoever waits is served."""
        assert 0 < units <= hold.open
        hold.released += units
        waits = min(units, hold.waits) if lot is None else 0
        hold.waits -= waits
        units -= waits
        for name in reversed(self.in_order(hold.sku, list(hold.alloc))):
            if lot in (None, name):
                part = min(units, hold.alloc[name])
                hold.alloc[name] -= part
                units -= part
        assert units == 0
        self.close(hold, reason)
        self.touch(hold.sku, hold.place)
        self.serve(hold.sku, hold.place)

    def close(self, hold: Hold, reason: str) -> None:
        hold.alloc = {lot: units for lot, units in hold.alloc.items() if units}
        if hold.status == "released" and hold.reason is None:
            hold.reason = reason

    def sell(self, hold: Hold, units: int, lot: int | None = None) -> None:
        for name in self.in_order(hold.sku, list(hold.alloc)):
            if lot in (None, name):
                part = min(units, hold.alloc[name])
                if part:
                    self.leave(name, hold.place, part)
                    hold.alloc[name] -= part
                    hold.consumed += part
                    units -= part
        assert units == 0
        self.close(hold, "cancelled")

    # Truth beats promises --------------------------------------------------------------------------------------------

    def worst_first(self, sku: str, place: str) -> list[Hold]:
        holds = [hold for hold in self.holds_at(sku, place) if hold.held]
        return sorted(holds, key=lambda h: (h.priority, h.created, h.n), reverse=True)

    def lose(self, hold: Hold, units: int, lot: int | None = None) -> int:
        """A hold loses up to `units` (of one lot), its oldest lots first; how many it lost."""
        lost = 0
        for name in self.in_order(hold.sku, list(hold.alloc)):
            if lot in (None, name):
                part = min(units - lost, hold.alloc[name])
                hold.alloc[name] -= part
                hold.waits += part
                lost += part
        hold.alloc = {name: held for name, held in hold.alloc.items() if held}
        if lost and hold.n not in self.shorted:
            self.shorted.append(hold.n)
        return lost

    def make_way(self, sku: str, place: str, gone: dict[int, int], units: int) -> None:
        """`units` will leave the place, of which `gone` says how many of which lots: who loses, who moves."""
        for lot, leaving in gone.items():
            pinned = [hold for hold in self.worst_first(sku, place) if hold.pinned == lot]
            excess = sum(hold.alloc.get(lot, 0) for hold in pinned) - (self.pile(lot, place).units - leaving)
            for hold in pinned:
                if excess > 0:
                    excess -= self.lose(hold, excess, lot)
        lack = self.reserved(sku, place) - (self.on_hand(sku, place) - units)
        for hold in self.worst_first(sku, place):
            if lack > 0:
                lack -= self.lose(hold, lack)
        assert lack <= 0
        for lot, leaving in gone.items():
            self.reallocate(sku, place, lot, leaving, set(gone))

    def reallocate(self, sku: str, place: str, lot: int, leaving: int, leaving_lots: set[int]) -> None:
        """Holds of a lot that leaves move to other lots of the place, the worst first."""
        for hold in self.worst_first(sku, place):
            stuck = leaving - self.free(lot, place)
            if stuck <= 0 or hold.pinned is not None or not hold.alloc.get(lot):
                continue
            stuck = min(stuck, hold.alloc[lot])
            for other, units in self.backing(sku, place, NEVER):
                part = min(units, stuck)
                if part and other not in leaving_lots:
                    hold.alloc[lot] -= part
                    hold.alloc[other] = hold.alloc.get(other, 0) + part
                    stuck -= part
            hold.alloc = {name: held for name, held in hold.alloc.items() if held}
        assert self.free(lot, place) >= leaving, (lot, place)

    def lack(self, sku: str, place: str, units: int, lot: int | None) -> None:
        """A fact: `units` are not there (of the lot, or of the oldest lots, unreserved first)."""
        self.make_way(sku, place, {} if lot is None else {lot: units}, units)
        names = [lot] if lot is not None else sorted(self.lots_at(sku, place), key=lambda n: (self.lots[n].received, n))
        for name in names:
            part = min(units, self.free(name, place))
            if part > 0:
                self.leave(name, place, part)
                units -= part
        assert units == 0

    def surplus(self, sku: str, place: str, units: int, lot: int | None, cost: int | None) -> None:
        if lot is None:
            known = self.costs.get(sku, 0) if cost is None else cost
            lot = self.new_lot(sku, None, known, None)
        self.come(lot, place, units, self.worth(sku, units, self.lots[lot].cost))

    @contextmanager
    def correcting(self, sku: str, place: str, own: Sheet | None) -> Iterator[None]:
        """What is put right within is no move: other open sheets remember the balance as it then is."""
        self.corrects = (sku, place, own)
        try:
            yield
        finally:
            self.corrects = None

    def tell_sheets(self, sku: str, place: str, before: dict[int, int]) -> None:
        if self.corrects is None:
            return
        own = self.corrects[2]
        after = {lot: self.pile(lot, place).units for lot in self.lots_at(sku, place)}
        moved = {lot: after.get(lot, 0) - before.get(lot, 0) for lot in {*before, *after}}
        for sheet in self.sheets:
            for line in sheet.lines if sheet.status == "draft" and sheet is not own and sheet.place == place else ():
                if line.sku == sku:
                    line.before += sum(moved.values()) if line.lot is None else moved.get(line.lot, 0)

    def make_equal(self, sku: str, place: str, lot: int | None, units: int, cost: int | None = None) -> None:
        """A fact. Of a recalled lot nothing stays on the shelf, whoever found it there."""
        present = self.on_hand(sku, place) if lot is None else self.pile(lot, place).units
        before = {name: self.pile(name, place).units for name in self.lots_at(sku, place)}
        if units < present:
            self.lack(sku, place, present - units, lot)
        elif units > present:
            self.surplus(sku, place, units - present, lot, cost)
        self.tell_sheets(sku, place, before)
        if lot is not None and units and self.lots[lot].status == "quarantined" and self.places[place].sellable:
            self.set_aside(sku, place, [lot])
        self.serve(sku, place)

    def quarantine_of(self, place: str) -> str:
        store = self.places[place].store
        return next(p.code for p in self.places.values() if p.store == store and p.kind == "quarantine")

    def set_aside(self, sku: str, place: str, lots: list[int]) -> None:
        """Lots move to the store's quarantine; their holds give way."""
        gone = {lot: self.pile(lot, place).units for lot in lots}
        self.make_way(sku, place, gone, sum(gone.values()))
        for lot, units in gone.items():
            self.move_aside(lot, place, units)
        self.serve(sku, place)

    def move_aside(self, lot: int, place: str, units: int) -> None:
        corner = self.quarantine_of(place)
        self.come(lot, corner, units, self.leave(lot, place, units))
        origins = self.pile(lot, corner).origins
        for origin in origins:
            if origin[0] == place:
                origin[1] += units
                return
        origins.append([place, units])

    # Time ------------------------------------------------------------------------------------------------------------

    def due(self) -> bool:
        """Has time something to do?"""
        dead = any(h.open and h.expires is not None and h.expires <= self.now for h in self.holds)
        return dead or any(pile.units and self.expired(lot, at) for (lot, at), pile in self.piles.items())

    def settle(self) -> None:
        """What time has made due, level by level: expired holds are released, the oldest first; expired lots leave."""
        for sku in self.products:
            for place in self.places:
                dead = [h for h in self.holds_at(sku, place) if h.expires is not None and h.expires <= self.now]
                for hold in sorted(dead, key=lambda h: h.expires or 0):
                    self.give_back(hold, hold.open, "expired")
                lots = [lot for lot in self.lots_at(sku, place) if self.expired(lot, place)]
                if lots:
                    self.set_aside(sku, place, lots)
        self.seek()

    # Finding what a command names ------------------------------------------------------------------------------------

    def find_product(self, sku: str) -> Product:
        if sku not in self.products:
            raise No("PRODUCT_NOT_FOUND")
        return self.products[sku]

    def find_place(self, caller: Caller, code: str) -> Place:
        if code not in self.places:
            raise No("LOCATION_NOT_FOUND")
        self.may_act(caller, code)
        return self.places[code]

    def find_lot(self, n: int, sku: str | None = None, caller: Caller | None = None) -> Lot:
        """The lot; for a caller of some stores it has to lie, or to have lain, in one of them."""
        if not 0 <= n < len(self.lots) or (sku is not None and self.lots[n].sku != sku):
            raise No("LOT_NOT_FOUND")
        if caller is not None and caller.stores:
            been = [self.places[place] for lot, place in self.been if lot == n and place != self.transit]
            if not any(place.store in caller.stores for place in been):
                raise No("LOT_NOT_FOUND")
        return self.lots[n]

    def may_act(self, caller: Caller, place: str) -> None:
        if place in self.places and caller.stores and self.places[place].store not in caller.stores:
            raise No("FORBIDDEN")

    def may_name(self, caller: Caller, source: str) -> None:
        if caller.stores and source in ("shopify", "woocommerce", "amazon", "etsy"):
            raise No("FORBIDDEN")

    def find_hold(self, caller: Caller, n: int) -> Hold:
        if not 0 <= n < len(self.holds):
            raise No("RESERVATION_NOT_FOUND")
        self.may_act(caller, self.holds[n].place)
        return self.holds[n]

    @staticmethod
    def positive(units: int | None) -> int:
        if units is None or units <= 0 or units > 10**12:
            raise No("INVALID_QUANTITY")
        return units

    @staticmethod
    def tracked(product: Product) -> None:
        if product.unlimited:
            raise No("PRODUCT_NOT_STOCK_TRACKED")

    # Reserve ---------------------------------------------------------------------------------------------------------

    def may_wait(self, product: Product, short: int, waiting: int, may_override: bool | str) -> bool:
        if may_override == "fact":
            return True
        if product.oversell == "preorder":
            return product.limit is None or waiting + short <= product.limit
        return product.oversell == "backorder" or bool(may_override)

    def reserve(
        self,
        caller: Caller,
        sku: str,
        units: int | None,
        place: str | None,
        target: tuple[Any, ...] = (),
        pinned: int | None = None,
        expires: int | None = None,
        priority: int = 100,
        override: bool = False,
        fact: bool = False,
    ) -> Hold:
        if target[:1] == ("order",):
            self.may_name(caller, target[2])
        if place is not None:
            self.may_act(caller, place)
        product = self.find_product(sku)
        if place is not None:
            self.find_place(caller, place)
        booked = True
        if target[:1] == ("appointment",):
            if not 0 <= target[1] < len(self.appointments) or caller.stores:
                raise No("TARGET_NOT_FOUND")  # it is of no store: who acts in some does not see it
            booked = self.appointments[target[1]] == "booked"
        if pinned is not None:
            self.find_lot(pinned, sku, caller)
        units = self.positive(units)
        if expires is not None and expires <= self.now:
            raise No("INVALID_EXPIRY")
        self.tracked(product)
        if not booked:
            raise No("INVALID_STATE")
        may_override = "fact" if fact else override and caller.manager and self.allow_override
        chosen = self.choose(caller, product, units, place, pinned, may_override)
        backing = self.backing(sku, chosen, units, pinned) if self.places[chosen].sellable else []
        short = units - sum(part for _, part in backing)
        if short:
            allowed = self.may_wait(product, short, self.waiting(sku, chosen), may_override)
            if not self.places[chosen].sellable or not allowed:
                raise No("INSUFFICIENT_STOCK", available=units - short)
        hold = Hold(len(self.holds), sku, chosen, units, self.now, target, pinned, priority, expires)
        hold.alloc = dict(backing)
        hold.waits = short
        hold.reach = None if place is not None else tuple(self.sellable_places(caller))
        self.holds.append(hold)
        self.touch(sku, chosen)
        return hold

    def choose(
        self,
        caller: Caller,
        product: Product,
        units: int,
        place: str | None,
        pinned: int | None,
        may_override: bool | str,
    ) -> str:
        """Where the hold will be."""
        places = self.sellable_places(caller) if place is None else [place]
        if pinned is not None:
            there = [code for code in places if self.places[code].sellable and self.pile(pinned, code).units]
            if self.lots[pinned].status == "quarantined" or not there:
                raise No("LOT_NOT_AVAILABLE")
            places = there
        if place is not None:
            return place
        free = {code: self.available(product.sku, code, pinned) for code in places}
        for code in places:
            if free[code] >= units:
                return code
        for code in sorted(self.waiting_order(product.sku, places), key=lambda code: -min(units, free[code])):
            if self.may_wait(product, units - free[code], self.waiting(product.sku, code), may_override):
                return code
        raise No("INSUFFICIENT_STOCK", available=max(free.values(), default=0))

    def sellable_places(self, caller: Caller) -> list[str]:
        selling = [p for p in self.places.values() if p.sellable]
        mine = [p for p in selling if (p.store in caller.stores if caller.stores else p.online)]
        return [p.code for p in sorted(mine, key=lambda p: (p.priority, p.code))]

    def waiting_order(self, sku: str, places: list[str]) -> list[str]:
        """Best priority; among equals where the product is or was, goods came last."""

        def key(code: str) -> tuple[Any, ...]:
            return (self.places[code].priority, (sku, code) not in self.listed, -self.came.get((sku, code), 0), code)

        return sorted(places, key=key)

    # Amend, consume, release -----------------------------------------------------------------------------------------

    @staticmethod
    def need_active(hold: Hold) -> None:
        if not hold.open:
            raise No("RESERVATION_NOT_ACTIVE")

    def amend(
        self,
        caller: Caller,
        n: int,
        total: int | None,
        priority: int | None,
        expiry: tuple[int | None] | None,
        place: str | None = None,
    ) -> Hold:
        """`total` None: as it is; `expiry` None: as it is, (None,): no expiry; `place` None: where it is."""
        hold = self.find_hold(caller, n)
        if total is not None:
            self.positive(total)
        if expiry is not None and expiry[0] is not None and expiry[0] <= self.now:
            raise No("INVALID_EXPIRY")
        self.need_active(hold)
        if place is not None:
            self.may_act(caller, place)
            self.find_place(caller, place)
        total = hold.quantity if total is None else total
        if total < hold.consumed + hold.released:
            raise No("INVALID_STATE")
        if priority is not None:
            hold.priority = priority
        if expiry is not None:
            hold.expires = expiry[0]
        more = total - hold.quantity
        if more < 0:
            self.give_back(hold, -more, "edited")
            hold.quantity += more
            hold.released += more
            self.close(hold, "edited")
        if place is not None and hold.open:
            self.put(hold, place)
        if more > 0:
            backing = self.backing(hold.sku, hold.place, more, hold.pinned)
            short = more - sum(part for _, part in backing)
            product = self.products[hold.sku]
            if short and not self.may_wait(product, short, self.waiting(hold.sku, hold.place), may_override=False):
                raise No("INSUFFICIENT_STOCK", available=more - short)
            for lot, part in backing:
                hold.alloc[lot] = hold.alloc.get(lot, 0) + part
            hold.waits += short
            hold.quantity = total
        return hold

    def put(self, hold: Hold, place: str) -> None:
        """A hold is given its location: what waits already may wait there, more only where the product allows it."""
        hold.reach = None
        if place == hold.place:
            return
        sellable = self.places[place].sellable
        if hold.pinned is not None:
            lies = sellable and self.pile(hold.pinned, place).units and not self.expired(hold.pinned, place)
            if self.lots[hold.pinned].status == "quarantined" or not lies:
                raise No("LOT_NOT_AVAILABLE")
        short = hold.open - (min(hold.open, self.available(hold.sku, place, hold.pinned)) if sellable else 0)
        allowed = self.may_wait(self.products[hold.sku], short, self.waiting(hold.sku, place), may_override=False)
        if short and (not sellable or not (allowed or short <= hold.waits)):
            raise No("INSUFFICIENT_STOCK", available=hold.open - short)
        old = hold.place
        self.move(hold, place)
        self.serve(hold.sku, old)

    def part(self, hold: Hold, asked: tuple[int | None] | None, offered: int) -> int:
        """The units that a part of a hold means; `asked` None: all that is offered."""
        units = offered if asked is None else self.positive(asked[0])
        self.need_active(hold)
        if units == 0 or units > offered:
            raise No("INSUFFICIENT_RESERVED")
        return units

    def consume(self, caller: Caller, n: int, asked: tuple[int | None] | None = None, lot: int | None = None) -> Hold:
        hold = self.find_hold(caller, n)
        units = self.part(hold, asked, hold.open if lot is None else hold.alloc.get(lot, 0))
        if units > hold.held:
            raise No("INSUFFICIENT_RESERVED")
        self.sell(hold, units, lot)
        if hold.target[0] == "line":
            self.sales[hold.target[3]].lines[hold.target[4]].gone += units
        return hold

    def release(self, caller: Caller, n: int, asked: tuple[int | None] | None = None, lot: int | None = None) -> Hold:
        hold = self.find_hold(caller, n)
        units = self.part(hold, asked, hold.open if lot is None else hold.alloc.get(lot, 0))
        self.give_back(hold, units, "cancelled", lot)
        return hold

    # At a level, by order, by appointment ----------------------------------------------------------------------------

    def reserve_at_level(
        self, caller: Caller, sku: str, place: str, units: int | None, order: str | None, source: str
    ) -> Hold | None:
        unlimited = sku in self.products and self.products[sku].unlimited
        if order and not unlimited:
            self.may_name(caller, source)
        self.may_act(caller, place)
        product = self.find_product(sku)
        self.find_place(caller, place)
        if product.unlimited:
            self.positive(units)
            return None
        return self.reserve(caller, sku, units, place, ("order", order, source) if order else ("adhoc", None, source))

    def meant(
        self, caller: Caller, sku: str, place: str, units: int | None, order: str | None, source: str | None
    ) -> tuple[int, list[Hold]] | None:
        self.may_act(caller, place)
        product = self.find_product(sku)
        self.find_place(caller, place)
        units = self.positive(units)
        if product.unlimited:
            return None
        kind = "adhoc" if order is None else "order"
        holds = [
            hold
            for hold in self.holds_at(sku, place)
            if hold.target[:2] == (kind, order) and source in (None, hold.target[2])
        ]
        if order is not None and not holds:
            raise No("RESERVATION_NOT_FOUND")
        if order is not None and len({hold.target[2] for hold in holds}) > 1:
            raise No("INVALID_STATE")
        return units, sorted(holds, key=lambda h: (h.created, h.n))

    def release_at_level(
        self, caller: Caller, sku: str, place: str, units: int | None, order: str | None, source: str | None
    ) -> None:
        found = self.meant(caller, sku, place, units, order, source)
        if found is None:
            return
        left, holds = found
        if left > sum(hold.open for hold in holds):
            raise No("INSUFFICIENT_RESERVED")
        for hold in holds:
            part = min(left, hold.open)
            if part:
                self.give_back(hold, part, "cancelled")
                left -= part

    def consume_at_level(
        self, caller: Caller, sku: str, place: str, units: int | None, order: str | None, source: str | None
    ) -> None:
        found = self.meant(caller, sku, place, units, order, source)
        if found is None:
            return
        left, holds = found
        direct = max(0, left - sum(hold.held for hold in holds))
        if direct and (not self.simple or order is not None or direct > self.available(sku, place)):
            raise No("INSUFFICIENT_RESERVED")
        for hold in holds:
            part = min(left, hold.held)
            if part:
                self.sell(hold, part)
                left -= part
        for lot, part in self.backing(sku, place, left) if left else ():
            self.leave(lot, place, part)

    def of_order(self, order: str, source: str) -> list[Hold]:
        found = [h for h in self.holds if h.target[:1] in (("order",), ("line",)) and h.target[1:3] == (order, source)]
        return sorted(found, key=lambda h: (h.created, h.n))

    def sale_of(self, order: str, source: str) -> Sale | None:
        return next((sale for sale in self.sales if (sale.order, sale.source) == (order, source)), None)

    def order_reserve(
        self, caller: Caller, order: str, source: str, lines: list[OrderLine], place: str | None
    ) -> list[Hold]:
        self.may_name(caller, source)
        known = self.of_order(order, source)
        for hold in known:
            self.may_act(caller, hold.place)
        sale = self.sale_of(order, source)
        asked = {sku for sku, _ in lines}
        if sale is not None and (
            any(hold.target[0] == "line" for hold in known) or any(line.sku in asked for line in sale.lines)
        ):
            return known
        had: dict[str, int] = {}
        for hold in known:
            units_had = hold.consumed if hold.reason == "expired" else hold.quantity
            had[hold.sku] = had.get(hold.sku, 0) + units_had
        made = list(known)
        refused: list[No] = []
        for sku, units in lines:
            product = self.products.get(sku)
            if product is not None and product.unlimited:
                continue
            part = min(units or 0, had.get(sku, 0))
            if part > 0:
                had[sku] -= part
                units = (units or 0) - part
                if not units:
                    continue
            try:
                made.append(self.reserve(caller, sku, units, place, ("order", order, source), fact=True))
            except No as no:
                refused.append(no)
        if refused:
            raise No(refused[0].code)
        return made

    def order_close(self, caller: Caller, order: str, source: str, consume: bool, lines: list[OrderLine]) -> None:
        holds = self.of_order(order, source)
        sale = self.sale_of(order, source)
        if not holds and sale is None:
            raise No("RESERVATION_NOT_FOUND")
        for hold in holds:
            self.may_act(caller, hold.place)
        wanted: dict[str, int] = {}
        for sku, units in lines:
            self.find_product(sku)
            wanted[sku] = wanted.get(sku, 0) + self.positive(units)
        parts = []
        for hold in holds:
            part = min(hold.open, wanted.get(hold.sku, 0)) if lines else hold.open
            if not part:
                continue
            if lines:
                wanted[hold.sku] -= part
            if consume and part > hold.held:
                raise No("INSUFFICIENT_RESERVED")
            parts.append((hold, part))
        if not consume:
            self.give_back_together(parts)
        for hold, part in parts if consume else ():
            self.sell(hold, part)
            if hold.target[0] == "line":
                self.sales[hold.target[3]].lines[hold.target[4]].gone += part
        if sale is not None and sale.status == "suspended" and not consume and not lines:
            self.end_sale(sale, "voided")

    def give_back_together(self, parts: list[tuple[Hold, int]], reason: str = "cancelled") -> None:
        """None of them is served by what another one leaves: what waits goes first."""
        waiting = [(hold, min(units, hold.waits), units) for hold, units in parts]
        for hold, waits, _ in waiting:
            if waits:
                self.give_back(hold, waits, reason)
        for hold, waits, units in waiting:
            if units > waits:
                self.give_back(hold, units - waits, reason)

    # Orders that are sales -------------------------------------------------------------------------------------------

    def open_sale(self, caller: Caller, order: str, source: str, lines: list[OrderLine]) -> int:
        """An order that was taken elsewhere: what was held for its number is its lines', the rest is held or waits."""
        for sku, _ in lines:
            self.find_product(sku)
        wanted = [(sku, self.positive(units)) for sku, units in lines]
        if self.sale_of(order, source) is not None:
            raise No("ALREADY_EXISTS")
        sale = Sale(order, source, [SaleLine(sku, units) for sku, units in wanted])
        self.sales.append(sale)
        n = len(self.sales) - 1
        self.adopt(caller, n)
        for index, line in enumerate(sale.lines):
            target = ("line", order, source, n, index)
            lack = line.open - sum(hold.open for hold in self.holds if hold.target == target)
            if lack and not self.products[line.sku].unlimited:
                self.hold_units(caller, line.sku, lack, target, fact=True)
        return n

    def adopt(self, caller: Caller, n: int) -> None:
        sale, reach = self.sales[n], tuple(self.sellable_places(caller))
        loose = [h for h in self.of_order(sale.order, sale.source) if h.target[0] == "order" and (h.open or h.consumed)]
        for index, line in enumerate(sale.lines):
            need = line.quantity
            for hold in list(loose):
                if hold.target[0] != "order" or hold.sku != line.sku or hold.consumed > need or not need:
                    continue
                over = hold.open - (need - hold.consumed)
                if over > 0:
                    loose.append(self.split(hold, over))
                need -= hold.consumed + hold.open
                line.gone += hold.consumed
                hold.target, hold.reach, hold.expires = ("line", sale.order, sale.source, n, index), reach, None
        listed = {line.sku for line in sale.lines}
        over_all = [h for h in loose if h.target[0] == "order" and h.open and h.sku in listed]
        self.give_back_together([(hold, hold.open) for hold in over_all], "edited")

    def split(self, hold: Hold, units: int) -> Hold:
        """Some of a hold becomes one of its own: what waits first, then its newest lots."""
        made = self.twin(hold, hold.place)
        made.quantity = units
        made.waits = min(units, hold.waits)
        hold.waits -= made.waits
        hold.quantity -= units
        left = units - made.waits
        for lot in reversed(self.in_order(hold.sku, list(hold.alloc))):
            part = min(left, hold.alloc[lot])
            if part:
                hold.alloc[lot] -= part
                made.alloc[lot] = part
                left -= part
        self.touch(hold.sku, hold.place)
        self.close(hold, "edited")
        return made

    def hold_units(self, caller: Caller, sku: str, units: int, target: tuple[Any, ...], fact: bool) -> None:
        """At the first place that has all; else at the fewest that together have most, and the rest waits."""
        places = self.sellable_places(caller)
        free = {code: self.available(sku, code) for code in places}
        parts: dict[str, int] = {}
        whole = [code for code in places if free[code] >= units]
        left = units
        for code in whole[:1] or sorted(places, key=lambda code: -free[code]):
            parts[code] = min(free[code], left)
            left -= parts[code]
        order = [code for code in places if parts.get(code)]
        if left:
            waiting = self.waiting_order(sku, places)
            may = "fact" if fact else False
            first = [c for c in waiting if self.may_wait(self.products[sku], left, self.waiting(sku, c), may)]
            if not first:
                raise No("INSUFFICIENT_STOCK", available=units - left)
            parts[first[0]] = parts.get(first[0], 0) + left
            order += [] if first[0] in order else [first[0]]
        for code in order:
            own = [h for h in self.holds if h.open and h.target == target and h.place == code and h.pinned is None]
            made = min(own, key=lambda h: (h.created, h.n)) if own else None
            if made is None:
                made = Hold(len(self.holds), sku, code, 0, self.now, target, reach=tuple(places))
                self.holds.append(made)
            backing = self.backing(sku, code, parts[code])
            for lot, part in backing:
                made.alloc[lot] = made.alloc.get(lot, 0) + part
            made.quantity += parts[code]
            made.waits += parts[code] - sum(part for _, part in backing)
            self.touch(sku, code)

    def find_sale(self, n: int) -> Sale:
        if not 0 <= n < len(self.sales):
            raise No("SALE_NOT_FOUND")
        if self.sales[n].status != "suspended":
            raise No("INVALID_STATE")
        return self.sales[n]

    def line_holds(self, sale: Sale, index: int | None = None) -> list[Hold]:
        n = next(n for n, one in enumerate(self.sales) if one is sale)
        own = [h for h in self.holds if h.open and h.target[0] == "line" and h.target[3] == n]
        own = [hold for hold in own if index is None or hold.target[4] == index]
        return sorted(own, key=lambda h: (h.created, h.n))

    def complete_sale(self, caller: Caller, n: int) -> None:
        """What was given back by hand competes again; what waits cannot be sold."""
        sale, refused = self.find_sale(n), []
        for index, line in enumerate(sale.lines):
            lack = line.open - sum(hold.open for hold in self.line_holds(sale, index))
            if lack > 0 and not self.products[line.sku].unlimited:
                try:
                    self.hold_units(caller, line.sku, lack, ("line", sale.order, sale.source, n, index), fact=False)
                except No as no:
                    refused.append(no.code)
                    continue
            if any(hold.waits for hold in self.line_holds(sale, index)):
                refused.append("INSUFFICIENT_RESERVED")
        if refused:
            raise No(refused[0])
        for index, line in enumerate(sale.lines):
            for hold in self.line_holds(sale, index):
                self.sell(hold, hold.open)
            line.gone = line.quantity
        self.end_sale(sale, "cancelled")
        sale.status = "completed"

    def cancel_sale(self, n: int) -> None:
        self.end_sale(self.find_sale(n), "voided")

    def end_sale(self, sale: Sale, reason: str) -> None:
        self.give_back_together([(hold, hold.open) for hold in self.line_holds(sale)], reason)
        rest = [h for h in self.of_order(sale.order, sale.source) if h.target[0] == "order" and h.open]
        self.give_back_together([(hold, hold.open) for hold in rest], reason)
        sale.status = "completed" if any(line.gone for line in sale.lines) else "cancelled"

    def book(self) -> int:
        self.appointments.append("booked")
        return len(self.appointments) - 1

    def change_appointment(self, caller: Caller, n: int, status: str) -> None:
        if not 0 <= n < len(self.appointments):
            raise No("NOT_FOUND")
        if caller.stores:
            raise No("FORBIDDEN")
        if self.appointments[n] not in ("booked", status):
            raise No("INVALID_STATE")
        if self.appointments[n] == "booked" and status != "booked":
            holds = [hold for hold in self.holds if hold.open and hold.target[:2] == ("appointment", n)]
            if status == "cancelled":
                self.give_back_together([(hold, hold.open) for hold in holds])
            elif any(hold.waits for hold in holds):
                raise No("INSUFFICIENT_RESERVED")
            else:
                for hold in holds:
                    self.sell(hold, hold.open)
        self.appointments[n] = status

    # Facts -----------------------------------------------------------------------------------------------------------

    def receive(self, caller: Caller, place: str, lines: list[tuple[Any, ...]]) -> list[int]:
        """Lines are (sku, units, cost in 10**-6, code, expires); the lots."""
        found = self.find_place(caller, place)
        if found.kind == "transit":
            raise No("INVALID_REQUEST")
        refused: list[No] = []
        lots = []
        for sku, units, cost, code, expires in lines:
            try:
                product = self.find_product(sku)
                units = self.positive(units)
                self.tracked(product)
                if cost is None or cost < 0:
                    raise No("INVALID_AMOUNT")
                same = [
                    lot
                    for lot in self.lots
                    if code is not None and (lot.sku, lot.code, lot.cost, lot.expires) == (sku, code, cost, expires)
                ]
                if same and same[0].status != "active":
                    raise No("LOT_NOT_AVAILABLE")
                lot = same[0].n if same else self.new_lot(sku, code, cost, expires)
                self.come(lot, place, units, self.worth(sku, units, cost))
                self.came[sku, place] = self.now
                self.costs[sku] = cost
                lots.append(lot)
                self.serve(sku, place)
            except No as no:
                refused.append(no)
        if refused:
            raise refused[0]
        return lots

    def subject(self, caller: Caller, sku: str, place: str) -> Product:
        """What a fact is about; the road changes by transfers only."""
        self.may_act(caller, place)
        product = self.find_product(sku)
        if self.find_place(caller, place).kind == "transit":
            raise No("INVALID_REQUEST")
        return product

    def set_stock(self, caller: Caller, sku: str, place: str, units: int | None, expected: tuple[int] | None) -> None:
        product = self.subject(caller, sku, place)
        self.tracked(product)
        if units is None or not 0 <= units <= 10**12:
            raise No("INVALID_QUANTITY")
        if expected is not None and expected[0] != self.on_hand(sku, place):
            raise No("QUANTITY_CHANGED", quantity=self.on_hand(sku, place))
        with self.correcting(sku, place, None):
            self.make_equal(sku, place, None, units)

    def adjust_stock(self, caller: Caller, sku: str, place: str, units: int | None, cost: int | None) -> None:
        product = self.subject(caller, sku, place)
        self.tracked(product)
        if units is None or units == 0 or abs(units) > 10**12:
            raise No("INVALID_QUANTITY")
        present = self.on_hand(sku, place)
        if present + units < 0:
            raise No("INSUFFICIENT_STOCK", available=present)
        self.make_equal(sku, place, None, present + units, cost)

    def unlist_level(self, caller: Caller, sku: str, place: str) -> None:
        product = self.subject(caller, sku, place)
        self.tracked(product)
        if not self.listed.get((sku, place)):
            raise No("NOT_FOUND")
        if self.on_hand(sku, place) or self.waiting(sku, place):
            raise No("INVALID_STATE")
        self.listed[sku, place] = False

    # Counts ----------------------------------------------------------------------------------------------------------

    def write_lines(
        self,
        caller: Caller,
        place: str,
        old: list[SheetLine],
        lines: list[Line],
        draft: bool,
    ) -> list[SheetLine]:
        """Lines are (sku, counted, lot)."""
        known = {(line.sku, line.lot): line for line in old}
        written = set()
        for sku, counted, lot in lines:
            product = self.subject(caller, sku, place)
            self.tracked(product)
            if (sku, lot) in written:
                raise No("INVALID_REQUEST")
            written.add((sku, lot))
            if lot is not None:
                self.find_lot(lot, sku, caller)
            if (counted is None and not draft) or (counted is not None and counted < 0):
                raise No("INVALID_QUANTITY")
            before = self.on_hand(sku, place) if lot is None else self.pile(lot, place).units
            line = known.setdefault((sku, lot), SheetLine(sku, lot, before, None))
            line.before, line.counted = before, counted
        whole = {sku for sku, lot in known if lot is None}
        if any(lot is not None and sku in whole for sku, lot in known):
            raise No("INVALID_REQUEST")
        return list(known.values())

    def no_second_sheet(self, sheet: Sheet) -> None:
        mine = {line.sku for line in sheet.lines}
        for other in self.sheets:
            if other is not sheet and other.status == "draft" and other.place == sheet.place:
                if mine & {line.sku for line in other.lines}:
                    raise No("INVALID_STATE")

    def count(self, caller: Caller, place: str, lines: list[Line], draft: bool) -> int | None:
        self.find_place(caller, place)
        sheet = Sheet(place, self.write_lines(caller, place, [], lines, draft))
        if not draft:
            self.post(sheet)
            return None
        self.no_second_sheet(sheet)
        self.sheets.append(sheet)
        return len(self.sheets) - 1

    def find_sheet(self, caller: Caller, n: int) -> Sheet:
        if not 0 <= n < len(self.sheets):
            raise No("NOT_FOUND")
        self.may_act(caller, self.sheets[n].place)
        if self.sheets[n].status != "draft":
            raise No("INVALID_STATE")
        return self.sheets[n]

    def fill_sheet(self, caller: Caller, n: int, lines: list[Line]) -> None:
        sheet = self.find_sheet(caller, n)
        sheet.lines = self.write_lines(caller, sheet.place, sheet.lines, lines, draft=True)
        self.no_second_sheet(sheet)

    def remove_sheet_line(self, caller: Caller, n: int, index: int) -> None:
        sheet = self.find_sheet(caller, n)
        if not 0 <= index < len(sheet.lines):
            raise No("NOT_FOUND")
        del sheet.lines[index]

    def close_sheet(self, caller: Caller, n: int, post: bool, skip: bool = False) -> None:
        sheet = self.find_sheet(caller, n)
        if post:
            self.post(sheet, skip)
        sheet.status = "posted" if post else "cancelled"

    def post(self, sheet: Sheet, skip: bool = False) -> None:
        """Moves made since a line's number was written are added to it."""
        refused = False
        for line in sheet.lines:
            if skip and line.counted is None:
                continue
            present = (
                self.on_hand(line.sku, sheet.place) if line.lot is None else self.pile(line.lot, sheet.place).units
            )
            result = -1 if line.counted is None else line.counted + present - line.before
            if result < 0:
                refused = True
                continue
            with self.correcting(line.sku, sheet.place, sheet):
                self.make_equal(line.sku, sheet.place, line.lot, result)
        if refused:
            raise No("INVALID_STATE")

    # Transfers -------------------------------------------------------------------------------------------------------

    def dispatch(self, caller: Caller, origin: str, destination: str, lines: list[Line]) -> int:
        """Lines are (sku, units, lot)."""
        if origin in self.places:
            self.may_act(caller, origin)
        for code in (origin, destination):
            if code not in self.places:
                raise No("LOCATION_NOT_FOUND")
        if origin == destination or "transit" in (self.places[origin].kind, self.places[destination].kind):
            raise No("INVALID_REQUEST")
        refused: list[No] = []
        shipped = []
        for sku, units, lot in lines:
            try:
                product = self.find_product(sku)
                if lot is not None:
                    self.find_lot(lot, sku, caller)
                units = self.positive(units)
                self.tracked(product)
                if lot is not None and (self.lots[lot].status == "quarantined" or not self.pile(lot, origin).units):
                    raise No("LOT_NOT_AVAILABLE")
                backing = self.backing(sku, origin, units, lot)
                if sum(part for _, part in backing) < units:
                    raise No("INSUFFICIENT_STOCK")
                for name, part in backing:
                    self.come(name, self.transit, part, self.leave(name, origin, part))
                    shipped.append((sku, name, part))
            except No as no:
                refused.append(no)
        if refused:
            raise refused[0]
        self.shipments.append(Shipment(origin, destination, shipped))
        return len(self.shipments) - 1

    def receive_transfer(self, caller: Caller, n: int, lines: list[RoadLine] | None, short: bool) -> None:
        shipment, moved, lost = self.off_the_road(caller, n, lines, to_origin=False)
        if short:
            lost = [left - part for part, (_, _, left) in zip(moved, shipment.lots, strict=True)]
        self.take_off_the_road(shipment, moved, lost, shipment.destination)
        shipment.arrived += sum(moved)

    def send_back(self, caller: Caller, n: int, lines: list[RoadLine] | None) -> None:
        shipment, moved, lost = self.off_the_road(caller, n, lines, to_origin=True)
        self.take_off_the_road(shipment, moved, lost, shipment.origin)
        shipment.back += sum(moved)
        if shipment.status != "shipped" and not shipment.arrived:
            shipment.status = "returned"

    def off_the_road(
        self, caller: Caller, n: int, lines: list[RoadLine] | None, to_origin: bool
    ) -> tuple[Shipment, list[int], list[int]]:
        """The shipment, and how many units of each of its lots the lines move, and how many they lose."""
        if not 0 <= n < len(self.shipments):
            raise No("NOT_FOUND")
        shipment = self.shipments[n]
        self.may_act(caller, shipment.origin if to_origin else shipment.destination)
        for sku, units, _, lost in lines or ():
            self.find_product(sku)
            if units is None or units < 0 or lost < 0:
                raise No("INVALID_QUANTITY")
        if shipment.status != "shipped":
            raise No("INVALID_STATE")
        moved = [left if lines is None else 0 for _, _, left in shipment.lots]
        gone = [0] * len(moved)
        for sku, units, lot, lost in lines or ():
            assert units is not None
            for wanted, taken in ((units, moved), (lost, gone)):
                for index, (shipped_sku, shipped_lot, left) in enumerate(shipment.lots):
                    if shipped_sku == sku and lot in (None, shipped_lot):
                        part = min(wanted, left - moved[index] - gone[index])
                        taken[index] += part
                        wanted -= part
                if wanted:
                    raise No("INVALID_STATE")
        return shipment, moved, gone

    def take_off_the_road(self, shipment: Shipment, moved: list[int], lost: list[int], place: str) -> None:
        if not sum(moved) and not sum(lost):
            raise No("INVALID_REQUEST")
        for part, gone, (sku, lot, _) in zip(moved, lost, shipment.lots, strict=True):
            if part:
                self.come(lot, place, part, self.leave(lot, self.transit, part))
                self.came[sku, place] = self.now
                if self.lots[lot].status != "active" and self.places[place].sellable:
                    self.move_aside(lot, place, part)
                self.serve(sku, place)
            if gone:
                self.leave(lot, self.transit, gone)
        shipment.lots = [
            (sku, lot, left - part - gone)
            for part, gone, (sku, lot, left) in zip(moved, lost, shipment.lots, strict=True)
        ]
        if not any(left for _, _, left in shipment.lots):
            shipment.status = "received"

    # Recall ----------------------------------------------------------------------------------------------------------

    def lies_at(self, lot: int) -> list[str]:
        return sorted(at for (name, at), pile in self.piles.items() if name == lot and pile.units)

    def quarantine(self, caller: Caller, n: int) -> None:
        lot = self.find_lot(n)
        places = [place for place in self.lies_at(n) if self.places[place].sellable]
        for place in places:
            self.may_act(caller, place)
        if lot.status == "quarantined":
            raise No("INVALID_STATE")
        lot.status = "quarantined"
        for place in places:
            self.set_aside(lot.sku, place, [n])

    def asked(self, quantity: tuple[int | None] | None, there: int) -> int:
        units = there if quantity is None else self.positive(quantity[0])
        if units == 0 or units > there:
            raise No("INSUFFICIENT_STOCK", available=there)
        return units

    def release_from_quarantine(
        self, caller: Caller, n: int, place: str | None, quantity: tuple[int | None] | None
    ) -> None:
        lot = self.find_lot(n)
        if place is not None:
            if place not in self.places:
                raise No("LOCATION_NOT_FOUND")
            if not self.places[place].sellable:
                raise No("INVALID_REQUEST")
        aside = [code for code in self.lies_at(n) if self.places[code].kind == "quarantine"]
        units = self.asked(quantity, sum(self.pile(n, code).units for code in aside))
        away = sum(self.pile(n, code).units for code in self.lies_at(n) if not self.places[code].sellable)
        if lot.status != "active":
            lot.status = "active" if quantity is None or away <= units else "partial"
        for corner in aside:
            pile = self.pile(n, corner)
            for origin in pile.origins:
                home = place if place is not None else origin[0]
                part = min(units, origin[1])
                if part:
                    self.may_act(caller, home)
                    if self.expired(n, home):
                        raise No("LOT_NOT_AVAILABLE")
                    self.come(n, home, part, self.leave(n, corner, part))
                    self.came[lot.sku, home] = self.now
                    self.serve(lot.sku, home)
                    origin[1] -= part
                    units -= part
            pile.origins = [origin for origin in pile.origins if origin[1]]
        assert units == 0

    def write_off(self, caller: Caller, n: int, place: str | None, quantity: tuple[int | None] | None) -> None:
        """Without a place: what is in quarantine, else all but what is on the road."""
        lot = self.find_lot(n)
        places = [code for code in self.lies_at(n) if code != self.transit]
        if place is not None:
            if place not in self.places:
                raise No("LOCATION_NOT_FOUND")
            places = [code for code in places if code == place]
        else:
            aside = [code for code in places if self.places[code].kind == "quarantine"]
            places = aside if aside and quantity is None else aside + [code for code in places if code not in aside]
        units = self.asked(quantity, sum(self.pile(n, code).units for code in places))
        for code in places:
            part = min(units, self.pile(n, code).units)
            if part:
                self.may_act(caller, code)
                self.lack(lot.sku, code, part, n)
                self.forget_origins(n, code, part)
                self.serve(lot.sku, code)
                units -= part

    def forget_origins(self, lot: int, place: str, units: int) -> None:
        origins = self.pile(lot, place).origins
        for origin in origins:
            part = min(units, origin[1])
            origin[1] -= part
            units -= part
        self.pile(lot, place).origins = [origin for origin in origins if origin[1]]
