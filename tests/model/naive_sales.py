"""The money of sales, naively: nothing is carried along, every figure is worked out from the whole when it is asked.

A line keeps what it came to as a whole, its units, and how many of them went out and came back. What was booked, what
was refunded and what the books say follow from these by the one rule of docs/reference/invariants.md: units bear their
proportion of an amount, cumulative. Amounts are minor units, shares fractions; what the rule leaves open (which way a
share is rounded) is as its examples show it: 10.00 over three pieces are 3.34, 3.33, 3.33. Goods are `naive.Naive`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
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


def spread(amount: int, weights: list[int]) -> list[int]:
    """An amount over lines: each its proportion rounded down, what is left to those that lost most, the first first."""
    if not any(weights):
        weights = [1] * len(weights)
    exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
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


class Fee(NamedTuple):
    amount: int
    rate: Fraction


class Money(NamedTuple):
    """What so many units of a line come to: without the discount, the discount, the tax, what the customer pays."""

    gross: int
    off: int
    tax: int
    total: int


NOTHING = Money(0, 0, 0, 0)


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
    """The money of a sale's line: `whole` is what `units` of it come to."""

    wanted: Wanted
    off: Off | None
    rate: Fraction
    units: int = 0
    whole: Money = NOTHING
    removed: bool = False
    taken: list[Taken] = field(default_factory=list)
    due: int = 0
    due_tax: int = 0
    back: int = 0
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
    rounding: int = 0
    cash: int = 0
    paid: int = 0
    change: int = 0
    due_in_cash: int = 0
    given_in_cash: int = 0
    given_otherwise: int = 0
    was_cut: bool = False
    """Were lines made smaller after a part had gone out? Then what is left keeps its share until the cart changes."""


class NaiveSales(Naive):
    """See the module. `rates` are those of the products by SKU."""

    def __init__(
        self,
        products: Iterable[Product],
        places: Iterable[Place],
        now: int,
        *,
        rates: dict[str, Fraction],
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

    def taxed(self, net: int, rate: Fraction) -> tuple[int, int]:
        """The tax, and what the customer pays."""
        if self.inclusive:
            return net - half_up(net / (1 + rate)), net
        tax = half_up(net * rate)
        return tax, net + tax

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
            line.whole = Money(gross, gross - net + part, *self.taxed(net - part, line.rate))
        taxed = [self.taxed(fee.amount, fee.rate) for fee in deal.fees]
        deal.fee_tax, deal.fee_total = sum(tax for tax, _ in taxed), sum(total for _, total in taxed)

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
        """What is handed over; cash is rounded to a coin last, and only cash gives change."""
        deal = self.deals[n]
        if payments is None:
            return
        cash = sum(amount for method, amount in payments if method == "cash")
        deal.paid = sum(amount for _, amount in payments)
        rest = self.total(n) - (deal.paid - cash)
        if any(method == "cash" for method, _ in payments) and rest > 0:
            deal.rounding = self.in_coins(rest) - rest
        due = self.total(n) + deal.rounding
        if rest < 0 or deal.paid < due:
            raise No("PAYMENT_MISMATCH")
        deal.change = deal.paid - due
        deal.cash = cash - deal.change

    def in_coins(self, amount: int) -> int:
        return half_up(Fraction(amount, self.coin)) * self.coin if self.coin else amount

    def finish(self, n: int, ended_by: str) -> None:
        """All went out: what was due is spread over the lines, and with it the tax of the fees."""
        sale, deal = self.sales[n], self.deals[n]
        sale.status, deal.ended_by = "completed", ended_by
        here = self.here(n)
        totals = [self.worth_now(n, index).total for index in here]
        dues = spread(self.total(n) + deal.rounding, totals)
        of_fees = spread(deal.fee_tax, totals)
        for index, due, tax in zip(here, dues, of_fees, strict=True):
            deal.lines[index].due = due
            deal.lines[index].due_tax = self.worth_now(n, index).tax + tax

    def open_stock(self, n: int) -> bool:
        """Is anything open that lies on a shelf? What does not goes with the last of it."""
        return any(line.open and not self.products[line.sku].unlimited for line in self.of(n))

    def of(self, n: int) -> list[Any]:
        return [self.sales[n].lines[index] for index in self.here(n)]

    def finish_if_all_went(self, n: int) -> None:
        if not self.open_stock(n):
            for line in self.of(n):
                line.gone = line.quantity
            self.finish(n, "shipment")

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
        self.finish_if_all_went(n)

    def pay(self, caller: Caller, n: int, payments: list[tuple[str, int]] | None) -> None:
        """All that is open goes out against its money."""
        sale = self.find_sale(n)
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
            return
        self.cut(n, {index: self.sales[n].lines[index].gone for index in self.here(n)})
        self.finish(n, "shipment")

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
        if done and (deal.ended_by == "payment" or any(line.back for line in deal.lines)):
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
            before = self.refunded(n, index)[0]
            self.restock(deal.lines[index], units, condition)
            deal.lines[index].back += units
            refunds.append(self.refunded(n, index)[0] - before)
        if method == "card" or not deal.paid:
            deal.given_otherwise += sum(refunds)
            return refunds, sum(refunds)
        deal.due_in_cash += sum(refunds)
        before = deal.given_in_cash
        deal.given_in_cash = max(before, self.in_coins(deal.due_in_cash))
        return refunds, deal.given_in_cash - before

    def refunded(self, n: int, index: int) -> tuple[int, int]:
        """What was refunded of a line so far, and the tax in it."""
        line, units = self.deals[n].lines[index], self.sales[n].lines[index].quantity
        return share(line.due, units, line.back), share(line.due_tax, units, line.back)

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
            for index, line in enumerate(deal.lines):
                books["5000"] += sum(taken.value for taken in line.taken) - line.restored - line.ruined
                books["5100"] += line.ruined
                if line.back:
                    refund, refund_tax = self.refunded(n, index)
                    books["2100"] += refund_tax
                    books["4100"] += refund - refund_tax
        return {account: amount for account, amount in books.items() if amount}
