"""The month that the demo's tills have behind them: sales of every day, drawers, a queue, gift cards, a debt.

The orders of the website are facts of earlier days, so the books have a month. What tills do is of today: a drawer that
was closed a little short, one that was right, both open again; carts in the queue; a sofa that is paid in parts. All of
it is commands with a seeded random source.
"""

from __future__ import annotations

import random
from typing import Any

from holdfast.access import Actor, Role
from holdfast.app import Holdfast
from holdfast.core.organisation.settings import AddRegister, AddTaxRate, ChangeSettings
from holdfast.core.organisation.users import ChangeUser
from holdfast.core.records.command import Command
from holdfast.core.records.rejection import Rejected
from holdfast.core.sales.cart import SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, OpenSale
from holdfast.core.sales.order_facts import OrderedLine
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.payments import PaymentRequest, TakePayment
from holdfast.core.sales.register import CloseSession, MoveCash, OpenSession
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.db.organisations import clock
from holdfast.demo.goods import PRODUCTS
from holdfast.pins import new_pin
from holdfast.tokens import TILL, new_token

DAYS = 28
ORDERS_A_DAY = 4
DAY = 86_400 * 1_000_000
"""Microseconds."""

PINS = {"bruno@arcoiris.example": "314159", "carla@arcoiris.example": "2718"}
"""A manager's has six digits."""

SHORT_SKU = "UMBRELLA"
"""What an order of Shopify wants two more of than there are."""

GIFT_CODES = ("ARCO-IRIS-0001", "ARCO-IRIS-0002", "ARCO-IRIS-0003")

_AT_TILLS = [one["sku"] for one in PRODUCTS if one.get("kind", "physical") == "physical"][:48]


class Tills:
    """Lets the tills and the website have a month; the shelves are full."""

    def __init__(self, shop: Holdfast, owner: Actor, chance: random.Random, pins: dict[str, str]) -> None:
        self.pins = pins
        self.shop = shop
        self.owner = owner
        self.chance = chance
        self.now = clock(shop.database)
        self.stores = {store["code"]: store["id"] for store in shop.reports.stores(owner.org_id).items}

    def happen(self) -> None:
        """Everything, in order."""
        self._set_taxes()
        self._sell_on_the_website()
        registers = [self._register(store, code) for store, code in (("DOWNTOWN", "till-1"), ("RIVERSIDE", "till-2"))]
        for register, missing in zip(registers, (50, 0), strict=True):
            self._work_a_shift(register, missing)
        for register in registers:
            self._open(register)
        for store, code in (("DOWNTOWN", "till-3"), ("RIVERSIDE", "till-4")):
            self._register(store, code, "at the back")  # closed: for whoever comes to look
        self._fill_the_queue()
        self._take_a_deposit()
        self._order_too_much()

    def _do(self, command: Command, actor: Actor | None = None) -> Any:
        answer = self.shop.do(actor or self.owner, command).answer
        assert not isinstance(answer, Rejected), (command, answer)
        return answer

    def _set_taxes(self) -> None:
        """Prices include the tax, as shoppers expect it here; coins are cents."""
        self._do(ChangeSettings(tax_mode="inclusive"))
        for tax_class, rate in (("standard", "0.23"), ("reduced", "0.06")):
            self._do(AddTaxRate(tax_class, rate, name=f"IVA {round(float(rate) * 100)}%"))
        users = {user["email"]: user["id"] for user in self.shop.reports.users(self.owner.org_id).items}
        for email, pin in self.pins.items():
            self._do(ChangeUser(users[email], pin=new_pin(self.owner.org_id, pin, ())))

    def _sell_on_the_website(self) -> None:
        """A month of orders that were paid and sent on their day; a few came back in part."""
        channel = Actor(self.owner.org_id, "key:website", Role.MANAGER)
        for number in range(DAYS * ORDERS_A_DAY):
            skus = self.chance.sample(_AT_TILLS, self.chance.choice((1, 1, 2, 3)))
            back = number % 17 == 5
            lines = tuple(
                OrderedLine(sku, 1, location="WAREHOUSE", fulfilled=1, returned=int(back and index == 0))
                for index, sku in enumerate(skus)
            )
            at = self.now - (DAYS - number // ORDERS_A_DAY) * DAY + self.chance.randrange(DAY // 3)
            order = ImportOrder(
                f"W-{1000 + number}", "website", lines, payment="card", ordered_at=at, post_on_order_date=True
            )
            self._do(order, channel)

    # Tills -----------------------------------------------------------------------------------------------------------

    def _register(self, store: str, code: str, place: str = "by the door") -> tuple[str, str]:
        """A register of the store: (its id, the store's code)."""
        register = self._do(AddRegister(self.stores[store], code, name=f"{store.title()}, {place}"))
        return register.id, store

    def _open(self, register: tuple[str, str]) -> Actor:
        """Carla at the register, with 100.00 in the drawer."""
        register_id, store = register
        digest = new_token(TILL, self.owner.org_id).digest
        session = self._do(OpenSession(register_id, "100.00", digest, "user:carla@arcoiris.example"))
        stores = (self.stores[store],)
        return Actor(self.owner.org_id, "user:carla@arcoiris.example", Role.CASHIER, stores, session.id)

    def _work_a_shift(self, register: tuple[str, str], missing: int) -> None:
        """Sales, a return, petty cash, gift cards at the first till; counted with `missing` cents too few."""
        cashier = self._open(register)
        sales = [self._sell(cashier, register[1], number) for number in range(8)]
        if register[1] == "DOWNTOWN":
            self._sell_gift_cards(cashier)
        line = sales[0].lines[0]
        self._do(ReturnSale(sales[0].id, (ReturnedLine(line.id, 1),), sales[0].payments[0]["method"]), cashier)
        self._do(MoveCash("out", "4.50", "Flowers for the counter"), cashier)
        [session] = self.shop.reports.register_sessions(
            self.owner.org_id, register[0], limit=1, may_see_cash=True
        ).items
        counted = round(float(session["expected_cash"]) * 100) - missing
        self._do(CloseSession(f"{counted / 100:.2f}"), cashier)

    def _sell(self, cashier: Actor, store: str, number: int) -> Any:
        """A sale at the till of what its store has."""
        skus = self.chance.sample(self._ready(store), self.chance.choice((1, 2, 3)))
        lines = tuple(LineRequest(sku, 1) for sku in skus)
        quoted = self._do(Checkout(self.stores[store], lines, quote=True), cashier)
        method = "cash" if number % 3 else "card"
        return self._do(Checkout(self.stores[store], lines, payments=(PaymentRequest(method, quoted.total),)), cashier)

    def _ready(self, store: str) -> list[str]:
        """What the store has enough of."""
        found = self.shop.reports.levels(self.owner.org_id, location=store, limit=200).items
        return sorted(row["sku"] for row in found if row["available_quantity"] > 3 and row["sku"] in _AT_TILLS)

    def _sell_gift_cards(self, cashier: Actor) -> None:
        """Three printed cards; of the first something is spent."""
        store = self.stores["DOWNTOWN"]
        for sku, amount, code in zip(
            ("GIFT-25", "GIFT-50", "GIFT-100"), ("25.00", "50.00", "100.00"), GIFT_CODES, strict=True
        ):
            paid = (PaymentRequest("card", amount),)
            self._do(Checkout(store, (LineRequest(sku, 1, code=code),), payments=paid), cashier)
        wrap = (LineRequest("GIFT-WRAP", 2),)
        self._do(Checkout(store, wrap, payments=(PaymentRequest("gift_card", "6.00", GIFT_CODES[0]),)), cashier)

    # What is left to do ----------------------------------------------------------------------------------------------

    def _fill_the_queue(self) -> None:
        """Carts that wait at the tills, one with a discount that a manager gave."""
        for number, store in enumerate(("DOWNTOWN", "DOWNTOWN", "RIVERSIDE")):
            lines = tuple(LineRequest(sku, 1) for sku in self.chance.sample(self._ready(store), 1 + number % 2))
            discount = DiscountRequest(percent=10) if number == 1 else None
            sale = self._do(
                OpenSale(self.stores[store], customer=f"Customer {number + 1}", lines=lines, discount=discount)
            )
            self._do(SuspendSale(sale.id))

    def _take_a_deposit(self) -> None:
        """A blanket of which half is paid, and one that was taken along and is still owed."""
        store = self.stores["DOWNTOWN"]
        line = (LineRequest("BLANKET-COTTON", 1, location="WAREHOUSE"),)
        sale = self._do(OpenSale(store, customer="Senhor Pires", lines=line))
        self._do(TakePayment(sale.id, PaymentRequest("card", "30.00")))
        self._do(SuspendSale(sale.id))
        owed = self._do(OpenSale(store, customer="Café do Cais", lines=line))
        self._do(CompleteSale(owed.id))

    def _order_too_much(self) -> None:
        """An order from Shopify, taken there, of two more than there are."""
        found = self.shop.reports.levels(self.owner.org_id, search=SHORT_SKU, limit=50).items
        free = sum(int(row["available_quantity"]) for row in found if row["sku"] == SHORT_SKU)
        self._do(ImportOrder("1199", "shopify", (OrderedLine(SHORT_SKU, free + 2),), payment="card"))
