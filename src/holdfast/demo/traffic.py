"""Customers for the demo: they put things in carts, buy, change their minds; now and then a delivery comes.

    stop = threading.Event()
    threading.Thread(target=run_traffic, args=(shop, actor, stop, 3.0)).start()

Whatever is refused (sold out!) is part of the show. It keeps at most `OPEN_MAX` carts of its own open, and leaves what
is open when it stops to expire.
"""

from __future__ import annotations

import random
import threading
import time
from typing import NamedTuple

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.order_holds import OrderClose, OrderLine, OrderReserve
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.bulk import level_rows
from holdfast.executor import Overloaded, Unavailable

OPEN_MAX = 40
"""Carts and orders of the traffic that are open at once."""

CART_SECONDS = 600
"""How long a cart holds what is in it."""

DELIVERY_UNITS = 24
LOOK_SECONDS = 20
"""How often the traffic looks at what the shelves have."""

_SOURCES = ("pos", "pos", "pos", "shopify", "shopify", "amazon", "etsy", "woocommerce")


class Cart(NamedTuple):
    """An open order of the traffic."""

    order_number: str
    source: str


class Shelf(NamedTuple):
    """A product at a sellable location, in whole units."""

    sku: str
    location: str
    available: int


class Traffic:
    """Customers that can be let in and stopped: what the demo's button holds."""

    def __init__(self, shop: Holdfast, actor: Actor, *, per_second: float = 3.0) -> None:
        self._shop = shop
        self._actor = actor
        self._per_second = per_second
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Are customers coming in?"""
        return self._thread is not None and self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Let customers in."""
        if self.running:
            return
        self._stop = threading.Event()
        arguments = (self._shop, self._actor, self._stop, self._per_second)
        self._thread = threading.Thread(target=run_traffic, args=arguments, name="holdfast-customers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let no more customers in."""
        self._stop.set()


def run_traffic(shop: Holdfast, actor: Actor, stop_event: threading.Event, per_second: float = 3.0) -> int:
    """Let customers come in until `stop_event` is set, `per_second` on average; how many commands were accepted."""
    chance = random.Random()
    carts: list[Cart] = []
    shelves: list[Shelf] = []
    looked = 0.0
    accepted = 0
    while not stop_event.wait(chance.expovariate(per_second)):
        try:
            if time.monotonic() - looked > LOOK_SECONDS:
                shelves, looked = _look(shop, actor), time.monotonic()
            if shelves:
                accepted += _next(shop, actor, chance, carts, shelves)
        except Overloaded as busy:
            stop_event.wait(busy.retry_after)
        except Unavailable as away:
            if stop_event.wait(away.retry_after):
                break
    return accepted


def _look(shop: Holdfast, actor: Actor) -> list[Shelf]:
    return [
        Shelf(row.sku, row.location, row.on_hand - row.reserved)
        for row in level_rows(shop.database, actor.org_id)
        if row.precision == 0 and row.location_kind in ("store", "warehouse")
    ]


def _next(shop: Holdfast, actor: Actor, chance: random.Random, carts: list[Cart], shelves: list[Shelf]) -> bool:
    """One thing that happens."""
    if len(carts) >= OPEN_MAX or (carts and chance.random() < 0.4):
        cart = carts.pop(chance.randrange(len(carts)))
        return _close(shop, actor, cart, bought=chance.random() < 0.75)
    if chance.random() < 0.08:
        shelf = min(chance.sample(shelves, min(12, len(shelves))), key=lambda shelf: shelf.available)
        lines = (ReceiptLine(shelf.sku, DELIVERY_UNITS, unit_cost="5.00"),)
        return _give(shop, actor, "user:bruno@arcoiris.example", Receive(shelf.location, lines, reference="Delivery"))
    return _open(shop, actor, chance, carts, shelves)


def _open(shop: Holdfast, actor: Actor, chance: random.Random, carts: list[Cart], shelves: list[Shelf]) -> bool:
    source = chance.choice(_SOURCES)
    number = f"{source[:1].upper()}{chance.randrange(16**6):06X}"
    if source == "pos":
        shelf = chance.choice([shelf for shelf in shelves if shelf.location != "WAREHOUSE"] or shelves)
        held_until = time.time_ns() // 1000 + CART_SECONDS * 1_000_000
        target = Target(number, source)
        command: Reserve | OrderReserve = Reserve(shelf.sku, 1, shelf.location, target, expires_at=held_until)
    else:
        skus = {shelf.sku for shelf in chance.sample(shelves, min(len(shelves), chance.choice((1, 1, 2, 3))))}
        command = OrderReserve(number, source, tuple(OrderLine(sku, chance.choice((1, 1, 2))) for sku in sorted(skus)))
    taken = _give(shop, actor, f"key:{source}", command)
    if taken:
        carts.append(Cart(number, source))
    return taken


def _close(shop: Holdfast, actor: Actor, cart: Cart, *, bought: bool) -> bool:
    return _give(shop, actor, f"key:{cart.source}", OrderClose(cart.order_number, cart.source, consume=bought))


def _give(shop: Holdfast, actor: Actor, name: str, command: Reserve | OrderReserve | OrderClose | Receive) -> bool:
    acting = Actor(actor.org_id, name, Role.MANAGER)
    return not isinstance(shop.do(acting, command).answer, Rejected)
