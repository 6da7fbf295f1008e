"""A Hypothesis state machine about the money of sales: see `side_by_side`, and `naive_sales` for its other side.

Orders with discounts and fees are shipped in parts, made smaller, given up; they are paid in advance, when they are
completed, and later, and tenders are corrected; shipments are taken back; goods of sales come back in parts, by card
and by cash. After each command are compared, beside the goods

- what the command answered: totals, taxes, what a return refunds and hands out;
- every sale and line as it is kept, its payments, what its shipments have booked and its returns refunded;
- the balance of every account, and net and tax at each rate.

Apart from the naive one, whatever was booked or refunded of a line is held against the rule as it is written in
docs/reference/invariants.md: less than a minor unit from the line's proportion, and all of it when all went.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from holdfast.core.organisation.settings import AddTaxRate
from holdfast.core.sales.cart import EditLine
from holdfast.core.sales.checkout import Checkout
from holdfast.core.sales.completion import CancelSale, CompleteSale, Fulfill, ShipLine
from holdfast.core.sales.correction import RevertShipment
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale
from holdfast.core.sales.payments import CorrectPayment, PaymentRequest, TakePayment
from holdfast.core.sales.returns import ReturnedLine, ReturnSale
from holdfast.core.warehouse.adjustment import SetStock
from tests.model.naive import Caller, No, Product
from tests.model.naive_sales import Fee, NaiveSales, Off, Rates, Wanted
from tests.model.side_by_side import PLACES, SHELVES, UNKNOWN, SideBySide, often, same

PRODUCTS = (
    Product("PEN", oversell="backorder"),
    Product("CHEESE", precision=3),
    Product("CLOTH", precision=1, oversell="backorder"),
    Product("SONG", unlimited=True),
)
PRICES = {"PEN": 333, "CHEESE": 2400, "CLOTH": 997, "SONG": 101}
CLASSES = {"PEN": "std", "CHEESE": "low", "CLOTH": "std", "SONG": None}
RATES = {
    "std": (("GST", "0.05"), ("PST", "0.077")),
    "low": (("GST", "0.05"), ("dairy", "0.025001"), ("deposit", "0.000003")),
}
"""Classes have several rates, and one of them in common."""

RATES_OF: dict[str, Rates] = {
    sku: tuple((rate, Fraction(part)) for rate, part in RATES[name]) if name else () for sku, name in CLASSES.items()
}
UNITS = {
    "PEN": st.integers(1, 7),
    "CHEESE": st.sampled_from((2500, 1000, 1500, 333, 1, 777)),
    "CLOTH": st.integers(1, 40),
    "SONG": st.integers(1, 3),
}
STOCK = {"PEN": (20, 8), "CHEESE": (9000, 2000), "CLOTH": (90, 30)}
"""Units at first, and units that come later."""

OFFS = st.one_of(
    st.none(),
    st.none(),
    st.tuples(st.just("percent"), st.sampled_from(("7", "33.3333", "100"))),
    st.tuples(st.just("amount"), st.sampled_from((1, 50, 331))),
)
FEES = st.sampled_from(((), (), (250,), (101, 99)))
SUSPENDED_MAX = 3
"""Orders that wait at once: enough of each happens to few."""

COINS = {"0.00": 0, "0.05": 5, "0.10": 10}
METHODS = st.sampled_from(("cash", "cash", "card"))
CONDITIONS = st.sampled_from(("good", "good", "good", "damaged", "none"))


def minor(text: str) -> int:
    """A decimal string in minor units."""
    return int(Decimal(text) * 100)


def money(amount: int) -> str:
    """Minor units as a decimal string."""
    return f"{Decimal(amount).scaleb(-2):.2f}"


class SalesAndNaive(SideBySide):
    """See the module."""

    products = PRODUCTS
    naive: NaiveSales

    def __init__(self) -> None:
        super().__init__()
        self.sale_ids: list[str] = []
        self.line_ids: list[list[str]] = []
        self.part_ids: list[list[str]] = []
        self.payment_ids: list[list[str]] = []

    @initialize(
        inclusive=st.booleans(), coin=st.sampled_from(sorted(COINS)), skus=st.sampled_from((*PRICES, tuple(PRICES)))
    )
    def open(self, inclusive: bool, coin: str, skus: str | tuple[str, ...]) -> None:
        self.skus = st.sampled_from((skus,) if isinstance(skus, str) else skus)
        naive = NaiveSales(PRODUCTS, PLACES, self.clock.now, rates=RATES_OF, inclusive=inclusive, coin=COINS[coin])
        self.open_both(naive, tax_mode="inclusive" if inclusive else "exclusive", cash_rounding=coin)
        for name, rates in RATES.items():
            for rate, part in rates:
                self.shop.ok(AddTaxRate(tax_class=name, rate=part, name=rate))
        for cost in (1_370_000, 333_333):
            for place in SHELVES:
                self.bring(place, [(sku, units // 2, cost, None, None) for sku, (units, _) in STOCK.items()])

    def add_product(self, product: Product, **more: Any) -> str:
        return super().add_product(product, price=PRICES[product.sku], tax_class=CLASSES[product.sku], **more)

    # Comparing -------------------------------------------------------------------------------------------------------

    def compare(self) -> None:
        super().compare()
        self.sale_lines = self.lines_by_sale()
        same(self.real_sales(), self.naive_sales(), "sale -> status and money")
        same(self.real_lines(), self.naive_lines(), "sale, line -> units and money")
        query = "SELECT account, sum(amount) AS amount FROM posting GROUP BY account HAVING sum(amount) != 0"
        same({row["account"]: row["amount"] for row in self.rows(query)}, self.naive.books(), "account -> balance")
        same(self.real_taxes(), self.naive.taxes(), "name, rate -> net, tax")
        payments = [[(one.method, one.amount, one.change) for one in deal.payments] for deal in self.naive.deals]
        same(self.real_payments(), dict(zip(self.sale_ids, payments, strict=True)), "sale -> payments")

    def real_taxes(self) -> dict[Any, Any]:
        query = "SELECT tax_name, tax_rate, -sum(tax_net) AS net, -sum(amount) AS tax FROM posting"
        rows = self.rows(f"{query} WHERE account = '2100' GROUP BY tax_name, tax_rate")
        found = {(row["tax_name"], Fraction(row["tax_rate"], 10**6)): (row["net"], row["tax"]) for row in rows}
        return {rate: both for rate, both in found.items() if any(both)}

    def real_payments(self) -> dict[Any, Any]:
        """The payments of each sale; and their ids are learned."""
        found = {}
        for n, row in enumerate(self.rows("SELECT id, payments FROM sale ORDER BY id")):
            kept = json.loads(row["payments"])
            self.payment_ids[n] = [one["id"] for one in kept]
            found[row["id"]] = [(one["method"], one["amount"], one.get("change", 0)) for one in kept]
        return found

    def lines_by_sale(self) -> dict[str, list[Any]]:
        found = defaultdict(list)
        for row in self.rows("SELECT * FROM sale_line WHERE NOT removed ORDER BY sale_id, position"):
            found[row["sale_id"]].append(row)
        return found

    def real_sales(self) -> dict[Any, Any]:
        fields = (
            "status",
            "total",
            "tax_total",
            "posted",
            "posted_tax",
            "rounding",
            "paid",
            "change",
            "refunded",
            "settled",
        )
        return {row["id"]: tuple(row[name] for name in fields) for row in self.rows("SELECT * FROM sale")}

    def naive_sales(self) -> dict[Any, Any]:
        found = {}
        for n, (name, deal) in enumerate(zip(self.sale_ids, self.naive.deals, strict=True)):
            naive = self.naive
            totals = (naive.total(n), naive.tax(n), *naive.posted(n))
            of_money = (deal.rounding, deal.paid, deal.change, deal.refunded, deal.settled)
            found[name] = (naive.sales[n].status, *totals, *of_money)
        return found

    def real_lines(self) -> dict[Any, Any]:
        fields = ("quantity", "fulfilled", "returned", "gross", "discount", "tax", "total", "due")
        booked, terms = self.booked()
        refunded = self.refunded()
        evened = {self.line_ids[n][k] for n, k in self.naive.evened()}
        found = {}
        for lines in self.sale_lines.values():
            for row in lines:
                name = row["id"]
                if name in terms:
                    units, total, tax = terms[name]
                    shipped, *amounts = booked[name]
                    in_proportion(amounts[0], total, units, shipped)
                    in_proportion(amounts[1], tax, units, shipped)
                beside = self.naive.coin if name in evened else 0
                in_proportion(refunded[name][0], row["due"], row["quantity"], row["returned"], beside)
                shares = (*booked[name][1:], *refunded[name])
                found[name] = (*(row[field] for field in fields), *shares)
        return found

    def naive_lines(self) -> dict[Any, Any]:
        found = {}
        for n, deal in enumerate(self.naive.deals):
            for index in self.naive.here(n):
                line, own = self.naive.sales[n].lines[index], deal.lines[index]
                shares = (*self.naive.shipped(n, index), own.given, own.given_tax)
                money = self.naive.worth_now(n, index)
                found[self.line_ids[n][index]] = (line.quantity, line.gone, own.back, *money, own.due, *shares)
        return found

    def booked(self) -> tuple[dict[str, list[int]], dict[str, tuple[int, int, int]]]:
        """By line: units, total and tax that its shipments have booked; and of what (units, total, tax)."""
        booked: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        terms = {}
        for row in self.rows("SELECT fulfillments FROM sale"):
            for part in json.loads(row["fulfillments"]):
                for (name, units), (total, tax) in zip(part["lines"], part["amounts"], strict=True):
                    booked[name] = [a + b for a, b in zip(booked[name], (units, total, tax), strict=True)]
                for of in part.get("terms", ()):
                    terms[of["line_id"]] = (of["units"], of["total"], of["tax"])
        return booked, terms

    def refunded(self) -> dict[str, list[int]]:
        """By line: what its returns refunded, and the tax in it."""
        refunded: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for row in self.rows("SELECT lines FROM sale_return"):
            for line in json.loads(row["lines"]):
                refunded[line["line_id"]][0] += line["refund"]
                refunded[line["line_id"]][1] += line["tax"]
        return refunded

    def answered(self, n: int, answer: Any) -> None:
        """A sale as a command answered it."""
        self.part_ids[n] = [part["id"] for part in answer.fulfillments]
        naive = self.naive
        assert (minor(answer.total), minor(answer.tax_total)) == (naive.total(n), naive.tax(n)), answer
        lines = {line.id: (minor(line.tax), minor(line.line_total)) for line in answer.lines}
        worth = {index: naive.worth_now(n, index) for index in naive.here(n)}
        assert lines == {self.line_ids[n][index]: (own.tax, own.total) for index, own in worth.items()}, answer
        deal = naive.deals[n]
        owed = {"completed": naive.owed(n), "cancelled": 0}.get(naive.sales[n].status)
        assert (minor(answer.paid), minor(answer.change)) == (deal.paid, deal.change), answer
        assert owed is None or minor(answer.owed) == owed, (answer, owed)

    # What is drawn ---------------------------------------------------------------------------------------------------

    def some_lines(self, data: st.DataObject) -> list[Wanted]:
        lines = []
        for _ in range(data.draw(st.integers(1, 3))):
            sku = data.draw(self.skus)
            price = data.draw(st.sampled_from((PRICES[sku], PRICES[sku], 1, 1250)))
            lines.append(Wanted(sku, data.draw(UNITS[sku]), price, self.some_off(data)))
        return lines

    @staticmethod
    def some_off(data: st.DataObject) -> Off | None:
        drawn = data.draw(OFFS)
        return None if drawn is None else (drawn[0], Fraction(drawn[1])) if drawn[0] == "percent" else drawn

    def asked(self, lines: list[Wanted]) -> tuple[LineRequest, ...]:
        return tuple(
            LineRequest(one.sku, self.number(one.sku, one.units), money(one.price), discount(one.off)) for one in lines
        )

    def some_sale(self, data: st.DataObject, *statuses: str) -> int:
        """A sale, mostly one that stands so; -1 where there is none."""
        fitting = [n for n, sale in enumerate(self.naive.sales) if sale.status in statuses]
        if fitting and data.draw(st.integers(0, 15)):
            return fitting[-1 - data.draw(st.integers(0, min(len(fitting), 3) - 1))]
        return data.draw(st.integers(-1, len(self.naive.sales) - 1))

    def sale_name(self, n: int) -> str:
        return self.sale_ids[n] if n >= 0 else UNKNOWN

    def some_part(self, data: st.DataObject, sku: str, of: int) -> int:
        """Some of so many units, seldom more; often one, or all of them."""
        if of <= 0:
            return 1
        usual = st.one_of(st.sampled_from((1, of, max(of // 3, 1), max(of * 2 // 5, 1))), st.integers(1, of))
        return data.draw(often(usual, st.just(of + 1), one_in=25))

    def payments(self, data: st.DataObject, total: int) -> list[tuple[str, int]]:
        part = total // 3
        return data.draw(
            st.sampled_from(
                (
                    [("cash", total + 77)],
                    [("cash", total + 12), ("cash", 3)],
                    [("card", total)],
                    [("card", part), ("cash", total)],
                    [("cash", total // 2)],
                    [("card", total + 4), ("cash", 1)],
                )
            )
        )

    # Selling ---------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), kind=st.integers(0, 7))
    def begin(self, data: st.DataObject, kind: int) -> None:
        """An order is taken, or goods are sold at a till, or come."""
        waiting = sum(sale.status == "suspended" for sale in self.naive.sales)
        if kind == 6:
            self.till(data)
        elif kind == 7:
            self.goods(data)
        elif waiting < SUSPENDED_MAX:
            self.order(data)
        else:
            self.handle(data, data.draw(st.integers(0, 11)))

    def order(self, data: st.DataObject) -> None:
        lines, off, fees = self.some_lines(data), self.some_off(data), fees_of(data.draw(FEES))
        number = f"M{len(self.sale_ids)}"
        command = OpenSale(
            source="shopify",
            order_number=number,
            lines=self.asked(lines),
            discount=discount(off),
            fees=asked_fees(fees),
            fact=True,
        )
        self.sold(command, lambda naive: naive.order(Caller(), number, lines, off, fees))

    def till(self, data: st.DataObject) -> None:
        lines, off, fees = self.some_lines(data), self.some_off(data), fees_of(data.draw(FEES))
        try:
            quoted = self.naive.deal(lines, off, fees)
            total = quoted.fee_total + sum(line.whole.total for line in quoted.lines)
        except No:
            total = 1000
        payments = self.payments(data, total)
        command = Checkout(
            self.shop.stores["MAIN"],
            self.asked(lines),
            discount(off),
            asked_fees(fees),
            tuple(PaymentRequest(method, money(amount)) for method, amount in payments),
        )
        self.sold(command, lambda naive: naive.till(Caller(), lines, off, fees, payments))

    def sold(self, command: Any, naive: Any) -> None:
        """A new sale, if it is accepted."""
        answer, expected = self.both("manager", command, naive)
        if not isinstance(expected, No):
            self.answered(expected, answer)

    def learn_new(self) -> None:
        """Also the ids of new sales and lines."""
        super().learn_new()
        last = self.sale_ids[-1] if self.sale_ids else ""
        for row in self.rows("SELECT id FROM sale WHERE id > :last ORDER BY id", last=last):
            lines = self.rows("SELECT id FROM sale_line WHERE sale_id = :sale ORDER BY position", sale=row["id"])
            self.sale_ids.append(row["id"])
            self.line_ids.append([line["id"] for line in lines])
            self.part_ids.append([])
            self.payment_ids.append([])

    @precondition(lambda self: self.naive.sales)
    @rule(data=st.data(), kind=st.integers(0, 3))
    def pay_over_time(self, data: st.DataObject, kind: int) -> None:
        """Money comes in advance or later, or a tender is corrected."""
        if kind <= 1:
            self.take_money(data)
        else:
            self.correct(data)

    def take_money(self, data: st.DataObject) -> None:
        """A deposit, or what is owed, mostly; now and then too much, nothing, or of a sale that is paid or given up."""
        naive = self.naive
        owing = [n for n, sale in enumerate(naive.sales) if sale.status == "suspended" or naive.owed(n)]
        if owing and data.draw(st.integers(0, 9)):
            n = data.draw(st.sampled_from(owing[-4:]))
        else:
            n = data.draw(st.integers(-1, len(naive.sales) - 1))
        left = 100
        if n >= 0 and naive.sales[n].status != "cancelled":
            deal = naive.deals[n]
            left = max(naive.total(n) - deal.settled - deal.cash - deal.otherwise, 0)
        part = data.draw(st.sampled_from((left, left, left // 3, left // 2, left + 4, 1, 40, left * 2, 0)))
        method = data.draw(st.sampled_from(("cash", "cash", "card", "other")))
        command = TakePayment(self.sale_name(n), PaymentRequest(method, money(part)))
        self.changed(n, command, lambda model: model.take_money(n, method, part))
        waits = n >= 0 and naive.sales[n].status == "suspended"
        if waits and naive.deals[n].cash > 0 and not data.draw(st.integers(0, 3)):
            self.complete(n, [("card", self.left_to_pay(n) + 1)])  # the card is no change of the deposit

    def correct(self, data: st.DataObject) -> None:
        """The last payment of a sale, or another one."""
        paid = [n for n, deal in enumerate(self.naive.deals) if deal.payments]
        n = data.draw(st.sampled_from(paid[-4:])) if paid else self.some_sale(data, "suspended")
        if n < 0:
            return
        many = len(self.payment_ids[n])
        number = data.draw(often(st.integers(0, many - 1), st.just(many))) if many else 0
        method = data.draw(st.sampled_from(("cash", "card", "other")))
        command = CorrectPayment(self.sale_ids[n], self.named(self.payment_ids[n], number), method)
        self.changed(n, command, lambda naive: naive.correct(n, number, method))

    @precondition(lambda self: self.naive.sales)
    @rule(data=st.data(), kind=st.integers(0, 11))
    def go_on(self, data: st.DataObject, kind: int) -> None:
        self.handle(data, kind)

    def handle(self, data: st.DataObject, kind: int) -> None:
        """What happens to an order that was taken, mostly a part of it is shipped."""
        if all(sale.status != "suspended" for sale in self.naive.sales) and data.draw(st.integers(0, 5)):
            self.order(data)
        elif kind <= 5:
            self.ship(data, whole=kind == 0)
        elif kind <= 7:
            self.make_smaller(data)
        elif kind <= 9:
            self.take_back(data)
        elif kind == 10:
            self.pay(data)
        else:
            self.give_up(data)

    def ship(self, data: st.DataObject, *, whole: bool) -> None:
        n = self.some_sale(data, "suspended")
        units = {}
        for index in self.naive.here(n) if n >= 0 else ():
            line = self.naive.sales[n].lines[index]
            held = sum(hold.held for hold in self.naive.line_holds(self.naive.sales[n], index))
            there = line.open if self.naive.products[line.sku].unlimited else min(held, line.open)
            if there and whole:
                units[index] = there
            elif there and data.draw(st.integers(0, 2)):
                units[index] = self.some_part(data, line.sku, there)
        if n < 0 or not units:
            units = {0: 1}
        named = tuple(ShipLine(*self.named_units(n, index, much)) for index, much in units.items())
        command = Fulfill(self.sale_name(n), named)
        self.changed(n, command, lambda naive: naive.ship(n, units))

    def named_units(self, n: int, index: int, units: int) -> tuple[str, Any]:
        """A line's id, and units of it as they are said outside."""
        if n < 0:
            return UNKNOWN, units
        return self.line_ids[n][index], self.number(self.naive.sales[n].lines[index].sku, units)

    def changed(self, n: int, command: Any, naive: Any) -> None:
        """A sale changes, if that is accepted."""
        answer, expected = self.both("manager", command, naive)
        if not isinstance(expected, No):
            self.answered(n, answer)

    def pay(self, data: st.DataObject) -> None:
        n = self.some_sale(data, "suspended")
        self.complete(n, self.payments(data, self.left_to_pay(n)) if data.draw(st.booleans()) else None)

    def complete(self, n: int, payments: list[tuple[str, int]] | None) -> None:
        named = None
        if payments is not None:
            named = tuple(PaymentRequest(method, money(amount)) for method, amount in payments)
        self.changed(n, CompleteSale(self.sale_name(n), named), lambda naive: naive.pay(Caller(), n, payments))

    def left_to_pay(self, n: int) -> int:
        """What deposits leave of a sale."""
        if n < 0:
            return 1
        deal = self.naive.deals[n]
        return max(self.naive.total(n) - deal.cash - deal.otherwise, 0)

    def give_up(self, data: st.DataObject) -> None:
        """One of which a part went out, where there is one; now and then one that is over, which is refused."""
        sales = list(enumerate(self.naive.sales))
        begun = [n for n, sale in sales if sale.status == "suspended" and self.naive.deals[n].parts]
        over = [n for n, sale in sales if sale.status in ("completed", "cancelled")]
        if over and not data.draw(st.integers(0, 5)):
            n = over[-1]
        else:
            n = data.draw(st.sampled_from(begun[-3:])) if begun else self.some_sale(data, "suspended")
        self.changed(n, CancelSale(self.sale_name(n)), lambda naive: naive.give_up(n))

    def make_smaller(self, data: st.DataObject) -> None:
        n = self.some_sale(data, *(("suspended",) if data.draw(st.integers(0, 9)) else ("completed", "cancelled")))
        if n < 0:
            return
        index = data.draw(st.integers(0, len(self.line_ids[n]) - 1))
        line = self.naive.sales[n].lines[index]
        units = line.quantity
        if line.open and (line.gone or line.quantity > 1):
            units -= min(self.some_part(data, line.sku, line.open), line.quantity - 1)
        command = EditLine(self.sale_name(n), self.line_ids[n][index], quantity=self.number(line.sku, units))
        self.changed(n, command, lambda naive: naive.make_smaller(n, index, units))

    def take_back(self, data: st.DataObject) -> None:
        shipped = [n for n, deal in enumerate(self.naive.deals) if deal.parts]
        n = data.draw(st.sampled_from(shipped[-3:])) if shipped else self.some_sale(data, "suspended")
        if n < 0:
            return
        many = len(self.part_ids[n])
        number = data.draw(often(st.integers(0, many - 1), st.just(many))) if many else 0
        name = self.named(self.part_ids[n], number)
        self.changed(n, RevertShipment(self.sale_ids[n], name, "drawn"), lambda naive: naive.take_back(n, number))

    # Returns ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(sale.status == "completed" for sale in self.naive.sales))
    @rule(data=st.data(), method=METHODS, everything=st.integers(0, 3))
    def come_back(self, data: st.DataObject, method: str, everything: int) -> None:
        if everything == 0:
            self.bring_all_back(data, method)
        else:
            self.bring_back(data, method)

    def bring_back(self, data: st.DataObject, method: str) -> None:
        n = self.some_sale(data, "completed")
        parts = []
        for index in self.naive.here(n) if n >= 0 else ():
            line = self.naive.sales[n].lines[index]
            left = line.gone - self.naive.deals[n].lines[index].back
            if left and data.draw(st.integers(0, 2)):
                parts.append((index, self.some_part(data, line.sku, left), data.draw(CONDITIONS)))
        self.return_parts(n, parts or [(0, 1, "good")], method)

    def bring_all_back(self, data: st.DataObject, method: str) -> None:
        """What is left of a sale, in two parts."""
        done = [n for n, sale in enumerate(self.naive.sales) if sale.status == "completed"]
        n = data.draw(st.sampled_from(done[-3:]))
        for last in (False, True):
            parts = []
            for index in self.naive.here(n):
                left = self.naive.sales[n].lines[index].gone - self.naive.deals[n].lines[index].back
                units = left if last else left * 2 // 5
                if units:
                    parts.append((index, units, "good"))
            if parts:
                self.return_parts(n, parts, method)

    def return_parts(self, n: int, parts: list[tuple[int, int, str]], method: str) -> None:
        named = tuple(ReturnedLine(*self.named_units(n, index, units), condition) for index, units, condition in parts)
        command = ReturnSale(self.sale_name(n), named, method)
        answer, expected = self.both("manager", command, lambda naive: naive.bring_back(n, parts, method))
        if not isinstance(expected, No):
            refunds, handed = expected
            assert [minor(line.refund) for line in answer.lines] == refunds, (answer, refunds)
            assert minor(answer.refund_total) == handed, (answer, handed)
            assert minor(answer.rounding) == handed - sum(refunds), (answer, refunds)

    # Goods -----------------------------------------------------------------------------------------------------------

    def goods(self, data: st.DataObject) -> None:
        """Units come, or are not there."""
        sku, place = data.draw(st.sampled_from(self.stocked)), data.draw(st.sampled_from(SHELVES))
        if data.draw(st.integers(0, 2)):
            self.bring(place, [(sku, STOCK[sku][1], data.draw(st.sampled_from((500_000, 2_005_000))), None, None)])
            return
        units = self.naive.on_hand(sku, place) * data.draw(st.integers(0, 2)) // 3
        command = SetStock(sku, place, self.number(sku, units))
        self.both("manager", command, lambda naive: naive.set_stock(Caller(), sku, place, units, None))


def in_proportion(given: int, amount: int, whole: int, units: int, beside: int = 0) -> None:
    """The rule: never a minor unit or more from its proportion, and all of it with all units.

    Of an amount that has changed since a part was given, by no more than a coin, it may be that coin `beside`.
    """
    assert abs(given - Fraction(amount * units, whole)) < 1 + beside, (given, amount, whole, units)
    assert units < whole or given == amount, (given, amount)


def discount(off: Off | None) -> DiscountRequest | None:
    if off is None:
        return None
    kind, much = off
    if kind == "amount":
        return DiscountRequest(amount=money(int(much)))
    return DiscountRequest(percent=Decimal(int(much * 10_000)).scaleb(-4))


def fees_of(amounts: tuple[int, ...]) -> list[Fee]:
    return [Fee(amount, RATES_OF["PEN"]) for amount in amounts]


def asked_fees(fees: list[Fee]) -> tuple[FeeRequest, ...]:
    return tuple(FeeRequest("delivery", money(fee.amount), "std") for fee in fees)
