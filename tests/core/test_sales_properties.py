"""Sales in any order of events: the money, the goods and the books agree after every sequence.

A run draws a currency (0, 2 or 3 digits), a tax mode and a smallest coin, then does a sequence of commands about a few
sales. What was quoted, held in the cart, sold and persisted is compared to the minor unit on the way; at the end
`tests.truth`, `book_faults` and `sale_faults` judge the tables. Each run also returns everything, in parts.

See docs/reference/invariants.md and docs/how-to/sell.md and docs/how-to/books.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from holdfast.check import check
from holdfast.core.organisation.settings import AddTaxRate
from holdfast.core.records.rejection import Rejected
from holdfast.core.reservations.reserve import Consume, Release, Reserve, Target
from holdfast.core.sales.cart import AddLine, CancelSale, ChangeSale, EditLine, RemoveLine, ResumeSale, SuspendSale
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CompleteSale, Fulfill, ShipLine, ShipSupplierOrder
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import PaymentRequest
from holdfast.core.sales.returns import BlindLine, ReturnBlind, ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import SetStock
from holdfast.core.warehouse.quarantine import Quarantine, ReleaseFromQuarantine
from tests.core.books import book_faults, sale_faults
from tests.shop import SECOND, Clock, Shop, open_shop, quick_sqlite
from tests.truth import untruths

FIGURES = ("subtotal", "discount_total", "tax_total", "fee_total", "total")
CURRENCIES = {"JPY": (0, ("0", "5", "10")), "USD": (2, ("0.00", "0.05", "0.10")), "KWD": (3, ("0.000", "0.005"))}
SKUS = ("MUG-1", "TEE-1", "CLOTH-1", "SONG-1", "SOFA-1")

counted: Counter[str] = Counter()
"""What the runs came to, so that the property cannot pass by refusing everything."""


class Run:
    """One shop with its sales, and what is done to them; `draw` chooses."""

    def __init__(self, shop: Shop, clock: Clock, draw: Any, currency: str) -> None:
        self.shop, self.clock, self.draw = shop, clock, draw
        self.digits, coins = CURRENCIES[currency]
        shop.settings(
            currency=currency,
            minor_digits=self.digits,
            tax_mode=draw(st.sampled_from(("inclusive", "exclusive"))),
            cash_rounding=draw(st.sampled_from(coins)),
        )
        for tax_class, rate in (("std", "0.077"), ("low", "0.025001")):
            shop.ok(AddTaxRate(tax_class=tax_class, rate=rate))
        shop.product("MUG-1", price=997, tax_class="std")
        shop.product("TEE-1", price=1003, oversell="backorder", tax_class="low")
        shop.product("CLOTH-1", price=333, precision=1, tax_class="std")
        shop.product("SONG-1", price=101, kind="digital")
        shop.product("SOFA-1", price=7, dropship=True)
        shop.location("SIDE", priority=150)
        self.lots = [shop.receive(sku, 4, lot="A", cost=self.cost()) for sku in ("MUG-1", "TEE-1", "CLOTH-1")]
        shop.receive("MUG-1", 3, "SIDE", lot="B", cost=self.cost())
        self.sales: list[Any] = []

    def money(self, minor: int) -> str:
        """An amount as a decimal string of the currency."""
        return str(Decimal(minor).scaleb(-self.digits)) if self.digits else str(minor)

    def cost(self) -> str:
        """A cost per unit that does not divide evenly."""
        return self.draw(st.sampled_from(("1.37", "0.333333", "2")))

    def do(self, command: Any) -> Any:
        """Give a command; None when it is refused."""
        answer = self.shop.do(command)
        name = type(command).__name__
        if isinstance(answer, Rejected):
            counted[f"{name} refused"] += 1
            counted[f"refused {answer.code}"] += 1
            return None
        counted[name] += 1
        return answer

    def one(self, *statuses: str) -> Any:
        """One of the sales, mostly one that stood so when it was last heard of."""
        fitting = [sale for sale in self.sales if sale.status in statuses]
        return self.draw(st.sampled_from(fitting if fitting and self.draw(st.integers(0, 7)) else self.sales))

    # What can happen

    def units(self, sku: str) -> Any:
        """A quantity of the product."""
        tenths = self.draw(st.integers(1, 40))
        return Decimal(tenths) / 10 if sku == "CLOTH-1" else self.draw(st.integers(1, 4))

    def discount(self) -> DiscountRequest | None:
        """A discount or none."""
        percent = st.builds(DiscountRequest, percent=st.sampled_from((0, 7, Decimal("33.3333"), 100)))
        amount = st.builds(lambda minor: DiscountRequest(amount=self.money(minor)), st.integers(0, 900))
        return self.draw(st.one_of(st.none(), percent, amount))

    def line(self) -> LineRequest:
        """A line of a cart."""
        sku = self.draw(st.sampled_from(SKUS))
        price = self.draw(st.sampled_from((None, None, 1, 1250)))
        return LineRequest(sku, self.units(sku), None if price is None else self.money(price), self.discount())

    def fees(self) -> tuple[FeeRequest, ...]:
        """No fee, or one."""
        amount = self.draw(st.sampled_from((None, None, 101)))
        return () if amount is None else (FeeRequest("wrap", self.money(amount), "std"),)

    def open(self) -> None:
        """A cart or an imported order; the same as a quote costs the same."""
        lines = tuple(self.line() for _ in range(self.draw(st.integers(1, 3))))
        discount, fees = self.discount(), self.fees()
        fact = self.draw(st.booleans())
        source, number = ("shopify", str(len(self.sales))) if fact else ("manual", None)
        store = self.shop.stores["MAIN"]
        sale = self.do(OpenSale(store, None, source, number, lines, discount, fees, fact))
        quoted = self.do(Checkout(store, lines, discount, fees, quote=True))
        if sale is not None:
            assert [getattr(sale, name) for name in FIGURES] == [getattr(quoted, name) for name in FIGURES]
            self.sales.append(sale)

    def checkout(self) -> None:
        """Sold at once, as it was quoted."""
        lines = tuple(self.line() for _ in range(self.draw(st.integers(1, 3))))
        discount, fees, store = self.discount(), self.fees(), self.shop.stores["MAIN"]
        quoted = self.do(Checkout(store, lines, discount, fees, quote=True))
        if quoted is None:
            return
        sold = self.do(Checkout(store, lines, discount, fees, payments=self.payments(quoted.total)))
        if sold is not None:
            assert [getattr(sold, name) for name in FIGURES] == [getattr(quoted, name) for name in FIGURES]
            self.persisted(sold)
            self.sales.append(sold)

    def payments(self, total: str) -> tuple[PaymentRequest, ...]:
        """Cash that is plenty, a card that is exact, both, or too little."""
        minor = int(Decimal(total).scaleb(self.digits))
        part = minor // 3
        kinds = {
            "cash": (("cash", minor + 77),),
            "card": (("card", minor),),
            "both": (("card", part), ("cash", minor), ("cash", 3)),
            "short": (("cash", minor // 2),),
        }
        chosen = kinds[self.draw(st.sampled_from(sorted(kinds)))]
        return tuple(PaymentRequest(method, self.money(amount)) for method, amount in chosen)

    def edit(self) -> None:
        """Something about one sale."""
        sale = self.one("open", "suspended")
        line = self.draw(st.sampled_from(sale.lines)) if sale.lines else None
        choices = ["add", "change", "suspend", "resume", "cancel"] + (
            ["units", "price", "less", "remove"] if line else []
        )
        what = self.draw(st.sampled_from(choices))
        commands = {
            "add": lambda: AddLine(sale.id, self.line()),
            "change": lambda: ChangeSale(sale.id, discount=self.discount(), fees=self.fees()),
            "suspend": lambda: SuspendSale(sale.id),
            "resume": lambda: ResumeSale(sale.id),
            "cancel": lambda: CancelSale(sale.id),
            "units": lambda: EditLine(sale.id, line.id, quantity=self.units(line.sku)),
            "price": lambda: EditLine(sale.id, line.id, unit_price=self.money(self.draw(st.integers(0, 1500)))),
            "less": lambda: EditLine(sale.id, line.id, discount=self.discount()),
            "remove": lambda: RemoveLine(sale.id, line.id),
        }
        self.now(self.do(commands[what]()))

    def complete(self) -> None:
        """Sold for what the cart said."""
        sale = self.one("open", "suspended")
        sold = self.do(CompleteSale(sale.id, self.payments(sale.total) if self.draw(st.booleans()) else None))
        if sold is not None:
            assert [getattr(sold, name) for name in FIGURES] == [getattr(sale, name) for name in FIGURES]
            self.persisted(sold)
        self.now(sold)

    def ship(self) -> None:
        """A part goes out by a fulfilment; sometimes the rest is given up."""
        sale = self.one("open", "suspended")
        if not sale.lines:
            return
        line = self.draw(st.sampled_from(sale.lines))
        self.now(self.do(Fulfill(sale.id, (ShipLine(line.id, self.units(line.sku)),))))
        if self.draw(st.integers(0, 2)) == 0:
            self.shipment_back()
        if self.draw(st.integers(0, 3)) == 0:
            self.now(self.do(CancelSale(sale.id)))

    def shipment_back(self) -> None:
        """A shipment was a mistake."""
        shipped = [sale for sale in self.sales if sale.fulfillments]
        if shipped:
            sale = self.draw(st.sampled_from(shipped))
            part = self.draw(st.sampled_from(sale.fulfillments))
            self.now(self.do(RevertShipment(sale.id, part["id"], "a mistake")))

    def by_hold(self) -> None:
        """A unit of a line is sold or given back by its hold, past the sale."""
        query = "SELECT id FROM reservation WHERE status = 'active' AND sale_line_id IS NOT NULL ORDER BY id"
        holds = [row["id"] for row in self.shop.rows(query)]
        if holds:
            kind = self.draw(st.sampled_from((Consume, Release)))
            self.do(kind(self.draw(st.sampled_from(holds)), 1))

    def supplied(self) -> None:
        """A supplier has shipped."""
        orders = self.shop.rows("SELECT id FROM supplier_order ORDER BY id")
        if orders:
            self.do(ShipSupplierOrder(self.draw(st.sampled_from(orders))["id"]))

    def blind(self) -> None:
        """Goods come back without a receipt."""
        line = BlindLine("MUG-1", self.draw(st.integers(1, 3)), self.money(self.draw(st.sampled_from((997, 1074)))))
        self.do(ReturnBlind(self.shop.stores["MAIN"], (line,), self.draw(st.sampled_from(("cash", "card")))))

    def beside(self) -> None:
        """A hold names a sale and none of its lines."""
        target = Target(reserved_for_type="transaction", reserved_for_id=self.one("open", "suspended").id)
        self.do(Reserve(self.draw(st.sampled_from(("MUG-1", "TEE-1"))), 1, "MAIN", target))

    def give_back(self) -> None:
        """Some units of some lines come back."""
        sale = self.one("completed")
        conditions = st.sampled_from(("good", "good", "damaged", "none"))
        parts = tuple(ReturnedLine(line.id, self.units(line.sku), self.draw(conditions)) for line in sale.lines)
        if parts:
            self.do(ReturnSale(sale.id, parts, self.draw(st.sampled_from(("cash", "card")))))

    def fact(self) -> None:
        """Goods come in, are counted, recalled or brought back; or time passes."""
        sku = self.draw(st.sampled_from(("MUG-1", "TEE-1", "CLOTH-1")))
        place = self.draw(st.sampled_from(("MAIN", "SIDE")))
        what = self.draw(st.sampled_from(("receive", "receive", "count", "recall", "release_from_quarantine", "time")))
        if what == "receive":
            self.shop.receive(sku, self.draw(st.integers(1, 4)), place, cost=self.cost())
        elif what == "time":
            self.clock.pass_(self.draw(st.sampled_from((60, 1799, 1800))) * SECOND)
        else:
            lot = self.draw(st.sampled_from(self.lots))
            count = SetStock(sku, place, self.draw(st.integers(0, 6)))
            self.do(
                {"count": count, "recall": Quarantine(lot), "release_from_quarantine": ReleaseFromQuarantine(lot)}[what]
            )

    # What must be so on the way

    def now(self, sale: Any) -> None:
        """Remember the sale as it was answered."""
        if sale is not None:
            self.sales = [sale if one.id == sale.id else one for one in self.sales]

    def persisted(self, sold: Any) -> None:
        """What the tables have is what was answered."""
        [row] = self.shop.rows("SELECT * FROM sale WHERE id = :id", id=sold.id)
        for name in (*FIGURES, "rounding", "paid", "change"):
            assert int(Decimal(getattr(sold, name)).scaleb(self.digits)) == row[name], name
        lines = self.shop.rows(
            "SELECT total FROM sale_line WHERE sale_id = :id AND NOT removed ORDER BY position", id=sold.id
        )
        totals = [int(Decimal(line.line_total).scaleb(self.digits)) for line in sold.lines]
        assert [line["total"] for line in lines] == totals

    def return_everything(self) -> None:
        """What is left of every completed sale comes back in two parts."""
        query = "SELECT * FROM sale_line WHERE NOT removed AND fulfilled > returned"
        done = {sale["id"] for sale in self.shop.rows("SELECT id FROM sale WHERE status = 'completed'")}
        precision = {row["id"]: row["precision"] for row in self.shop.rows("SELECT id, precision FROM product")}
        for line in self.shop.rows(query):
            left = line["fulfilled"] - line["returned"]
            for units in (left // 2, left - left // 2) if line["sale_id"] in done else ():
                quantity = (
                    Decimal(units).scaleb(-precision[line["product_id"]]) if precision[line["product_id"]] else units
                )
                if units:
                    back = ReturnSale(line["sale_id"], (ReturnedLine(line["id"], quantity),), "cash")
                    assert self.do(back) is not None, back

    def faults(self) -> list[str]:
        """Everything that is wrong now, by the tests and by `holdfast check`."""
        told = [str(one) for one in check(self.shop.holdfast.database).mismatches]
        return [*untruths(self.shop), *book_faults(self.shop), *sale_faults(self.shop), *told]


@settings(
    max_examples=90,
    database=None,
    print_blob=False,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(st.data())
def _whatever_happens(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, quick_sqlite():
        clock = Clock()
        with clock.running(), open_shop(f"sqlite:///{Path(folder) / 'shop.db'}") as shop:
            run = Run(shop, clock, data.draw, data.draw(st.sampled_from(sorted(CURRENCIES))))
            run.open()
            first = (run.open, run.checkout)
            later = (
                *first,
                *[run.edit] * 5,
                run.complete,
                *[run.ship] * 3,
                run.by_hold,
                run.beside,
                run.supplied,
                run.blind,
                run.give_back,
                run.fact,
            )
            for _ in range(data.draw(st.integers(6, 22))):
                step = data.draw(st.sampled_from(later if run.sales else first))
                clock.pass_(1)
                step()
            assert run.faults() == []
            run.return_everything()
            assert run.faults() == []


@pytest.mark.slow
def test_money_goods_and_books_agree_whatever_happens() -> None:
    """The property; then a look at what it did, so that it cannot pass empty."""
    counted.clear()
    _whatever_happens()
    for name in ("OpenSale", "Checkout", "CompleteSale", "Fulfill", "ReturnSale", "EditLine", "CancelSale", "AddLine"):
        assert counted[name] >= 3, counted
    for name in (
        "SuspendSale",
        "ResumeSale",
        "RemoveLine",
        "ChangeSale",
        "Consume",
        "Reserve",
        "ReturnBlind",
        "RevertShipment",
    ):
        assert counted[name] >= 1, counted
    for code in (
        "INSUFFICIENT_STOCK",
        "INSUFFICIENT_RESERVED",
        "PAYMENT_MISMATCH",
        "RETURN_EXCEEDS_SALE",
        "INVALID_STATE",
    ):
        assert counted[f"refused {code}"] >= 1, counted
