"""The money of a sale: the one place where it is computed, for quote, cart, checkout, refund and drawer.

Amounts are integers of the currency's minor unit, tax rates of 10**-6, percents of 10**-4 percent, quantities of the
product's smallest unit. Two mugs at 10.00 with 10 percent off and 15 percent tax on top, paid with 21.00 in cash
where the smallest coin is 0.05:

>>> mugs = PricedLine(price=1000, quantity=2, precision=0, discount=Discount(percent=100_000), tax_rate=150_000)
>>> sold = compute_receipt([mugs], rules=Rules(False, cash_rounding=5), payments=[Payment("cash", 2100)])
>>> sold.subtotal, sold.discount_total, sold.tax_total, sold.total, sold.rounding, sold.due, sold.change
(2000, 200, 270, 2070, 0, 2070, 30)

The order: price x quantity, line discounts, the sale discount spread over the nets, tax per line, fees, the exact
total, and last the rounding of its cash part. Every rounding is half away from zero, every spreading over lines by
largest remainder; a part of a line bears its part of an amount in proportion, cumulative (`share_so_far`), so that a
refund mirrors its sale. It refuses to know products, currencies, rates, permissions, and floats;
and amounts that a channel brings are taken as they come, never computed again here.

See docs/how-to/sell.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from holdfast.core.records.number import RATE_WHOLE, VALUE_MAX
from holdfast.core.records.rejection import Code, Rejected

PERCENT_WHOLE = 100 * 10**4
"""100 percent in the unit of percents (10**-4 percent)."""

Method = Literal["cash", "card", "other"]


class Discount(msgspec.Struct, frozen=True, gc=False):
    """Exactly one of `percent` (10**-4 percent, 0 to 100 percent) and `amount` (minor units, 0 or more)."""

    percent: int | None = None
    amount: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("A discount is either a percent or an amount.")


class PricedLine(msgspec.Struct, frozen=True, gc=False):
    """What is sold: `price` in minor units per whole unit, `quantity` in smallest units; `tax_rate` 0 is untaxed."""

    price: int
    quantity: int
    precision: int
    discount: Discount | None = None
    tax_rate: int = 0


class Fee(msgspec.Struct, frozen=True, gc=False):
    """A charge beside the goods, in minor units; with prices including tax, the amount includes it too."""

    name: str
    amount: int
    tax_rate: int = 0


class Payment(msgspec.Struct, frozen=True, gc=False):
    """What the customer hands over, in minor units; of cash that may be more than is due."""

    method: Method
    amount: int


class Rules(msgspec.Struct, frozen=True, gc=False):
    """The organisation's `tax_mode`, and the smallest amount of cash in minor units (0: every amount can be paid)."""

    prices_include_tax: bool
    cash_rounding: int


class LineTotals(msgspec.Struct, frozen=True, gc=False):
    """A line in minor units: `discount` includes its share of the sale discount, `total` includes the tax."""

    gross: int
    discount: int
    tax: int
    total: int


class FeeTotals(msgspec.Struct, frozen=True, gc=False):
    """A fee in minor units; `total` includes the tax."""

    amount: int
    tax: int
    total: int


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A sale in minor units, as it is shown and persisted.

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


# Rounding and spreading ----------------------------------------------------------------------------------------------


def half_up(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, halves away from zero; the denominator is positive."""
    if denominator <= 0:
        raise ValueError(f"The denominator {denominator} is not positive.")
    if numerator < 0:
        return -((denominator - 2 * numerator) // (2 * denominator))
    return (denominator + 2 * numerator) // (2 * denominator)


def cash_rounded(amount: int, step: int) -> int:
    """The multiple of `step` (minor units, 0: none) nearest to `amount`, halves away from zero."""
    return amount if step == 0 else half_up(amount, step) * step


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` spread in proportion to `weights` by largest remainder, ties to the earlier; sums to it exactly.

    Weights are 0 or more; when all are zero they count as equal. A negative amount is spread as its mirror image.
    """
    if not weights:
        if amount:
            raise ValueError(f"There is nothing to spread {amount} over.")
        return []
    if min(weights) < 0:
        raise ValueError("A weight is negative.")
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(abs(amount) * weight, whole)
        shares.append(share)
        remainders.append(remainder)
    left = abs(amount) - sum(shares)
    if left:
        for index in sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)[:left]:  # stable in reverse
            shares[index] += 1
    return shares if amount >= 0 else [-share for share in shares]


def share_so_far(amount: int, total_units: int, units: int) -> int:
    """What the first `units` of `total_units` bear of an `amount` (minor units): their proportion, rounded away from 0.

    It never differs from `amount * units / total_units` by a minor unit or more, and all units bear the amount:
    10.00 over three pieces are 3.34, 6.67, 10.00, and of 60.00 for 2,500 g the first 1,000 g bear 24.00.
    """
    if not 0 <= units <= total_units:
        raise ValueError(f"{units} units are not among {total_units}.")
    if total_units == 0:
        if amount:
            raise ValueError(f"There are no units to spread {amount} over.")
        return 0
    share = -(-abs(amount) * units // total_units)
    return share if amount >= 0 else -share


def units_share(amount: int, total_units: int, start: int, units: int) -> int:
    """What units `start` to `start + units` of `total_units` bear of an `amount`: the difference of `share_so_far`.

    Consecutive ranges from 0 to the end sum to the amount.
    """
    if start < 0 or units < 0 or start + units > total_units:
        raise ValueError(f"Units {start} to {start + units} are not among {total_units}.")
    return share_so_far(amount, total_units, start + units) - share_so_far(amount, total_units, start)


def share_still_due(amount: int, total_units: int, units: int, given: int) -> int:
    """What is to be given when `units` of `total_units` are reached and `given` (minor units) was given before.

    It is 0 where more was given than is due by then, as older versions did, whose shares were not in proportion: what
    was given stays, and the rest follows. Amounts are 0 or more.
    """
    return max(0, share_so_far(amount, total_units, units) - given)


def share_of_older_versions(amount: int, total_units: int, start: int, units: int) -> int:
    """What older versions gave for units `start` to `start + units`: only to know what they gave, nothing new is given
    by it. Each smallest unit bore the same, and the first `amount % total_units` of them one more."""
    each, more = divmod(abs(amount), total_units or 1)
    share = each * units + min(start + units, more) - min(start, more)
    return share if amount >= 0 else -share


# The sale ------------------------------------------------------------------------------------------------------------


def compute_receipt(
    lines: Sequence[PricedLine],
    *,
    sale_discount: Discount | None = None,
    fees: Sequence[Fee] = (),
    rules: Rules,
    payments: Sequence[Payment] | None = None,
    cap_discount: bool = False,
) -> Receipt | Rejected:
    """All amounts of a sale, or why they make no sense; `payments` is None for an open cart.

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
        gross = half_up(line.price * line.quantity, 10**line.precision)
        less = taken_off(gross, line.discount)
        if less is None:
            return _invalid(f"The discount of line {index + 1} is negative, or above its price.", index=index)
        grosses.append(gross)
        nets.append(gross - less)
    if cap_discount and sale_discount is not None and sale_discount.amount is not None:
        sale_discount = Discount(amount=min(sale_discount.amount, sum(nets)))
    sale_less = taken_off(sum(nets), sale_discount)
    if sale_less is None:
        return _invalid("The discount of the sale is negative, or above the price of its lines.")
    line_totals = []
    for line, gross, net, share in zip(lines, grosses, nets, allocate(sale_less, nets), strict=True):
        tax, total = _taxed(net - share, line.tax_rate, rules)
        line_totals.append(LineTotals(gross, gross - net + share, tax, total))
    fee_totals = []
    for index, fee in enumerate(fees):
        if fee.amount < 0:
            return _invalid(f"Fee {index + 1} is negative.", fee=index)
        fee_totals.append(FeeTotals(fee.amount, *_taxed(fee.amount, fee.tax_rate, rules)))
    subtotal = sum(grosses)
    total = sum(line.total for line in line_totals) + sum(fee.total for fee in fee_totals)
    if subtotal > VALUE_MAX or total > VALUE_MAX:
        return _invalid("The total of the sale is out of bounds.")
    tender = tendered(total, payments, rules.cash_rounding)
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


def included_tax(gross: int, rate: int) -> int:
    """The tax in minor units that is part of `gross`: what is left when the rounded net is taken away."""
    return gross - half_up(gross * RATE_WHOLE, RATE_WHOLE + rate)


def _taxed(net: int, rate: int, rules: Rules) -> tuple[int, int]:
    """The tax on `net`, which includes it or not by the rules, and what the customer pays: (tax, total)."""
    if rules.prices_include_tax:
        return included_tax(net, rate), net
    tax = half_up(net * rate, RATE_WHOLE)
    return tax, net + tax


class Tender(NamedTuple):
    """What was handed over for a total, in minor units: the rounding of the cash part, the sum, the change."""

    rounding: int
    paid: int
    change: int


def tendered(total: int, payments: Sequence[Payment] | None, cash_step: int) -> Tender | Rejected:
    """Round what is left for cash after the other methods, and compare what was handed over with what is due."""
    if payments is None:
        return Tender(0, 0, 0)
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
    if paid < due:
        return Rejected(Code.PAYMENT_MISMATCH, "The payments are less than what is due.", numbers)
    return Tender(rounding, paid, paid - due)


def kept_by_method(payments: tuple[Payment, ...], change: int) -> dict[str, int]:
    """What stays of the payments by method, in minor units: cash less the change that was given out of it."""
    kept: dict[str, int] = {}
    for payment in payments:
        kept[payment.method] = kept.get(payment.method, 0) + payment.amount
    if change:
        kept["cash"] -= change
    return kept


def _invalid(detail: str, **numbers: Any) -> Rejected:
    return Rejected(Code.INVALID_AMOUNT, detail, numbers)


# The drawer ----------------------------------------------------------------------------------------------------------


def expected_cash(
    opening_float: int, cash_tendered: int, change_given: int, cash_refunds: int, paid_in: int, paid_out: int
) -> int:
    """The cash that should lie in a drawer; all amounts are minor units of 0 or more, the direction is in the name."""
    return opening_float + cash_tendered - change_given - cash_refunds + paid_in - paid_out
