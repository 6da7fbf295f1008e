"""What an order says of itself: its lines, and its money as it was where it was sold (docs/how-to/order-files.md).

    2 mugs, shipping 5.00, tax "NY 8%" 2.00, total 27.00     -> the sale comes to 27.00, 2.00 of it tax at 8 percent
    a ring dish that nobody knows here                       -> an unmapped line: its money is kept, it waits
    the file's total is 2.00 above what it explains          -> a fee `Difference` of 2.00, which the answer names

Money that is stated is taken as it is: neither prices nor rates of here are asked. It is kept on the sale and its
lines like money that was computed, so shipments, returns and cancellations share it out in proportion. An order that
states no money is priced like any sale.

It refuses amounts below zero, and a total that is below what its lines and fees can give up.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from msgspec import UNSET

from holdfast.core.records.field import Condition
from holdfast.core.records.number import QUANTITY_MAX, RATE_WHOLE, Number, exact_scaled, from_minor, to_minor
from holdfast.core.records.proportion import allocate, half_up
from holdfast.core.records.rejection import Code, Refused
from holdfast.core.records.sale import Sale, SaleFee, SaleLine, Stated, UnmappedLine
from holdfast.core.records.stated import StatedPart, StatedTax, reading_of, stated_receipt
from holdfast.core.records.totals import Discount, LineTotals
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace

DIFFERENCE = "Difference"
"""The fee for what a stated total is above all that explains it."""


class OrderTax(msgspec.Struct, frozen=True, gc=False):
    """A tax as it was stated: its amount as a decimal string, and its rate ("0.08") where that is known."""

    name: str
    amount: str
    rate: str | None = None


class OrderedLine(msgspec.Struct, frozen=True, gc=False):
    """A line of an order: how much was ordered, has gone out, and came back in which condition; all in all.

    Without a `product` it waits until its product is known; `title` and `sku` say what its source calls it. `gross` is
    what all its units cost before discounts, where the price of one does not tell. A line with `taxes` of its own
    bears none of the order's, nor does one that is not `taxable`.
    """

    product: str | None
    quantity: Number
    unit_price: str | None = None
    discount: str | None = None
    location: str | None = None
    fulfilled: Number = 0
    returned: Number = 0
    condition: Condition = "good"
    title: str | None = None
    sku: str | None = None
    gross: str | None = None
    taxes: tuple[OrderTax, ...] = ()
    taxable: bool = True


class OrderFacts(msgspec.Struct, frozen=True, gc=False):
    """The money of an order as it was stated; amounts are decimal strings.

    `tax_included` None: what fits the total. `unpaid` is still owed there.
    """

    total: str | None = None
    taxes: tuple[OrderTax, ...] = ()
    tax_included: bool | None = None
    unpaid: str | None = None


class Description(msgspec.Struct, frozen=True, gc=False):
    """All that an order says of itself: each of its lines, its money where it is stated, and when it was ordered."""

    lines: tuple[OrderedLine, ...]
    facts: OrderFacts | None = None
    ordered_at: int | None = None


def with_description(stock: Stock, sale: Sale, lines: list[SaleLine], said: Description) -> tuple[Sale, list[SaleLine]]:
    """The new sale and its lines (those of known products) with what the order says of itself; nothing is kept."""
    own = iter(lines)
    placed: list[SaleLine] = []
    unmapped: list[UnmappedLine] = []
    for position, ordered in enumerate(said.lines):
        if ordered.product is None:
            unmapped.append(_unmapped(stock, position, ordered))
        else:
            placed.append(replace(next(own), position=position, title=ordered.title))
    sale = replace(sale, ordered_at=said.ordered_at, unmapped=tuple(unmapped) or None)
    if said.facts is None:
        return sale, placed
    return _stated(stock, sale, placed, said, said.facts)


def _unmapped(stock: Stock, position: int, ordered: OrderedLine) -> UnmappedLine:
    """The line as it waits; its money is what it says of itself alone."""
    price, gross, less = line_money(stock, ordered, None)
    return UnmappedLine(
        position,
        quantity_text(ordered.quantity),
        price,
        ordered.title,
        ordered.sku,
        gross=gross,
        discount=less,
        total=gross - less,
    )


def quantity_text(quantity: Number) -> str:
    """A quantity as a decimal text, the same for the same number."""
    return format(Decimal(quantity).normalize(), "f")


def line_money(stock: Stock, ordered: OrderedLine, price: int | None) -> tuple[int, int, int]:
    """(price of one, gross, own discount) of a line in minor units; `price` where the line says none."""
    said = None if ordered.unit_price is None else _amount(stock, "unit_price", ordered.unit_price)
    one = said if said is not None else price or 0
    quantity = Decimal(ordered.quantity)
    if not quantity.is_finite() or not 0 < quantity <= QUANTITY_MAX:
        raise Refused(Code.INVALID_QUANTITY, "The quantity of a line must be greater than 0.", {"field": "quantity"})
    above, below = quantity.as_integer_ratio()
    gross = half_up(one * above, below) if ordered.gross is None else _amount(stock, "gross", ordered.gross)
    if said is None and ordered.gross is not None:
        one = half_up(gross * below, above)
    less = 0 if ordered.discount is None else _amount(stock, "discount", ordered.discount)
    if less > gross:
        raise Refused(Code.INVALID_AMOUNT, "The discount of a line is above its price.", {"field": "discount"})
    return one, gross, less


def _stated(
    stock: Stock, sale: Sale, lines: list[SaleLine], said: Description, facts: OrderFacts
) -> tuple[Sale, list[SaleLine]]:
    """The sale with the money that its source states, spread over its lines, those that wait, and its fees."""
    by_place = {line.position: line for line in lines}
    waiting = {line.position: line for line in sale.unmapped or ()}
    parts, prices = [], []
    for position, ordered in enumerate(said.lines):
        line = by_place.get(position)
        price, gross, less = line_money(stock, ordered, None if line is None else line.unit_price)
        parts.append(StatedPart(gross, less, _taxes(stock, ordered.taxes), ordered.taxable))
        prices.append(price)
    taxes = _taxes(stock, facts.taxes)
    less = 0 if sale.discount is None else sale.discount.amount or 0
    all_taxes = sum(tax.amount for tax in taxes) + sum(tax.amount for part in parts for tax in part.taxes)
    nets = sum(part.gross - part.less for part in parts)
    total = None if facts.total is None else _amount(stock, "total", facts.total)
    included = facts.tax_included
    if total is None and included is None:
        included = stock.settings.tax_mode == "inclusive"
    read = reading_of(nets - less, sum(fee.amount for fee in sale.fees), all_taxes, total, included)
    fees, less = _explained(sale.fees, nets, less, read.difference)
    fee_parts = [StatedPart(fee.amount, taxable=fee.tip is not True) for fee in fees]
    receipt = stated_receipt(parts, fee_parts, less=less, taxes=taxes, included=read.included)
    kept = [
        _with_totals(replace(by_place[position], unit_price=prices[position]), totals)
        for position, totals in enumerate(receipt.lines)
        if position in by_place
    ]
    left = tuple(
        _waiting_with(replace(waiting[position], unit_price=prices[position]), totals)
        for position, totals in enumerate(receipt.lines)
        if position in waiting
    )
    sale = replace(
        sale,
        discount=Discount(amount=less) if less else None,
        fees=tuple(
            replace(fee, amount=totals.amount, tax_rate=sum(share.rate for share in totals.taxes), taxes=totals.taxes)
            if totals.taxes
            else replace(fee, amount=totals.amount, tax_rate=0, taxes=UNSET)
            for fee, totals in zip(fees, receipt.fees, strict=True)
        ),
        unmapped=left or None,
        stated=Stated(
            receipt.total,
            receipt.tax_total,
            unpaid=0 if facts.unpaid is None else _amount(stock, "unpaid", facts.unpaid),
            difference=read.difference,
        ),
    )
    return _summed(sale, kept, receipt.total - sum(line.total for line in receipt.lines)), kept


def _summed(sale: Sale, lines: list[SaleLine], fees: int) -> Sale:
    """The sale with the sums of its lines, and what its fees come to with their tax."""
    fee_tax = sum(share.tax for fee in sale.fees if fee.taxes is not UNSET for share in fee.taxes)
    return replace(
        sale,
        subtotal=sum(line.gross for line in lines),
        discount_total=sum(line.discount for line in lines),
        tax_total=sum(line.tax for line in lines) + fee_tax,
        fee_total=sum(fee.amount for fee in sale.fees),
        total=sum(line.total for line in lines) + fees,
    )


def _explained(fees: tuple[SaleFee, ...], nets: int, less: int, difference: int) -> tuple[tuple[SaleFee, ...], int]:
    """The fees and the discount with a difference in them: a fee of its own, or more off the lines, then off fees."""
    if difference >= 0:
        return (*fees, SaleFee(DIFFERENCE, difference)) if difference else fees, less
    off_lines = min(nets - less, -difference)
    rest = -difference - off_lines
    amounts = [fee.amount for fee in fees]
    if rest > sum(amounts):
        raise Refused(Code.INVALID_AMOUNT, "The total is less than the order can come to.", {"field": "total"})
    kept = [amount - part for amount, part in zip(amounts, allocate(rest, amounts), strict=True)]
    return tuple(replace(fee, amount=amount) for fee, amount in zip(fees, kept, strict=True)), less + off_lines


def _with_totals(line: SaleLine, totals: LineTotals) -> SaleLine:
    return replace(
        line,
        gross=totals.gross,
        discount=totals.discount,
        tax=totals.tax,
        total=totals.total,
        tax_rate=sum(share.rate for share in totals.taxes),
        taxes=totals.taxes or None,
        breaks=None,
    )


def _waiting_with(line: UnmappedLine, totals: LineTotals) -> UnmappedLine:
    return replace(
        line, gross=totals.gross, discount=totals.discount, tax=totals.tax, total=totals.total, taxes=totals.taxes
    )


def with_kept_money(line: SaleLine, waiting: UnmappedLine) -> SaleLine:
    """A line whose product is known now, with the money that was kept for it."""
    kept = LineTotals(waiting.gross, waiting.discount, waiting.tax, waiting.total, waiting.taxes)
    return _with_totals(replace(line, unit_price=waiting.unit_price), kept)


def _taxes(stock: Stock, taxes: Sequence[OrderTax]) -> tuple[StatedTax, ...]:
    found = []
    for tax in taxes:
        rate = None if tax.rate is None else exact_scaled(_decimal(tax.rate), 6, RATE_WHOLE)
        if tax.rate is not None and (rate is None or rate < 0):
            raise Refused(Code.INVALID_AMOUNT, f"The rate {tax.rate[:40]!r} is no part of 1.", {"field": "rate"})
        found.append(StatedTax(tax.name, _amount(stock, "tax", tax.amount), rate))
    return tuple(found)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("NaN")


def _amount(stock: Stock, name: str, text: str) -> int:
    amount = to_minor(text, stock.settings.minor_digits)
    if amount is None or amount < 0:
        shown = from_minor(1999, stock.settings.minor_digits)
        raise Refused(Code.INVALID_AMOUNT, f"{name} {text[:40]!r} is no amount such as {shown}.", {"field": name})
    return amount
