"""The rules of Holdfast as a table: what is commanded, and what stands after it. Read this first.

    (reserve(4), "MAIN 10/4")          10 units on hand, 4 of them promised
    (reserve(9), "INSUFFICIENT_STOCK") refused, and nothing is changed
    (reserve(6), "MAIN 0/0 +6")        nothing on hand, 6 units wait (of a product that may be backordered)

Everything happens in memory, by the core alone: commands go in, decisions change a `Stock`, and no database is asked.
The shop has three stores: MAIN, EAST and ROAD. Each has a location of its name (that of ROAD is the transit location)
and a quarantine (`MAIN!`). Levels at which there is nothing are left out. Lots are shown where a rule is about them: `A
3/1` has 3 units, 1 of them promised.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from holdfast.core.decide import CommandGroup, decide
from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.wants import LevelAt, LotAt, Missing, PlaceKept, ProductNamed
from holdfast.core.reservations.amend import Amend
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.stock.caller import Caller
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.settling import settle
from holdfast.core.warehouse.adjustment import AdjustStock, SetStock
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine, WriteOff
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, ReceiveTransfer, SendBack, TransferLine

SECOND = 1_000_000
NOON = 1_767_268_800 * SECOND
"""2026-01-01 12:00 UTC, when every rule begins."""


ROUNDS_MAX = 20
"""Questions after which a decision has to come to its end."""


class Shelf:
    """A shop in memory. Its holds are called by their order number, its lots by their code."""

    def __init__(self, **rules: Any) -> None:
        self._numbers = count(1)
        catalog = Catalog(Settings(id="shop", name="Shop", default_reorder_point=None))
        for priority, code in enumerate(("MAIN", "EAST", "ROAD")):
            store = Store(id=self._id(), code=code, name=code)
            catalog.put_store(store)
            kind: Any = "transit" if code == "ROAD" else "store"
            for name, of in ((code, kind), (f"{code}!", "quarantine")):
                catalog.put_location(Location(id=self._id(), store_id=store.id, code=name, kind=of, priority=priority))
        self.mug = Product(id=self._id(), sku="MUG", title="Mug", **rules)
        catalog.put_product(self.mug)
        self.stock = Stock("shop", catalog, NOON, self._id)
        self.clerk = Caller("clerk")

    def _id(self) -> str:
        return f"00000000-0000-7000-8000-{next(self._numbers):012}"

    def do(self, step: Any) -> Any:
        """Decide a command, or do what a function of this shelf makes: a command, or something to call (`later`).

        Every want is answered as by an empty database.
        """
        command = step(self) if callable(step) else step
        act = command if callable(command) else lambda: decide(self.stock, self.clerk, command)
        for _ in range(ROUNDS_MAX):
            try:
                return act()
            except Missing as missing:
                self._answer_nothing(missing)
                asked = missing.wants
        raise AssertionError(f"asked again: {asked}")

    def _answer_nothing(self, missing: Missing) -> None:
        self.stock.loaded |= missing.wants
        for want in missing.wants:
            if isinstance(want, LevelAt):
                self.stock.locked.add((want.product_id, want.location_id))
            elif isinstance(want, LotAt):
                self.stock.unbacked.add(want)
            elif isinstance(want, ProductNamed):
                self.stock.catalog.unknown.add(want.reference)
            elif isinstance(want, PlaceKept):
                self.stock.answers[want] = [want.location_id]

    def hold(self, order_number: str) -> str:
        """The id of an order's first hold."""
        holds = sorted(self.stock.reservations.values(), key=lambda hold: hold.id)
        return next(hold.id for hold in holds if hold.order_number == order_number)

    def lot(self, code: str) -> str:
        """The id of a lot."""
        return next(lot.id for lot in self.stock.lots.values() if lot.code == code)

    def transfer(self) -> str:
        """The id of the only transfer."""
        return next(name for kind, name in self.stock.records if kind == "transfer")

    def levels(self) -> str:
        """What lies where: on hand / promised, and what waits."""
        shown = []
        for code, place in self.stock.catalog.location_of_code.items():
            level = self.stock.levels.get((self.mug.id, place.id))
            if level is not None and (level.on_hand or level.backordered):
                waits = f" +{level.backordered}" if level.backordered else ""
                shown.append(f"{code} {level.on_hand}/{level.reserved}{waits}")
        return ", ".join(shown) or "nothing"

    def lots(self, location: str = "MAIN") -> str:
        """The lots at a location that have units, by code."""
        level = self.stock.levels[self.mug.id, self.stock.catalog.location_of_code[location].id]
        named = sorted((self.stock.lots[at.lot_id].code or "~", at) for at in self.stock.lots_at[level.id].values())
        return ", ".join(f"{code} {at.on_hand}/{at.reserved}" for code, at in named if at.on_hand) or "nothing"


# Commands, as short as they are read ---------------------------------------------------------------------------------


def receive(units: Any, location: str = "MAIN", **line: Any) -> Receive:
    """Goods come in."""
    return Receive(location, (ReceiptLine("MUG", units, line.pop("cost", "1.00"), **line),))


def lot(code: str, units: int, **line: Any) -> Receive:
    """A lot with a code comes in at MAIN."""
    return receive(units, lot_code=code, **line)


def reserve(units: Any, order: str = "1", location: str | None = None, **more: Any) -> Reserve:
    """Promise units to an order, wherever they can be had or at one location."""
    return Reserve("MUG", units, location, Target(order, "shop"), **more)


def release(order: str = "1", units: Any = None) -> Callable[[Shelf], Release]:
    """The order does not want them any more."""
    return lambda shelf: Release(shelf.hold(order), units)


def sell(order: str = "1", units: Any = None) -> Callable[[Shelf], Consume]:
    """The units of the order leave the shop."""
    return lambda shelf: Consume(shelf.hold(order), units)


def amend(units: int, order: str = "1") -> Callable[[Shelf], Amend]:
    """The order wants more, or fewer."""
    return lambda shelf: Amend(shelf.hold(order), quantity=units)


def send(units: int) -> Dispatch:
    """Units leave MAIN for EAST."""
    return Dispatch("MAIN", "EAST", (TransferLine("MUG", units),))


def arrives(units: int, lost: int = 0) -> Callable[[Shelf], ReceiveTransfer]:
    """A part of the transfer is at EAST."""
    return lambda shelf: ReceiveTransfer(shelf.transfer(), (TransferLine("MUG", units, lost=lost),))


def later(seconds: int) -> Callable[[Shelf], Callable[[], None]]:
    """Time passes, and what it makes due is done."""

    def pass_time(shelf: Shelf) -> Callable[[], None]:
        shelf.stock.now += seconds * SECOND
        for level in shelf.stock.levels.values():
            dead = [hold for hold in shelf.stock.reservations.values() if hold.level_id == level.id and hold.active]
            dead = [hold for hold in dead if hold.expires_at is not None and hold.expires_at <= shelf.stock.now]
            shelf.stock.expired_holds[level.id] = [hold.id for hold in dead]
        return lambda: settle(shelf.stock)

    return pass_time


IN_A_MINUTE = NOON + 60 * SECOND

RULES: dict[str, list[tuple[Any, str]]] = {
    # Holding
    "what is free can be promised, and not more": [
        (receive(10), "MAIN 10/0"),
        (reserve(4), "MAIN 10/4"),
        (reserve(7, "2"), "INSUFFICIENT_STOCK"),
        (reserve(6, "2"), "MAIN 10/10"),
    ],
    "a hold that is released gives its units back": [
        (receive(10), "MAIN 10/0"),
        (reserve(4), "MAIN 10/4"),
        (release(units=1), "MAIN 10/3"),
        (release(), "MAIN 10/0"),
        (release(), "RESERVATION_NOT_ACTIVE"),
    ],
    "units leave when the hold is sold": [
        (receive(10), "MAIN 10/0"),
        (reserve(4), "MAIN 10/4"),
        (sell(units=3), "MAIN 7/1"),
        (sell(units=2), "INSUFFICIENT_RESERVED"),
        (sell(), "MAIN 6/0"),
    ],
    "a hold ends at its expiry, and its units are free": [
        (receive(5), "MAIN 5/0"),
        (reserve(5, expires_at=IN_A_MINUTE), "MAIN 5/5"),
        (later(59), "MAIN 5/5"),
        (later(1), "MAIN 5/0"),
        (reserve(1, "2", expires_at=IN_A_MINUTE), "INVALID_EXPIRY"),
    ],
    "an order that wants more takes what is free": [
        (receive(5), "MAIN 5/0"),
        (reserve(2), "MAIN 5/2"),
        (amend(5), "MAIN 5/5"),
        (amend(6), "INSUFFICIENT_STOCK"),
        (amend(1), "MAIN 5/1"),
    ],
    "a quantity is more than nothing, and whole where the product is": [
        (receive(5), "MAIN 5/0"),
        (reserve(0), "INVALID_QUANTITY"),
        (reserve(-1), "INVALID_QUANTITY"),
        (reserve("2"), "INVALID_QUANTITY"),
    ],
    "a product or location that does not exist is named": [
        (Reserve("CUP", 1), "PRODUCT_NOT_FOUND"),
        (reserve(1, location="WEST"), "LOCATION_NOT_FOUND"),
        (Release("nobody"), "RESERVATION_NOT_FOUND"),
    ],
    # Where
    "without a location the first place that has all of it": [
        (receive(2), "MAIN 2/0"),
        (receive(9, "EAST"), "MAIN 2/0, EAST 9/0"),
        (reserve(2), "MAIN 2/2, EAST 9/0"),
        (reserve(3, "2"), "MAIN 2/2, EAST 9/3"),
    ],
    "a hold is never split over two locations": [
        (receive(2), "MAIN 2/0"),
        (receive(3, "EAST"), "MAIN 2/0, EAST 3/0"),
        (reserve(4), "INSUFFICIENT_STOCK"),
    ],
    "a hold with a location stays there": [
        (receive(2), "MAIN 2/0"),
        (receive(9, "EAST"), "MAIN 2/0, EAST 9/0"),
        (reserve(3, location="MAIN"), "INSUFFICIENT_STOCK"),
    ],
    "nothing is promised of a quarantine": [
        (lot("A", 3), "MAIN 3/0"),
        (lambda shelf: Quarantine(shelf.lot("A")), "MAIN! 3/0"),
        (reserve(1), "INSUFFICIENT_STOCK"),
        (reserve(1, location="MAIN!"), "INSUFFICIENT_STOCK"),
    ],
    # Goods come and are counted
    "an adjustment says how many more or fewer there are": [
        (receive(5), "MAIN 5/0"),
        (AdjustStock("MUG", "MAIN", -2), "MAIN 3/0"),
        (AdjustStock("MUG", "MAIN", -4), "INSUFFICIENT_STOCK"),
    ],
    "a set says how many there are, if `expected` is what was there": [
        (receive(5), "MAIN 5/0"),
        (SetStock("MUG", "MAIN", 7, expected=5), "MAIN 7/0"),
        (SetStock("MUG", "MAIN", 9, expected=5), "QUANTITY_CHANGED"),
    ],
    "what is not there any more cannot stay promised": [
        (receive(5), "MAIN 5/0"),
        (reserve(4), "MAIN 5/4"),
        (SetStock("MUG", "MAIN", 3), "MAIN 3/3 +1"),
    ],
    "a group is done as a whole, or not at all": [
        (receive(5), "MAIN 5/0"),
        (CommandGroup((reserve(3), reserve(3, "2"))), "INSUFFICIENT_STOCK"),
        (CommandGroup((reserve(3), reserve(2, "2"))), "MAIN 5/5"),
    ],
    # On the way
    "goods on the road are nowhere to be sold": [
        (receive(5), "MAIN 5/0"),
        (send(4), "MAIN 1/0, ROAD 4/0"),
        (reserve(2), "INSUFFICIENT_STOCK"),
        (arrives(3), "MAIN 1/0, EAST 3/0, ROAD 1/0"),
        (reserve(2), "MAIN 1/0, EAST 3/2, ROAD 1/0"),
    ],
    "what got lost is written off": [
        (receive(5), "MAIN 5/0"),
        (send(4), "MAIN 1/0, ROAD 4/0"),
        (arrives(3, lost=1), "MAIN 1/0, EAST 3/0"),
    ],
    "what is on the road can be sent back": [
        (receive(5), "MAIN 5/0"),
        (send(4), "MAIN 1/0, ROAD 4/0"),
        (arrives(3), "MAIN 1/0, EAST 3/0, ROAD 1/0"),
        (lambda shelf: SendBack(shelf.transfer()), "MAIN 2/0, EAST 3/0"),
    ],
    "what is promised does not leave": [
        (receive(5), "MAIN 5/0"),
        (reserve(3), "MAIN 5/3"),
        (send(3), "INSUFFICIENT_STOCK"),
        (send(2), "MAIN 3/3, ROAD 2/0"),
    ],
    # A lot that is recalled
    "a recall takes the lot away from whoever was promised it": [
        (lot("A", 3), "MAIN 3/0"),
        (lot("B", 2), "MAIN 5/0"),
        (reserve(4), "MAIN 5/4"),
        (lambda shelf: Quarantine(shelf.lot("A")), "MAIN 2/2 +2, MAIN! 3/0"),
        (lambda shelf: ReleaseFromQuarantine(shelf.lot("A")), "MAIN 5/4"),
    ],
    "what cannot be used is written off": [
        (lot("A", 3), "MAIN 3/0"),
        (lambda shelf: Quarantine(shelf.lot("A")), "MAIN! 3/0"),
        (lambda shelf: WriteOff(shelf.lot("A")), "nothing"),
    ],
}

WAITING: dict[str, list[tuple[Any, str]]] = {
    "what stock does not cover waits": [
        (receive(2), "MAIN 2/0"),
        (reserve(5), "MAIN 2/2 +3"),
        (receive(9), "MAIN 11/5"),
    ],
    "whoever has waited longest is served first": [
        (reserve(2, "1", "MAIN"), "MAIN 0/0 +2"),
        (reserve(2, "2", "MAIN"), "MAIN 0/0 +4"),
        (receive(3), "MAIN 3/3 +1"),
        (sell("1"), "MAIN 1/1 +1"),
        (sell("2", 2), "INSUFFICIENT_RESERVED"),
    ],
    "a better priority comes before a longer wait": [
        (reserve(2, "1", "MAIN"), "MAIN 0/0 +2"),
        (reserve(2, "2", "MAIN", priority=1), "MAIN 0/0 +4"),
        (receive(2), "MAIN 2/2 +2"),
        (sell("2"), "MAIN 0/0 +2"),
    ],
    "units that are given back go to who waits": [
        (receive(2), "MAIN 2/0"),
        (reserve(2), "MAIN 2/2"),
        (reserve(2, "2", "MAIN"), "MAIN 2/2 +2"),
        (release("1"), "MAIN 2/2"),
    ],
    "who was given no location is served wherever goods come": [
        (receive(1), "MAIN 1/0"),
        (reserve(3), "MAIN 1/1 +2"),
        (receive(9, "EAST"), "EAST 9/3, MAIN 1/0"),
    ],
    "who was given a location waits for goods there": [
        (reserve(3, location="MAIN"), "MAIN 0/0 +3"),
        (receive(9, "EAST"), "MAIN 0/0 +3, EAST 9/0"),
    ],
}
"""Of a product that may wait (`oversell` backorder)."""

LOTS: dict[str, list[tuple[Any, str]]] = {
    "the lot that came first goes first": [
        (lot("A", 3), "A 3/0"),
        (lot("B", 3), "A 3/0, B 3/0"),
        (reserve(4), "A 3/3, B 3/1"),
        (sell(units=2), "A 1/1, B 3/1"),
    ],
    "given back is what came last": [
        (lot("A", 3), "A 3/0"),
        (lot("B", 3), "A 3/0, B 3/0"),
        (reserve(4), "A 3/3, B 3/1"),
        (release(units=2), "A 3/2, B 3/0"),
    ],
    "a hold may be for one lot": [
        (lot("A", 3), "A 3/0"),
        (lot("B", 3), "A 3/0, B 3/0"),
        (lambda shelf: reserve(2, location="MAIN", lot_id=shelf.lot("B")), "A 3/0, B 3/2"),
        (lambda shelf: reserve(2, "2", "MAIN", lot_id=shelf.lot("B")), "INSUFFICIENT_STOCK"),
    ],
}

EXPIRING: dict[str, list[tuple[Any, str]]] = {
    "the lot that expires first goes first": [
        (lot("A", 3, expires_at=NOON + 900 * SECOND), "A 3/0"),
        (lot("B", 3, expires_at=NOON + 300 * SECOND), "A 3/0, B 3/0"),
        (reserve(4), "A 3/1, B 3/3"),
    ],
    "an expired lot is sold to nobody": [
        (lot("A", 3, expires_at=IN_A_MINUTE), "A 3/0"),
        (lot("B", 1), "A 3/0, B 1/0"),
        (reserve(2), "A 3/2, B 1/0"),
        (later(60), "B 1/1"),
        (reserve(1, "2"), "INSUFFICIENT_STOCK"),
    ],
}
"""Of a product whose expiry is kept (`track_expiry`)."""


def follow(shelf: Shelf, steps: list[tuple[Any, str]], shown: Callable[[], str]) -> None:
    """Do each step and compare; what is refused changes nothing."""
    for number, (step, expected) in enumerate(steps, 1):
        before = shown() if shelf.stock.levels else ""
        answer = shelf.do(step)
        if isinstance(answer, Rejected):
            assert answer.code == expected, f"step {number}: {answer}"
            assert (shown() if shelf.stock.levels else "") == before, f"step {number} was refused and changed something"
        else:
            assert sorted(shown().split(", ")) == sorted(expected.split(", ")), f"step {number}"


@pytest.mark.parametrize("rule", RULES)
def test_stock(rule: str) -> None:
    shelf = Shelf()
    follow(shelf, RULES[rule], shelf.levels)


@pytest.mark.parametrize("rule", WAITING)
def test_waiting(rule: str) -> None:
    shelf = Shelf(oversell="backorder")
    follow(shelf, WAITING[rule], shelf.levels)


@pytest.mark.parametrize("rule", LOTS)
def test_lots(rule: str) -> None:
    shelf = Shelf()
    follow(shelf, LOTS[rule], shelf.lots)


@pytest.mark.parametrize("rule", EXPIRING)
def test_expiring(rule: str) -> None:
    shelf = Shelf(track_expiry=True)
    follow(shelf, EXPIRING[rule], shelf.lots)
