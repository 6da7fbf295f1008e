"""The week that the demo has behind it: opening stock, orders from every channel, a recall, a transfer, a count.

All of it is commands in one order with a seeded random source, so two demos differ in their ids and times only.
"""

from __future__ import annotations

import random
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.places import ChangeLocation
from holdfast.core.organisation.products import ChangeProduct
from holdfast.core.records.command import Command
from holdfast.core.records.number import Number
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.appointments import Book
from holdfast.core.reservations.order_holds import OrderClose, OrderLine, OrderReserve
from holdfast.core.reservations.reserve import Reserve, Target
from holdfast.core.warehouse.adjustment import AdjustStock
from holdfast.core.warehouse.count_sheet import Count, CountLine, FillSheet
from holdfast.core.warehouse.quarantine import Quarantine
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.core.warehouse.transfer import Dispatch, TransferLine
from holdfast.db.organisations import clock
from holdfast.demo.goods import BACKORDER, MADE_HERE, PREORDER, PRODUCTS, RECALLED, SOLD_BY_WEIGHT

STORES = ("DOWNTOWN", "RIVERSIDE")
ONLINE = ("shopify", "woocommerce", "amazon", "etsy")
ORDERS = 90
"""Orders of the week: most of them are shipped, some are cancelled, the rest is still to do."""

MINUTE = 60_000_000
"""Microseconds."""

_STOCKED = [fields for fields in PRODUCTS if fields.get("kind", "physical") == "physical"]
_ORDERED = [fields["sku"] for fields in _STOCKED if fields["sku"] not in (BACKORDER, PREORDER, SOLD_BY_WEIGHT)]
_EXPIRING = {fields["sku"] for fields in _STOCKED if fields.get("track_expiry")}


class Week:
    """Makes the week happen in a new shop."""

    def __init__(self, shop: Holdfast, owner: Actor, chance: random.Random) -> None:
        self.shop = shop
        self.owner = owner
        self.chance = chance
        self.now = clock(shop.database)
        self.today = datetime.fromtimestamp(self.now / 1_000_000, UTC).date()
        self.manager = Actor(owner.org_id, "user:bruno@arcoiris.example", Role.MANAGER)

    def happen(self) -> None:
        """Everything, in order."""
        self._open_shelves()
        self._take_orders()
        self._wait_for_stock()
        self._serve_at_the_till()
        self._recall()
        self._move_and_count()
        self._set_reorder_points()

    def _do(self, command: Command, actor: Actor | None = None) -> Any:
        answer = self.shop.do(actor or self.manager, command).answer
        assert not isinstance(answer, Rejected), (command, answer)
        return answer

    # Opening ---------------------------------------------------------------------------------------------------------

    def _open_shelves(self) -> None:
        """Every location gets its stock, in receipts of one supplier each; the workshop's goods come as batches."""
        receipts: list[Future[Any]] = []
        for place, most in (("WAREHOUSE", 60), ("DOWNTOWN", 14), ("RIVERSIDE", 10)):
            by_supplier: dict[str, list[ReceiptLine]] = {}
            for fields in _STOCKED:
                if fields["sku"] in (PREORDER, "CHAIR-GARDEN") or (
                    place != "WAREHOUSE" and self.chance.random() < 0.15
                ):
                    continue
                by_supplier.setdefault(fields["supplier"], []).extend(self._lines(fields, most))
            for supplier, lines in by_supplier.items():
                kind = "finished_batch" if supplier == "Our own workshop" else "opening"
                command = Receive(place, tuple(lines), kind=kind, reference="Opening", supplier=supplier)
                receipts.append(self.shop.submit(self.manager, command))
        for place in ("A-01", "A-02", "B-01"):
            lines = self._lines(self.chance.choice(_STOCKED[:40]), 80)
            receipts.append(self.shop.submit(self.manager, Receive(place, tuple(lines), kind="opening")))
        for receipt in receipts:
            answer = receipt.result().answer
            assert not isinstance(answer, Rejected), answer

    def _lines(self, fields: dict[str, Any], most: int) -> list[ReceiptLine]:
        """What comes of a product: one lot, or of what expires two, the older one first to go."""
        sku = fields["sku"]
        cost = f"{float(fields['price']) * self.chance.uniform(0.35, 0.5):.2f}"
        units = 3 if sku == BACKORDER else self.chance.randint(most // 3, most)
        if sku not in _EXPIRING:
            return [ReceiptLine(sku, units, unit_cost=cost)]
        lines = []
        soon = self.chance.choice((4, 9, 16, 25, 40))
        for part, days in ((max(1, units // 4), soon), (units - units // 4, self.chance.randint(120, 500))):
            expires = (self.today + timedelta(days=days)).isoformat()
            made = self.today - timedelta(days=self.chance.randint(5, 60))
            code = f"{sku.split('-')[0][:3]}{made:%y%j}-{'A' if days == soon else 'B'}"
            lines.append(ReceiptLine(sku, part, unit_cost=cost, lot_code=code, expires_on=expires))
        return lines

    # Customers -------------------------------------------------------------------------------------------------------

    def _take_orders(self) -> None:
        """Orders come in from every channel; two thirds are shipped, a few are cancelled."""
        orders = []
        for number in range(ORDERS):
            source = self.chance.choices(ONLINE, weights=(5, 3, 3, 2))[0]
            skus = self.chance.sample(_ORDERED, self.chance.choice((1, 1, 1, 2, 2, 3, 5)))
            if number % 6 == 0 and RECALLED not in skus:
                skus.append(RECALLED)
            lines = tuple(OrderLine(sku, self.chance.choice((1, 1, 1, 2, 3))) for sku in skus)
            orders.append(OrderReserve(order_number(self.chance, source, number), source, lines))
        actors = {source: Actor(self.owner.org_id, f"key:{source}", Role.MANAGER) for source in ONLINE}
        taken = [self.shop.submit(actors[order.source], order) for order in orders]
        for order, future in zip(orders, taken, strict=True):
            if isinstance(future.result().answer, Rejected):
                continue
            fate = self.chance.random()
            if fate < 0.74:
                close = OrderClose(order.order_number, order.source, consume=fate < 0.66)
                self.shop.do(actors[order.source], close)

    def _wait_for_stock(self) -> None:
        """Customers who wait: for the shelf that is made to order, and for the lamp that is not out yet."""
        self._do(ChangeProduct(PREORDER, available_from=self.now + 40 * 24 * 60 * MINUTE), self.owner)
        for number, (sku, units, priority) in enumerate(
            [(BACKORDER, 2, 100), (BACKORDER, 3, 100), (BACKORDER, 1, 10), (PREORDER, 4, 100), (PREORDER, 9, 100)]
        ):
            target = Target(f"{2100 + number}", "shopify")
            self._do(Reserve(sku, units, "WAREHOUSE", target, priority=priority))
        self._do(OrderReserve("2105", "shopify", (OrderLine("CHAIR-GARDEN", 4),), "WAREHOUSE"))

    def _serve_at_the_till(self) -> None:
        """Carts at both tills, an appointment with its things laid by, and what was just taken off the shelf."""
        for number, store in enumerate((*STORES, *STORES, "DOWNTOWN"), start=1):
            target = Target(f"{store[0]}-{number:04}", "pos")
            for sku in self.chance.sample(_ORDERED[:60], 2):
                cart = Reserve(sku, 1, store, target, expires_at=self.now + (20 + 5 * number) * MINUTE)
                self.shop.do(self.manager, cart)
        visit = self._do(Book(self.now + 26 * 60 * MINUTE, "Dona Amélia, gift table"))
        laid_by = Target(reserved_for_type="appointment", reserved_for_id=visit.id)
        for sku in ("BLANKET-WOOL", "VASE-TALL", "CANDLE-FIG"):
            self.shop.do(self.manager, Reserve(sku, 1, "WAREHOUSE", laid_by))
        weighed = Target("D-0099", "pos")
        self._do(Reserve(SOLD_BY_WEIGHT, 1, "WAREHOUSE", weighed))
        self._do(AdjustStock("VASE-ROUND", "WAREHOUSE", -1, "fell off the shelf"))
        self._do(AdjustStock("STICKERS", "DOWNTOWN", 12, "found behind the till"))

    # The back room ---------------------------------------------------------------------------------------------------

    def _recall(self) -> None:
        """The older batch of a cream has to go: some of it is sold, some promised, and the trace says to whom."""
        lots = self.shop.reports.lots(self.owner.org_id, product=RECALLED).items
        batch = next(row for row in lots if row["lot_code"].endswith("-A") and row["location"] == "WAREHOUSE")
        self._do(Quarantine(batch["id"], "Smells of the wrong flower"))

    def _move_and_count(self) -> None:
        """A transfer on the road, a count that is posted, and one that somebody is in the middle of."""
        lines = tuple(TransferLine(sku, 4) for sku in ("MUG-COBALT", "BOWL-M", "TOTE", "SOAP-ORANGE"))
        self._do(Dispatch("WAREHOUSE", "RIVERSIDE", lines, "Saturday van"))
        levels = {
            row["sku"]: row["quantity"]
            for row in self.shop.reports.levels(self.owner.org_id, location="DOWNTOWN", limit=200).items
        }
        counted = [CountLine(sku, max(0, levels[sku] + change)) for sku, change in _differences(levels, self.chance)]
        self._do(Count("DOWNTOWN", tuple(counted)))
        sheet = self._do(Count("RIVERSIDE", tuple(CountLine(sku) for sku in _ORDERED[:12]), draft=True))
        self._do(FillSheet(sheet.id, tuple(CountLine(sku, 6) for sku in _ORDERED[:3])))

    def _set_reorder_points(self) -> None:
        """What the warehouse should always have."""
        points: dict[str, Number | None] = dict.fromkeys((*MADE_HERE[:6], "COFFEE-HOUSE-250", "TOTE"), 25)
        self._do(ChangeLocation("WAREHOUSE", reorder_points=points), self.owner)


def _differences(levels: dict[str, Any], chance: random.Random) -> list[tuple[str, int]]:
    skus = chance.sample(sorted(sku for sku, units in levels.items() if isinstance(units, int) and units > 3), 6)
    return [(sku, change) for sku, change in zip(skus, (0, 0, -1, 0, 2, -2), strict=True)]


def order_number(chance: random.Random, source: str, number: int) -> str:
    """An order number as that channel writes them."""
    match source:
        case "amazon":
            return f"{chance.randint(100, 999)}-{chance.randint(10**6, 10**7 - 1)}-{chance.randint(10**6, 10**7 - 1)}"
        case "etsy":
            return str(3_100_000_000 + number * 7919)
        case "woocommerce":
            return str(5700 + number)
        case _:
            return str(1000 + number)
