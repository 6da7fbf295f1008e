"""The money of an order that was sold elsewhere: what its source states is taken as it is, and spread over its parts.

    20.00 and shipping 5.00, tax "NY 8%" 2.00, total 27.00     -> tax on top, 8 percent of 25.00
    20.00, tax "VAT 20%" 3.33, total 20.00                     -> the tax is in the price: 20 percent of 16.67
    39.00 and shipping 4.50, tax 3.00, total 46.50             -> on top; the rate that 3.00 of 43.50 implies
    10.00, total 12.00, and nothing says why                   -> a difference of 2.00, which the caller has to name

`compute_receipt` computes what is sold here; nothing of it applies here. The source's tax is spread over the amounts
that bear it by largest remainder, so it comes to the minor unit. Where the source states no rate, the roundest rate
that gives its tax is taken. Whether tax is in the prices is told by the total.

It refuses to know products and today's rates. Amounts are minor units, rates 10**-6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from holdfast.core.records.number import RATE_WHOLE
from holdfast.core.records.proportion import allocate, half_up
from holdfast.core.records.tax import TaxShare, included_tax
from holdfast.core.records.totals import FeeTotals, LineTotals, Receipt

RATE_STEPS = (10_000, 5_000, 2_500, 1_000, 500, 100, 10, 1)
"""Steps of rates from the roundest on: whole percents first, 0.0001 percent last."""

RATE_MAX = 2**31 - 1


class StatedTax(msgspec.Struct, frozen=True, gc=False):
    """A tax as it was stated: what it came to, and its rate where that was said."""

    name: str
    amount: int
    rate: int | None = None


class StatedPart(msgspec.Struct, frozen=True, gc=False):
    """A line or a fee: `gross` before the discount `less`. Its own taxes, where they are stated for it; else it bears
    its part of the order's, if it is `taxable`."""

    gross: int
    less: int = 0
    taxes: tuple[StatedTax, ...] = ()
    taxable: bool = True


class Reading(NamedTuple):
    """How the stated total is to be understood: is tax in the prices, and what of the total nothing explains."""

    included: bool
    difference: int


def reading_of(nets: int, fees: int, taxes: int, total: int | None, included: bool | None) -> Reading:
    """How a total fits the lines after discounts, the fees and the taxes; what fits better, where nothing does."""
    amount = nets + fees
    if total is None:
        return Reading(bool(included), 0)
    on_top, inside = Reading(False, total - amount - taxes), Reading(True, total - amount)
    if included is not None:
        return inside if included else on_top
    return min(on_top, inside, key=lambda one: abs(one.difference))


def stated_receipt(
    lines: Sequence[StatedPart],
    fees: Sequence[StatedPart],
    *,
    less: int,
    taxes: Sequence[StatedTax],
    included: bool,
) -> Receipt:
    """The receipt of an order as it was stated; `less` is off the whole order, `taxes` are of the whole order.

    The caller has seen to it that discounts are not above the amounts.
    """
    nets = [line.gross - line.less for line in lines]
    amounts = [net - part for net, part in zip(nets, allocate(less, nets), strict=True)]
    amounts += [fee.gross - fee.less for fee in fees]
    parts = [*lines, *fees]
    shares = _shares(parts, amounts, len(lines), taxes, included=included)
    borne = [sum(share.tax for share in own) for own in shares]
    totals = [amount if included else amount + tax for amount, tax in zip(amounts, borne, strict=True)]
    line_totals = tuple(
        LineTotals(line.gross, line.gross - amounts[index], borne[index], totals[index], shares[index])
        for index, line in enumerate(lines)
    )
    fee_totals = tuple(
        FeeTotals(amounts[index], borne[index], totals[index], shares[index]) for index in range(len(lines), len(parts))
    )
    total = sum(totals)
    return Receipt(
        lines=line_totals,
        fees=fee_totals,
        subtotal=sum(line.gross for line in lines),
        discount_total=sum(line.discount for line in line_totals),
        tax_total=sum(borne),
        fee_total=sum(fee.amount for fee in fee_totals),
        total=total,
        rounding=0,
        due=total,
        paid=0,
        change=0,
    )


class _Row(NamedTuple):
    """A stated tax with the parts that bear it."""

    tax: StatedTax
    places: tuple[int, ...]


def _shares(
    parts: Sequence[StatedPart],
    amounts: list[int],
    lines: int,
    taxes: Sequence[StatedTax],
    *,
    included: bool,
) -> list[tuple[TaxShare, ...]]:
    """For each part its share of each tax: of its own, and of those of the whole order."""
    rows = [_Row(tax, (index,)) for index, part in enumerate(parts) for tax in part.taxes]
    rows += [_Row(tax, _bearers(parts, amounts, lines, tax, included=included)) for tax in taxes]
    rows = [row for row in rows if row.tax.amount or row.tax.rate is not None]
    borne: list[list[tuple[_Row, int]]] = [[] for _ in parts]
    for row in rows:
        for index, tax in zip(row.places, allocate(row.tax.amount, [amounts[at] for at in row.places]), strict=True):
            borne[index].append((row, tax))
    nets = [
        amount - sum(tax for _, tax in own) if included else amount for amount, own in zip(amounts, borne, strict=True)
    ]
    rates = {id(row): _rate(row, nets) for row in rows}
    return [
        tuple(TaxShare(row.tax.name, rates[id(row)], net, tax) for row, tax in own)
        for net, own in zip(nets, borne, strict=True)
    ]


def _bearers(
    parts: Sequence[StatedPart], amounts: list[int], lines: int, tax: StatedTax, *, included: bool
) -> tuple[int, ...]:
    """The parts that bear a tax of the whole order: lines and fees, or lines alone where the tax fits them better."""
    free = tuple(index for index, part in enumerate(parts) if part.taxable and not part.taxes and amounts[index] > 0)
    alone = tuple(index for index in free if index < lines)
    if not free:
        return tuple(range(len(parts)))
    if not alone or alone == free:
        return free
    return min((free, alone), key=lambda places: _misfit(tax, sum(amounts[at] for at in places), included=included))


def _misfit(tax: StatedTax, amount: int, *, included: bool) -> int:
    """How badly a tax fits what would bear it: minor units beside its rate, or how odd the rate is that it implies."""
    if tax.rate is not None:
        expected = included_tax(amount, tax.rate) if included else half_up(amount * tax.rate, RATE_WHOLE)
        return abs(tax.amount - expected)
    rate = implied_rate(tax.amount, amount - tax.amount if included else amount, 1)
    return next(index for index, step in enumerate(RATE_STEPS) if rate % step == 0)


def _rate(row: _Row, nets: list[int]) -> int:
    if row.tax.rate is not None:
        return row.tax.rate
    return implied_rate(row.tax.amount, sum(nets[at] for at in row.places), len(row.places))


def implied_rate(tax: int, net: int, roundings: int) -> int:
    """The roundest rate (10**-6) that gives a tax of a net, which was rounded so many times."""
    if net <= 0:
        return 0
    for step in RATE_STEPS:
        rate = half_up(tax * RATE_WHOLE, net * step) * step
        if 2 * abs(net * rate - tax * RATE_WHOLE) <= roundings * RATE_WHOLE:
            return min(rate, RATE_MAX)
    return min(half_up(tax * RATE_WHOLE, net), RATE_MAX)
