"""The money of a sale: the one place where it is computed, for quote, cart, checkout, refund and drawer.

Amounts are integers of the currency's minor unit, tax rates of 10**-6, percents of 10**-4 percent, quantities of the
product's smallest unit. Two mugs at 10.00 with 10 percent off and 15 percent tax on top, paid with 21.00 in cash
where the smallest coin is 0.05:

>>> vat = Rate("VAT", 150_000)
>>> mugs = PricedLine(price=1000, quantity=2, precision=0, discount=Discount(percent=100_000), rates=(vat,))
>>> sold = compute_receipt([mugs], rules=Rules(False, cash_rounding=5), payments=[Payment("cash", 2100)])
>>> sold.subtotal, sold.discount_total, sold.tax_total, sold.total, sold.rounding, sold.due, sold.change
(2000, 200, 270, 2070, 0, 2070, 30)

The order: price x quantity (groups of so many at their price first), line discounts, the sale discount spread over the
nets, fees, tax by rate (`tax`), the exact total, and last the rounding of its cash part. Every rounding is half away
from zero, every spreading over lines by largest remainder; a part of a line bears its part of an amount in proportion,
cumulative (`proportion`), so that a refund mirrors its sale. It refuses to know products, currencies, where rates come
from, permissions, and floats; and amounts that a channel brings are taken as they come, never computed again here.

See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from holdfast.core.records.number import VALUE_MAX
from holdfast.core.records.product import PriceBreak
from holdfast.core.records.proportion import allocate, cash_rounded, half_up
from holdfast.core.records.rejection import Code, Rejected
from holdfast.core.records.tax import Rate, Taxable, TaxRounding, TaxShare, tax_shares

PERCENT_WHOLE = 100 * 10**4
"""100 percent in the unit of percents (10**-4 percent)."""

Method = Literal["cash", "card", "other", "gift_card", "exchange", "owed"]
"""How money moves. `exchange` is goods that came back, `owed` is set against what was not paid: no money moves."""

NO_MONEY = ("exchange", "owed")
"""Methods by which no money moves: neither a drawer nor a card knows of them."""


class Discount(msgspec.Struct, frozen=True, gc=False):
    """Exactly one of `percent` (10**-4 percent, 0 to 100 percent) and `amount` (minor units, 0 or more)."""

    percent: int | None = None
    amount: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("A discount is either a percent or an amount.")


class PricedLine(msgspec.Struct, frozen=True, gc=False):
    """What is sold: `price` in minor units per whole unit, `quantity` in smallest units; without `rates` it is
    untaxed. With `breaks` units are priced in groups as long as a group is full, the largest first, the rest singly. At
    `full_price` it bears nothing of a discount of the sale: a gift card is worth what it costs."""

    price: int
    quantity: int
    precision: int
    discount: Discount | None = None
    rates: tuple[Rate, ...] = ()
    breaks: tuple[PriceBreak, ...] = ()
    full_price: bool = False


class Fee(msgspec.Struct, frozen=True, gc=False):
    """A charge beside the goods, in minor units; with prices including tax, the amount includes it too."""

    name: str
    amount: int
    rates: tuple[Rate, ...] = ()


class Payment(msgspec.Struct, frozen=True, gc=False):
    """What the customer hands over, in minor units; of cash that may be more than is due. Negative: it went back.

    A payment that is kept has an `id`; one that an older version kept has none. One that was not made with the sale's
    completion says when (`at`), by whom (`actor`), at which till (`session_id`) and with what `change`. `card` is the
    id of the gift card. `pressed` is the (method, amount kept) that its till counted, where it was corrected after that
    was closed. Of an exchange `returns` are those that it stands for, and `of` how their goods had been paid, as
    (method, amount) pairs. `account` is the one on which it lies, where the settings named one for its method.
    """

    method: Method
    amount: int
    id: str | UnsetType = UNSET
    at: int | UnsetType = UNSET
    actor: str | UnsetType = UNSET
    session_id: str | UnsetType | None = UNSET
    change: int | UnsetType = UNSET
    card: str | UnsetType = UNSET
    pressed: tuple[Method, int] | UnsetType = UNSET
    returns: tuple[str, ...] | UnsetType = UNSET
    of: tuple[tuple[Method, int], ...] | UnsetType = UNSET
    account: str | UnsetType = UNSET

    @property
    def own_change(self) -> int:
        """The change that was given for it alone."""
        return 0 if self.change is UNSET else self.change

    @property
    def kept(self) -> int:
        """What stayed of it."""
        return self.amount - self.own_change

    @property
    def with_sale(self) -> bool:
        """Was it made when the sale was completed? Then it was at the sale's till; else at `session_id` (None: at no
        till)."""
        return self.session_id is UNSET


class Rules(msgspec.Struct, frozen=True, gc=False):
    """The organisation's `tax_mode`, and the smallest amount of cash in minor units (0: every amount can be paid).

    `tax_rounding` says over what tax is rounded. A sale that is `exempt` has no tax: what prices include of it is
    taken off them.
    """

    prices_include_tax: bool
    cash_rounding: int
    tax_rounding: TaxRounding = "line"
    exempt: bool = False


class LineTotals(msgspec.Struct, frozen=True, gc=False):
    """A line in minor units: `discount` includes its share of the sale discount, `total` includes the tax."""

    gross: int
    discount: int
    tax: int
    total: int
    taxes: tuple[TaxShare, ...] = ()


class FeeTotals(msgspec.Struct, frozen=True, gc=False):
    """A fee in minor units; `total` includes the tax."""

    amount: int
    tax: int
    total: int
    taxes: tuple[TaxShare, ...] = ()


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A sale in minor units, as it is shown and persisted.

    `exempted` is the tax that was taken off prices which include it, because the sale is exempt.

    `total` = the lines' and fees' totals, `due` = `total` + `rounding`, `change` = `paid` - `due`. The open cart has
    `rounding`, `paid` and `change` 0.
    """

    lines: tuple[LineTotals, ...]
    fees: tuple[FeeTotals, ...]
    subtotal: int
    discount_total: int
    tax_total: int
    fee_total: int
    total: int
    rounding: int
    due: int
    paid: int
    change: int
    exempted: int = 0


# The sale ------------------------------------------------------------------------------------------------------------


def compute_receipt(
    lines: Sequence[PricedLine],
    *,
    sale_discount: Discount | None = None,
    fees: Sequence[Fee] = (),
    rules: Rules,
    payments: Sequence[Payment] | None = None,
    cap_discount: bool = False,
    partly: bool = False,
) -> Receipt | Rejected:
    """All amounts of a sale, or why they make no sense; `payments` is None for an open cart. With `partly` less may be
    paid than is due.

    With `cap_discount` a sale discount that was given as an amount takes off no more than there is.

    INVALID_AMOUNT: a negative price, quantity, fee or payment, a discount above what it is taken from (`index` names
    the line, counted from 0; `fee` the fee), or a result beyond bounds. PAYMENT_MISMATCH: less paid than due, or more
    than the total without cash; its `due` and `paid` are minor units, which the caller formats in the currency.
    """
    grosses: list[int] = []
    nets: list[int] = []
    for index, line in enumerate(lines):
        if line.price < 0 or line.quantity < 0:
            return _invalid(f"Line {index + 1} has a negative price or quantity.", index=index)
        gross = gross_of(line)
        less = taken_off(gross, line.discount)
        if less is None:
            return _invalid(f"The discount of line {index + 1} is negative, or above its price.", index=index)
        grosses.append(gross)
        nets.append(gross - less)
    weights = [0 if line.full_price else net for line, net in zip(lines, nets, strict=True)]
    if cap_discount and sale_discount is not None and sale_discount.amount is not None:
        sale_discount = Discount(amount=min(sale_discount.amount, sum(weights)))
    sale_less = taken_off(sum(weights), sale_discount)
    if sale_less is None:
        return _invalid("The discount of the sale is negative, or above the price of its lines.")
    for index, fee in enumerate(fees):
        if fee.amount < 0:
            return _invalid(f"Fee {index + 1} is negative.", fee=index)
    left = [net - share for net, share in zip(nets, allocate(sale_less, weights), strict=True)]
    taxables = [Taxable(amount, line.rates) for amount, line in zip(left, lines, strict=True)]
    taxables += [Taxable(fee.amount, fee.rates) for fee in fees]
    taxed = [_taxed(one.amount, shares, rules) for one, shares in zip(taxables, _shares(taxables, rules), strict=True)]
    line_totals = [
        LineTotals(gross, gross - amount, *own) for gross, amount, own in zip(grosses, left, taxed, strict=False)
    ]
    fee_totals = [FeeTotals(fee.amount, *own) for fee, own in zip(fees, taxed[len(lines) :], strict=True)]
    subtotal = sum(grosses)
    total = sum(line.total for line in line_totals) + sum(fee.total for fee in fee_totals)
    if subtotal > VALUE_MAX or total > VALUE_MAX:
        return _invalid("The total of the sale is out of bounds.")
    tender = tendered(total, payments, rules.cash_rounding, partly=partly)
    if isinstance(tender, Rejected):
        return tender
    return Receipt(
        lines=tuple(line_totals),
        fees=tuple(fee_totals),
        subtotal=subtotal,
        discount_total=sum(line.discount for line in line_totals),
        tax_total=sum(line.tax for line in line_totals) + sum(fee.tax for fee in fee_totals),
        fee_total=sum(fee.amount for fee in fee_totals),
        total=total,
        rounding=tender.rounding,
        due=total + tender.rounding,
        paid=tender.paid,
        change=tender.change,
        exempted=sum(one.amount for one in taxables) - total if rules.exempt else 0,
    )


def due_by_line(receipt: Receipt) -> list[int]:
    """What was due (rounding and fees included) spread over the lines by their totals: what refunds are taken from.

    The first `units` of line i are refunded `share_so_far(due_by_line(receipt)[i], quantity, units)`, what was refunded
    before included; all units in any parts are refunded exactly what was paid. A receipt without lines and with
    something due has nothing that can come back: ValueError.
    """
    return allocate(receipt.due, [line.total for line in receipt.lines])


def taken_off(price: int, discount: Discount | None) -> int | None:
    """The minor units that a discount takes off `price`; None when it is negative or above it."""
    if discount is None:
        return 0
    if discount.amount is not None:
        return discount.amount if 0 <= discount.amount <= price else None
    percent = discount.percent or 0
    return half_up(price * percent, PERCENT_WHOLE) if 0 <= percent <= PERCENT_WHOLE else None


def gross_of(line: PricedLine) -> int:
    """Price x quantity in minor units: full groups at their price, the largest first, and the rest singly."""
    whole, gross, units = 10**line.precision, 0, line.quantity
    for group in sorted(line.breaks, key=lambda one: one.quantity, reverse=True):
        many, units = divmod(units, group.quantity * whole)
        gross += many * group.price
    return gross + half_up(line.price * units, whole)


def _shares(taxables: Sequence[Taxable], rules: Rules) -> list[tuple[TaxShare, ...]]:
    return tax_shares(taxables, included=rules.prices_include_tax, rounding=rules.tax_rounding)


def _taxed(amount: int, shares: tuple[TaxShare, ...], rules: Rules) -> tuple[int, int, tuple[TaxShare, ...]]:
    """What the customer pays for an amount, as (tax, total, shares); of an exempt sale what is left without tax."""
    tax = sum(share.tax for share in shares)
    if rules.exempt:
        net = amount - tax if rules.prices_include_tax else amount
        return 0, net, tuple(TaxShare(share.name, share.rate, net, 0) for share in shares)
    return tax, amount if rules.prices_include_tax else amount + tax, shares


class Tender(NamedTuple):
    """What was handed over for a total, in minor units: the rounding of the cash part, the sum, the change, and what is
    still owed."""

    rounding: int
    paid: int
    change: int
    owed: int = 0


def tendered(
    total: int, payments: Sequence[Payment] | None, cash_step: int, *, partly: bool = False
) -> Tender | Rejected:
    """Round what is left for cash after the other methods, and compare what was handed over with what is due.

    With `partly` less may be paid: the rest is `owed`, and cash is rounded when it pays off what is left.
    """
    if payments is None:
        return Tender(0, 0, 0, total)
    if any(payment.amount < 0 for payment in payments):
        return _invalid("A payment is negative.")
    cash = [payment.amount for payment in payments if payment.method == "cash"]
    paid = sum(payment.amount for payment in payments)
    if paid > VALUE_MAX:
        return _invalid("The payments are out of bounds.")
    remainder = total - (paid - sum(cash))
    rounding = cash_rounded(remainder, cash_step) - remainder if cash and remainder > 0 else 0
    due = total + rounding
    numbers = {"due": due, "paid": paid}
    if remainder < 0:
        return Rejected(Code.PAYMENT_MISMATCH, "Only cash may be more than what is due.", numbers)
    if paid < due and not partly:
        return Rejected(Code.PAYMENT_MISMATCH, "The payments are less than what is due.", numbers)
    if paid < due:
        return Tender(0, paid, 0, total - paid)
    return Tender(rounding, paid, paid - due)


def standing(payments: Sequence[Payment]) -> tuple[Payment, ...]:
    """What payments that are kept come to, one for each method: what went back is taken off."""
    kept: dict[Method, int] = {}
    for payment in payments:
        kept[payment.method] = kept.get(payment.method, 0) + payment.kept
    return tuple(Payment(method, amount) for method, amount in kept.items() if amount)


def _invalid(detail: str, **numbers: Any) -> Rejected:
    return Rejected(Code.INVALID_AMOUNT, detail, numbers)


# The drawer ----------------------------------------------------------------------------------------------------------


def expected_cash(
    opening_float: int, cash_tendered: int, change_given: int, cash_refunds: int, paid_in: int, paid_out: int
) -> int:
    """The cash that should lie in a drawer; all amounts are minor units of 0 or more, the direction is in the name."""
    return opening_float + cash_tendered - change_given - cash_refunds + paid_in - paid_out
