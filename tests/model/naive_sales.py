"""The money of sales, naively: nothing is carried along, every figure is worked out from the whole when it is asked.

A line keeps what it came to as a whole, its units, and how many of them went out and came back. What was booked, what
was refunded and what the books say follow from these by the one rule of docs/reference/invariants.md: units bear their
proportion of an amount, cumulative. Amounts are minor units, shares fractions; what the rule leaves open (which way a
share is rounded) is as its examples show it: 10.00 over three pieces are 3.34, 3.33, 3.33. Goods are `naive.Naive`'s.

A sale keeps its payments, one after another; what is paid, owed and rounded follows from the list
(docs/how-to/get-paid.md). Tax by rate is the tax, spread over the rates by what each takes of the whole. What was
refunded of a line is kept as it was given: cash that pays a sale off may change what is due for its lines afterwards.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from tests.model.naive import Caller, Hold, Naive, No, Place, Product, Sale, SaleLine

Off = tuple[str, Fraction] | tuple[str, int]
"""("percent", of 100) or ("amount", minor units) off a price."""


def share(amount: int, whole: int, units: int) -> int:
    """What the first `units` of `whole` bear of an amount."""
    return math.ceil(Fraction(amount * units, whole))


def half_up(amount: Fraction) -> int:
    """The nearest whole number of an amount that is not negative, halves up."""
    return math.floor(amount + Fraction(1, 2))


def spread(amount: int, weights: Sequence[int | Fraction]) -> list[int]:
    """An amount over lines: each its proportion rounded down, what is left to those that lost most, the first first."""
    if not any(weights):
        weights = [1] * len(weights)
    exact = [Fraction(amount) * weight / sum(weights) for weight in weights]
    shares = [math.floor(one) for one in exact]
    for n in sorted(range(len(weights)), key=lambda n: (shares[n] - exact[n], n))[: amount - sum(shares)]:
        shares[n] += 1
    return shares


class Wanted(NamedTuple):
    """A line as it is asked for."""

    sku: str
    units: int
    price: int
    off: Off | None


Rates = tuple[tuple[str, Fraction], ...]
"""The rates of a class, each with its name."""


class Fee(NamedTuple):
    amount: int
    rates: Rates


class Money(NamedTuple):
    """What so many units of a line come to: without the discount, the discount, the tax, what the customer pays."""

    gross: int
    off: int
    tax: int
    total: int


NOTHING = Money(0, 0, 0, 0)


@dataclass
class Paid:
    """What was handed over by a method, and what of it was given as change; below zero: it went back."""

    method: str
    amount: int
    change: int = 0

    @property
    def kept(self) -> int:
        return self.amount - self.change


@dataclass
class Taken:
    """Units that left a lot by a hold, with their value; what of it came back."""

    lot: int
    place: str
    units: int
    value: int
    hold: int | None = None
    back_units: int = 0
    back_value: int = 0


@dataclass
class DealLine:
    """The money of a sale's line: `whole` is what `units` of it come to, `taxes` the tax in that by rate.

    `given` was refunded for the units that came `back`; `evened`: what is due has changed since.
    """

    wanted: Wanted
    off: Off | None
    rates: Rates
    units: int = 0
    whole: Money = NOTHING
    taxes: list[int] = field(default_factory=list)
    removed: bool = False
    taken: list[Taken] = field(default_factory=list)
    due: int = 0
    due_tax: int = 0
    back: int = 0
    given: int = 0
    given_tax: int = 0
    evened: bool = False
    restored: int = 0
    ruined: int = 0


@dataclass
class Shipment:
    """`lines` are units by line; `moved` what left, by line."""

    lines: dict[int, int]
    moved: list[tuple[int, Taken]]


@dataclass
class Deal:
    """The money of a sale. `ended_by` says what completed it: a shipment, or a payment."""

    lines: list[DealLine]
    off: Off | None
    fees: list[Fee]
    fee_tax: int = 0
    fee_total: int = 0
    parts: list[Shipment] = field(default_factory=list)
    ended_by: str | None = None
    booked_taxes: Counter[tuple[str, Fraction, str]] = field(default_factory=Counter)
    payments: list[Paid] = field(default_factory=list)
    rounding: int = 0
    refunded: int = 0
    settled: int = 0
    due_in_cash: int = 0
    given_in_cash: int = 0
    given_otherwise: int = 0
    was_cut: bool = False
    """Were lines made smaller after a part had gone out? Then what is left keeps its share until the cart changes."""

    @property
    def paid(self) -> int:
        return sum(payment.amount for payment in self.payments)

    @property
    def change(self) -> int:
        return sum(payment.change for payment in self.payments)

    @property
    def cash(self) -> int:
        return sum(payment.kept for payment in self.payments if payment.method == "cash")

    @property
    def otherwise(self) -> int:
        """What is paid by other methods than cash."""
        return sum(payment.kept for payment in self.payments if payment.method != "cash")


class NaiveSales(Naive):
    """See the module. `rates` are those of the products by SKU."""

    def __init__(
        self,
        products: Iterable[Product],
        places: Iterable[Place],
        now: int,
        *,
        rates: dict[str, Rates],
        inclusive: bool,
        coin: int,
    ) -> None:
        super().__init__(products, places, now)
        self.rates, self.inclusive, self.coin = rates, inclusive, coin
        self.deals: list[Deal] = []
        self.left: list[Taken] = []
        self.received = 0
        self.missed = 0

    # Goods -----------------------------------------------------------------------------------------------------------

    def leave(self, lot: int, place: str, units: int) -> int:
        value = super().leave(lot, place, units)
        self.left.append(Taken(lot, place, units, value))
        return value

    def value_of_all(self) -> int:
        return sum(pile.value for pile in self.piles.values())

    def receive(self, caller: Caller, place: str, lines: list[Any]) -> list[int]:
        before = self.value_of_all()
        lots = super().receive(caller, place, lines)
        self.received += self.value_of_all() - before
        return lots

    def set_stock(self, caller: Caller, sku: str, place: str, units: int | None, expected: tuple[int] | None) -> None:
        before = self.value_of_all()
        super().set_stock(caller, sku, place, units, expected)
        self.missed += before - self.value_of_all()

    def fulfil_line(self, n: int, index: int, units: int) -> list[tuple[int, Taken]]:
        """Units of a line go out, from its oldest hold first; what left which lots."""
        sale, line = self.sales[n], self.deals[n].lines[index]
        moved, left = [], units
        for hold in self.line_holds(sale, index):
            part = min(left, hold.held)
            if part:
                self.left = []
                self.sell(hold, part)
                moved += [Taken(t.lot, t.place, t.units, t.value, hold.n) for t in self.left]
                left -= part
        assert not left or self.products[line.wanted.sku].unlimited
        line.taken += moved
        sale.lines[index].gone += units
        return [(index, taken) for taken in moved]

    # What a sale comes to --------------------------------------------------------------------------------------------

    def here(self, n: int) -> list[int]:
        """The lines of a sale, without removed ones."""
        return [index for index, line in enumerate(self.deals[n].lines) if not line.removed]

    @staticmethod
    def taken_off(price: int, off: Off | None) -> int:
        if off is None:
            return 0
        kind, much = off
        less = half_up(Fraction(price * much / 100)) if kind == "percent" else int(much)
        if not 0 <= less <= price:
            raise No("INVALID_AMOUNT")
        return less

    def taxed(self, net: int, rates: Rates) -> tuple[list[int], int]:
        """The tax by rate, and what the customer pays."""
        if self.inclusive:
            tax = net - half_up(net / (1 + sum(rate for _, rate in rates)))
            return spread(tax, [rate for _, rate in rates]) if rates else [], net
        taxes = [half_up(net * rate) for _, rate in rates]
        return taxes, net + sum(taxes)

    def charge(self, deal: Deal, units: dict[int, int], *, new: bool) -> None:
        """From prices: what so many units of the lines come to. A discount that is not `new` takes what there is."""
        grosses, nets = [], []
        for index, much in units.items():
            wanted = deal.lines[index].wanted
            gross = half_up(Fraction(wanted.price * much, 10 ** self.products[wanted.sku].precision))
            grosses.append(gross)
            nets.append(gross - self.taken_off(gross, deal.lines[index].off))
        off = deal.off
        if off is not None and off[0] == "amount" and not new:
            off = ("amount", min(int(off[1]), sum(nets)))
        less = spread(self.taken_off(sum(nets), off), nets)
        for (index, much), gross, net, part in zip(units.items(), grosses, nets, less, strict=True):
            line = deal.lines[index]
            line.units = much
            line.taxes, total = self.taxed(net - part, line.rates)
            line.whole = Money(gross, gross - net + part, sum(line.taxes), total)
        taxed = [self.taxed(fee.amount, fee.rates) for fee in deal.fees]
        deal.fee_tax, deal.fee_total = sum(sum(taxes) for taxes, _ in taxed), sum(total for _, total in taxed)

    def worth_now(self, n: int, index: int) -> Money:
        """What the line comes to with the units that it has: its share of the whole."""
        line, units = self.deals[n].lines[index], self.sales[n].lines[index].quantity
        tax, total = share(line.whole.tax, line.units, units), share(line.whole.total, line.units, units)
        if units == line.units:
            return line.whole
        net = total if self.inclusive else total - tax
        gross = half_up(Fraction(line.wanted.price * units, 10 ** self.products[line.wanted.sku].precision))
        return Money(max(gross, net), max(gross - net, 0), tax, total)

    def total(self, n: int) -> int:
        return self.deals[n].fee_total + sum(self.worth_now(n, index).total for index in self.here(n))

    def tax(self, n: int) -> int:
        return self.deals[n].fee_tax + sum(self.worth_now(n, index).tax for index in self.here(n))

    def posted(self, n: int) -> tuple[int, int]:
        """What was booked of the total and of the tax so far."""
        if self.sales[n].status == "completed":
            return self.total(n), self.tax(n)
        shipped = [self.shipped(n, index) for index in self.here(n)] if self.deals[n].parts else []
        return sum(total for total, _ in shipped), sum(tax for _, tax in shipped)

    def shipped(self, n: int, index: int) -> tuple[int, int]:
        """What the shipments of a line have booked, of its total and of its tax."""
        line, units = self.deals[n].lines[index], sum(part.lines.get(index, 0) for part in self.deals[n].parts)
        return share(line.whole.total, line.units, units), share(line.whole.tax, line.units, units)

    # Selling ---------------------------------------------------------------------------------------------------------

    def deal(self, lines: list[Wanted], off: Off | None, fees: list[Fee]) -> Deal:
        made = Deal([DealLine(one, one.off, self.rates[one.sku]) for one in lines], off, fees)
        self.charge(made, {index: one.units for index, one in enumerate(lines)}, new=True)
        return made

    def order(self, caller: Caller, number: str, lines: list[Wanted], off: Off | None, fees: list[Fee]) -> int:
        """An order that a channel took: suspended, ready to be shipped."""
        n = self.open_sale(caller, number, "shopify", [(one.sku, one.units) for one in lines])
        self.deals.append(self.deal(lines, off, fees))
        return n

    def till(
        self, caller: Caller, lines: list[Wanted], off: Off | None, fees: list[Fee], payments: list[tuple[str, int]]
    ) -> int:
        """Sold at once from the shelf of the store MAIN."""
        deal = self.deal(lines, off, fees)
        self.deals.append(deal)
        n = len(self.deals) - 1
        self.sales.append(Sale(f"till {n}", "pos", [SaleLine(one.sku, one.units) for one in lines]))
        self.tender(n, payments)
        refused = False
        for index, one in enumerate(lines):
            if self.products[one.sku].unlimited:
                continue
            backing = self.backing(one.sku, "MAIN", one.units)
            if sum(part for _, part in backing) < one.units:
                refused = True
                continue
            self.left = []
            for lot, part in backing:
                self.leave(lot, "MAIN", part)
            deal.lines[index].taken = list(self.left)
        if refused:
            raise No("INSUFFICIENT_STOCK")
        for line in self.sales[n].lines:
            line.gone = line.quantity
        self.finish(n, "payment")
        return n

    def tender(self, n: int, payments: list[tuple[str, int]] | None) -> None:
        """What is handed over beside deposits; cash is rounded to a coin last, and only cash gives change.

        None: nothing more is handed over, and what deposits leave of the sale is owed.
        """
        deal = self.deals[n]
        new = [Paid(method, amount) for method, amount in payments or ()]
        in_cash = deal.cash != 0 or any(payment.method == "cash" for payment in new)
        rounding, change = self.tendered(self.total(n), [*deal.payments, *new], in_cash=in_cash)
        if change is None and payments is not None:
            raise No("PAYMENT_MISMATCH")
        left = change or 0
        for payment in reversed(new):
            payment.change = min(left, payment.amount) if payment.method == "cash" else 0
            left -= payment.change
        if left:
            raise No("PAYMENT_MISMATCH")
        deal.payments += new
        deal.rounding = rounding

    def tendered(self, total: int, payments: list[Paid], *, in_cash: bool) -> tuple[int, int | None]:
        """(the rounding, the change); the change is None where it is not enough."""
        kept = sum(payment.kept for payment in payments)
        rest = total - sum(payment.kept for payment in payments if payment.method != "cash")
        if rest < 0:
            raise No("PAYMENT_MISMATCH")
        rounding = self.in_coins(rest) - rest if in_cash and rest > 0 else 0
        return (0, None) if kept < total + rounding else (rounding, kept - total - rounding)

    def in_coins(self, amount: int) -> int:
        return half_up(Fraction(amount, self.coin)) * self.coin if self.coin else amount

    def give_too_much_back(self, n: int, due: int) -> None:
        """Of deposits no more stands than is due: other methods first, cash for what they leave; the newest goes."""
        deal = self.deals[n]
        over = {
            False: max(deal.otherwise - due, 0),
            True: max(deal.cash - max(self.in_coins(max(due - deal.otherwise, 0)), 0), 0),
        }
        stands: Counter[str] = Counter()
        for payment in deal.payments:
            stands[payment.method] += payment.kept
        for payment in list(reversed(deal.payments)):
            is_cash = payment.method == "cash"
            amount = min(over[is_cash], payment.kept, stands[payment.method])
            if amount > 0:
                deal.payments.append(Paid(payment.method, -amount))
                over[is_cash] -= amount
                stands[payment.method] -= amount

    def owed(self, n: int) -> int:
        """What is owed of a sale that is over."""
        deal = self.deals[n]
        return max(0, self.total(n) + deal.rounding - deal.cash - deal.otherwise - deal.settled)

    def take_money(self, n: int, method: str, amount: int) -> None:
        """A deposit, or what is owed of a sale that is over."""
        sale, deal = self.look(n), self.deals[n]
        if not amount:
            raise No("INVALID_AMOUNT")
        if sale.status == "cancelled":
            raise No("INVALID_STATE")
        total = self.total(n) - deal.settled
        if self.tendered(total, deal.payments, in_cash=deal.cash != 0)[1] is not None:
            raise No("PAYMENT_MISMATCH")  # it is all there
        if total <= deal.cash + deal.otherwise:
            raise No("PAYMENT_MISMATCH")
        made = Paid(method, amount)
        in_cash = deal.cash != 0 or method == "cash"
        rounding, change = self.tendered(total, [*deal.payments, made], in_cash=in_cash)
        if change and method != "cash":
            raise No("PAYMENT_MISMATCH")
        made.change = change or 0
        deal.payments.append(made)
        if sale.status == "completed":
            self.round_to(n, rounding)

    def round_to(self, n: int, rounding: int) -> None:
        """Cash has paid off a sale that was over, or was none: what did not come back yet bears the coin."""
        deal = self.deals[n]
        here = self.here(n)
        delta, deal.rounding = rounding - deal.rounding, rounding
        if not delta:
            return
        if not any(deal.lines[index].back for index in here):
            totals = [self.worth_now(n, index).total for index in here]
            for index, due in zip(here, spread(self.total(n) + rounding, totals), strict=True):
                deal.lines[index].due = due
            return
        left = []
        for index in here:
            units, line = self.sales[n].lines[index].quantity, deal.lines[index]
            left.append(line.due * (units - line.back) // units)
        sign = 1 if delta > 0 else -1
        for index, part in zip(here, spread(abs(delta), left), strict=True):
            deal.lines[index].due += sign * part
            deal.lines[index].evened = deal.lines[index].evened or bool(part)

    def correct(self, n: int, number: int, method: str) -> None:
        """The button of another method was pressed: what was kept came by this one, in cash to its coin."""
        sale, deal = self.look(n), self.deals[n]
        if not 0 <= number < len(deal.payments):
            raise No("NOT_FOUND")
        payment = deal.payments[number]
        if payment.method == method or payment.amount < 0:
            raise No("INVALID_STATE")
        if deal.refunded or any(one.amount < 0 for one in deal.payments):
            raise No("INVALID_STATE")
        amount = payment.kept
        other_cash = any(one.method == "cash" and one.kept for one in deal.payments if one is not payment)
        if sale.status == "completed" and not self.owed(n) and not other_cash:
            exact = amount - deal.rounding if payment.method == "cash" else amount
            amount = self.in_coins(exact) if method == "cash" else exact
        rounding = deal.rounding + amount - payment.kept
        deal.payments[number] = Paid(method, amount)
        self.round_to(n, rounding)

    def finish(self, n: int, ended_by: str) -> None:
        """All went out: what was due is spread over the lines, and with it the tax of the fees."""
        sale, deal = self.sales[n], self.deals[n]
        sale.status, deal.ended_by = "completed", ended_by
        here = self.here(n)
        totals = [self.worth_now(n, index).total for index in here]
        dues = spread(self.total(n) + deal.rounding, totals)
        of_fees = [spread(tax, totals) for _, tax in self.fee_taxes(deal).values()]
        for place, (index, due) in enumerate(zip(here, dues, strict=True)):
            deal.lines[index].due = due
            deal.lines[index].due_tax = self.worth_now(n, index).tax + sum(taxes[place] for taxes in of_fees)
        deal.booked_taxes = self.taxes_so_far(n)

    def open_stock(self, n: int) -> bool:
        """Is anything open that lies on a shelf? What does not goes with the last of it."""
        return any(line.open and not self.products[line.sku].unlimited for line in self.of(n))

    def of(self, n: int) -> list[Any]:
        return [self.sales[n].lines[index] for index in self.here(n)]

    def finish_if_all_went(self, n: int) -> None:
        if not self.open_stock(n):
            for line in self.of(n):
                line.gone = line.quantity
            self.finish_shipped(n)

    def finish_shipped(self, n: int) -> None:
        """Deposits pay for it; what they leave is owed."""
        self.give_too_much_back(n, self.total(n))
        self.tender(n, None)
        self.finish(n, "shipment")

    def evened(self) -> list[tuple[int, int]]:
        """(sale, line) where what is due changed after a part of it was refunded."""
        return [(n, k) for n, deal in enumerate(self.deals) for k, line in enumerate(deal.lines) if line.evened]

    def look(self, n: int) -> Sale:
        if not 0 <= n < len(self.sales):
            raise No("SALE_NOT_FOUND")
        return self.sales[n]

    def look_at_line(self, n: int, index: int) -> DealLine:
        self.look(n)
        if index not in self.here(n):
            raise No("NOT_FOUND")
        return self.deals[n].lines[index]

    def ship(self, n: int, units: dict[int, int]) -> None:
        sale = self.look(n)
        for index in units:
            self.look_at_line(n, index)
        self.find_sale(n)
        if not any(line.open for line in self.of(n)):
            raise No("INVALID_STATE")
        for index, much in units.items():
            line = sale.lines[index]
            held = sum(hold.held for hold in self.line_holds(sale, index))
            if much > (line.open if self.products[line.sku].unlimited else min(held, line.open)):
                raise No("INSUFFICIENT_RESERVED")
        part = Shipment(units, [])
        for index, much in units.items():
            part.moved += self.fulfil_line(n, index, much)
        self.deals[n].parts.append(part)
        self.deals[n].booked_taxes = self.taxes_so_far(n)
        self.finish_if_all_went(n)

    def pay(self, caller: Caller, n: int, payments: list[tuple[str, int]] | None) -> None:
        """All that is open goes out against its money."""
        sale = self.find_sale(n)
        self.give_too_much_back(n, self.total(n))
        self.tender(n, payments)
        if any(hold.waits for hold in self.line_holds(sale)):
            raise No("INSUFFICIENT_RESERVED")
        for index in self.here(n):
            if sale.lines[index].open:
                self.fulfil_line(n, index, sale.lines[index].open)
        self.finish(n, "payment")

    def give_up(self, n: int) -> None:
        """What went out stays sold."""
        self.cancel_sale(n)
        if self.sales[n].status != "completed":
            self.give_too_much_back(n, 0)
            return
        self.cut(n, {index: self.sales[n].lines[index].gone for index in self.here(n)})
        self.finish_shipped(n)

    # Corrections -----------------------------------------------------------------------------------------------------

    def make_smaller(self, n: int, index: int, units: int) -> None:
        self.look_at_line(n, index)
        sale, line = self.look(n), self.sales[n].lines[index]
        fixed = sale.status == "suspended" and any(one.gone for one in self.of(n))
        if fixed and (units > line.quantity or units < line.gone):
            raise No("INVALID_STATE")
        self.find_sale(n)
        self.promise_less(sale, index, line.quantity - units)
        if not self.deals[n].parts:
            line.quantity = units
            self.deals[n].was_cut = False
            self.charge_again(n)
            return
        if units < line.quantity:
            self.cut(n, {index: units})
        self.finish_if_all_went(n)

    def cut(self, n: int, left: dict[int, int]) -> None:
        """Lines have fewer units, or none; of amounts that were taken off them or off the sale their share is left."""
        deal = self.deals[n]
        for index, units in left.items():
            line, own = self.sales[n].lines[index], deal.lines[index]
            before, line.quantity = line.quantity, units
            deal.was_cut = deal.was_cut or units < before
            own.removed = not units
            if units < before and units:
                own.taxes = spread(self.worth_now(n, index).tax, own.taxes)
            if units < before and own.off is not None and own.off[0] == "amount" and units:
                much = share(int(own.off[1]), before, units)
                own.off = ("amount", min(much, self.worth_now(n, index).gross))
        if deal.off is not None and deal.off[0] == "amount":
            worth = [(self.worth_now(n, index), deal.lines[index].off) for index in self.here(n)]
            deal.off = ("amount", sum(max(0, money.off - self.taken_off(money.gross, off)) for money, off in worth))

    def charge_again(self, n: int) -> None:
        units = {index: self.sales[n].lines[index].quantity for index in self.here(n)}
        self.charge(self.deals[n], units, new=False)

    def promise_less(self, sale: Sale, index: int, units: int) -> None:
        """The units that wait go first, whichever hold they are of, then the others; of the newest hold first."""
        holds = sorted(self.line_holds(sale, index), key=lambda h: (h.created, h.n), reverse=True)
        waiting = [(hold, hold.waits) for hold in holds]
        backed = [(hold, hold.open - hold.waits) for hold in holds]
        for hold, has in (*waiting, *backed):
            part = min(units, has)
            self.shrink(hold, part)
            units -= part

    def shrink(self, hold: Hold, units: int) -> None:
        if not units:
            return
        whole = units == hold.open and not hold.consumed
        self.give_back(hold, units, "edited")
        if not whole:
            hold.quantity -= units
            hold.released -= units

    def take_back(self, n: int, number: int) -> None:
        """A shipment never left: its units lie where they lay, and are held again."""
        sale = self.look(n)
        deal = self.deals[n]
        if not 0 <= number < len(deal.parts):
            raise No("NOT_FOUND")
        done = sale.status == "completed"
        if done and (deal.ended_by == "payment" or deal.payments or any(line.back for line in deal.lines)):
            raise No("INVALID_STATE")
        part = deal.parts.pop(number)
        for index, taken in reversed(part.moved):
            self.hold_again(taken)
            own = deal.lines[index].taken
            same = (taken.lot, taken.place, taken.units, taken.value)
            last = max(k for k, one in enumerate(own) if (one.lot, one.place, one.units, one.value) == same)
            del own[last]
        for index, units in part.lines.items():
            sale.lines[index].gone -= units
        if done:
            sale.status, deal.ended_by = "suspended", None
            for index in self.here(n):
                deal.lines[index].due = deal.lines[index].due_tax = 0
                if self.products[sale.lines[index].sku].unlimited:
                    sale.lines[index].gone = sum(one.lines.get(index, 0) for one in deal.parts)
        deal.booked_taxes = self.taxes_so_far(n)
        if not deal.parts and not deal.was_cut:
            self.charge_again(n)  # nothing has gone out any more: as if it had just been taken

    def hold_again(self, taken: Taken) -> None:
        assert taken.hold is not None
        self.come(taken.lot, taken.place, taken.units, taken.value)
        hold = self.holds[taken.hold]
        hold.consumed -= taken.units
        if hold.place != taken.place:  # it has moved since: a hold of its own
            hold.quantity -= taken.units
            self.close(hold, "edited")
            again = Hold(len(self.holds), hold.sku, taken.place, taken.units, self.now, hold.target, hold.pinned)
            again.priority, again.reach, again.expires = hold.priority, hold.reach, hold.expires
            self.holds.append(again)
            hold = again
        hold.reason = None if hold.open else hold.reason
        hold.alloc[taken.lot] = hold.alloc.get(taken.lot, 0) + taken.units

    # Returns ---------------------------------------------------------------------------------------------------------

    def bring_back(self, n: int, parts: list[tuple[int, int, str]], method: str) -> tuple[list[int], int]:
        """Parts are (line, units, condition). The exact refunds of the parts, and what was handed out for them."""
        sale = self.look(n)
        for index, _, _ in parts:
            self.look_at_line(n, index)
        if sale.status != "completed":
            raise No("INVALID_STATE")
        deal = self.deals[n]
        wanted: Counter[int] = Counter()
        for index, units, _ in parts:
            wanted[index] += units
        if any(units > sale.lines[index].gone - deal.lines[index].back for index, units in wanted.items()):
            raise No("RETURN_EXCEEDS_SALE")
        refunds = []
        for index, units, condition in parts:
            line = deal.lines[index]
            self.restock(line, units, condition)
            line.back += units
            whole = sale.lines[index].quantity
            refunds.append(max(0, share(line.due, whole, line.back) - line.given))
            line.given += refunds[-1]
            line.given_tax = share(line.due_tax, whole, line.back)
        against_owed = min(sum(refunds), self.owed(n))
        rest = sum(refunds) - against_owed
        deal.settled += against_owed
        deal.refunded += sum(refunds)
        deal.given_otherwise += against_owed
        if method == "card":
            deal.given_otherwise += rest
            return refunds, sum(refunds)
        deal.due_in_cash += rest
        before = deal.given_in_cash
        deal.given_in_cash = max(before, self.in_coins(deal.due_in_cash))
        return refunds, against_owed + deal.given_in_cash - before

    def restock(self, line: DealLine, units: int, condition: str) -> None:
        """Back to the lots they came from, with the value they took along; damaged ones are worth nothing."""
        for taken in line.taken:
            part = min(units, taken.units - taken.back_units)
            if not part:
                continue
            value = round(Fraction((taken.value - taken.back_value) * part, taken.units - taken.back_units))
            taken.back_units += part
            taken.back_value += value
            units -= part
            if condition == "good":
                self.come(taken.lot, taken.place, part, value)
                line.restored += value
                self.serve(line.wanted.sku, taken.place)
            elif condition == "damaged":
                self.come(taken.lot, self.quarantine_of(taken.place), part, 0)
                line.ruined += value

    # The books -------------------------------------------------------------------------------------------------------

    def books(self) -> dict[str, int]:
        """What each account has come to, debit positive."""
        books: Counter[str] = Counter()
        books["1200"] = self.value_of_all()
        books["2000"] = -self.received
        books["5100"] = self.missed
        for n, deal in enumerate(self.deals):
            total, tax = self.posted(n)
            books["1000"] += deal.cash - deal.given_in_cash
            books["1100"] += total + deal.rounding - deal.cash - deal.given_otherwise
            books["2100"] -= tax
            books["4000"] -= total - tax
            books["5300"] += deal.given_in_cash - deal.due_in_cash - deal.rounding
            for line in deal.lines:
                books["5000"] += sum(taken.value for taken in line.taken) - line.restored - line.ruined
                books["5100"] += line.ruined
                books["2100"] += line.given_tax
                books["4100"] += line.given - line.given_tax
        return {account: amount for account, amount in books.items() if amount}

    def taxes(self) -> dict[tuple[str, Fraction], tuple[int, int]]:
        """By name and rate: (net, tax) of what was booked less what was refunded."""
        sums: Counter[tuple[str, Fraction, str]] = Counter()
        for n, deal in enumerate(self.deals):
            for name, amount in deal.booked_taxes.items():
                sums[name] += amount
            for index in self.here(n) if self.sales[n].status == "completed" else ():
                self.take_off_taxes(n, index, sums)
        return {
            (name, rate): both
            for name, rate, _ in sums
            if any(both := (sums[name, rate, "net"], sums[name, rate, "tax"]))
        }

    def taxes_so_far(self, n: int) -> Counter[tuple[str, Fraction, str]]:
        """What is booked of each rate when a part of a sale goes out, or the last one with the fees.

        A line that was made smaller shares its tax anew from then on, not before the next part goes out.
        """
        deal, done = self.deals[n], self.sales[n].status == "completed"
        sums: Counter[tuple[str, Fraction, str]] = Counter()

        def add(rates: Rates, taxes: list[int], net: int) -> None:
            for (name, rate), tax in zip(rates, taxes, strict=True):
                sums[name, rate, "net"] += net
                sums[name, rate, "tax"] += tax

        for index in self.here(n):
            line, now = deal.lines[index], self.worth_now(n, index)
            total, tax = (now.total, now.tax) if done else self.shipped(n, index)
            add(line.rates, spread(tax, line.taxes), total - tax)
        for fee in deal.fees if done else ():
            taxes, total = self.taxed(fee.amount, fee.rates)
            add(fee.rates, taxes, total - sum(taxes))
        return sums

    def take_off_taxes(self, n: int, index: int, sums: Counter[tuple[str, Fraction, str]]) -> None:
        """What came back of a line: its own net, and its part of that of the fees; the tax as the rates share it."""
        deal, line = self.deals[n], self.deals[n].lines[index]
        units, now = self.sales[n].lines[index].quantity, self.worth_now(n, index)
        place = self.here(n).index(index)
        totals = [self.worth_now(n, one).total for one in self.here(n)]
        own = dict(zip(line.rates, spread(now.tax, line.taxes), strict=True))
        weights = dict(own)
        nets = dict.fromkeys(own, share(now.total, units, line.back) - share(now.tax, units, line.back))
        of_fees: Counter[tuple[str, Fraction]] = Counter()
        for rate, (net, tax) in self.fee_taxes(deal).items():
            weights[rate] = weights.get(rate, 0) + spread(tax, totals)[place]
            of_fees[rate] = spread(net, totals)[place]
            nets[rate] = nets.get(rate, 0) + share(of_fees[rate], units, line.back)
        if weights:
            for (name, rate), tax in zip(weights, spread(line.given_tax, list(weights.values())), strict=True):
                sums[name, rate, "net"] -= nets[name, rate]
                sums[name, rate, "tax"] -= tax

    def fee_taxes(self, deal: Deal) -> dict[tuple[str, Fraction], tuple[int, int]]:
        """(net, tax) of the fees by rate."""
        sums: dict[tuple[str, Fraction], tuple[int, int]] = {}
        for fee in deal.fees:
            taxes, total = self.taxed(fee.amount, fee.rates)
            for rate, tax in zip(fee.rates, taxes, strict=True):
                net, before = sums.get(rate, (0, 0))
                sums[rate] = net + total - sum(taxes), before + tax
        return sums
