"""The money of a sale and its lines: tax rates, the receipt, and what of the receipt is kept (docs/how-to/sell.md).

    receipt_of(stock, sale, lines, payments)     -> the receipt; refused when its amounts make no sense
    put_receipt(stock, sale, lines, receipt)     -> kept on the sale and its lines

Amounts are minor units, quantities smallest units. What is kept is what `compute_receipt` returned.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.rejection import Code, Refused, Rejected
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.tax import Rate, TaxShare
from holdfast.core.records.totals import Fee, Payment, PricedLine, Receipt, Rules, compute_receipt, tendered
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import lines_of, product_of_line

replace = msgspec.structs.replace


def rules_of(stock: Stock, *, exempt: bool = False) -> Rules:
    """How the organisation computes: tax included in prices or not, rounded over what, and the smallest coin."""
    settings = stock.settings
    step = to_minor(settings.cash_rounding, settings.minor_digits)
    return Rules(settings.tax_mode == "inclusive", step or 0, settings.tax_rounding, exempt)


def rated(stock: Stock, sale: Sale, lines: list[SaleLine]) -> tuple[Sale, list[SaleLine]]:
    """The sale's fees and the lines with the tax rates of today: a store's own, else the organisation's. Money that the
    order's source has stated keeps the rates that it states."""
    if sale.as_stated:
        return sale, lines
    classes = {fee.tax_class for fee in sale.fees} | {line.tax_class for line in lines}
    rates = {tax_class: stock.catalog.rates(tax_class, sale.store_id) for tax_class in classes}
    fees = tuple(_with_rates(fee, rates[fee.tax_class]) for fee in sale.fees)
    return replace(sale, fees=fees), [_with_rates(line, rates[line.tax_class]) for line in lines]


def _with_rates(taxed: Any, rates: tuple[Rate, ...]) -> Any:
    """A line or fee with these rates; their tax is not computed yet."""
    if rates == taxed.rates:
        return taxed
    nothing = None if isinstance(taxed, SaleLine) else UNSET
    return replace(
        taxed,
        tax_rate=sum(rate.rate for rate in rates),
        taxes=tuple(TaxShare(rate.name, rate.rate, 0, 0) for rate in rates) or nothing,
    )


def kept_receipt(stock: Stock, sale: Sale, lines: list[SaleLine] | None = None) -> Receipt:
    """The receipt that the persisted amounts of the sale and its lines are; `lines` of a sale that is not kept yet."""
    return Receipt(
        lines=tuple(lines_of(stock, sale) if lines is None else lines),  # type: ignore[arg-type] # a line has its totals under the same names
        fees=(),
        subtotal=sale.subtotal,
        discount_total=sale.discount_total,
        tax_total=sale.tax_total,
        fee_total=sale.fee_total,
        total=sale.total,
        rounding=sale.rounding,
        due=sale.total + sale.rounding,
        paid=sale.paid,
        change=sale.change,
        exempted=sale.exempted,
    )


def receipt_of(
    stock: Stock,
    sale: Sale,
    lines: list[SaleLine],
    payments: tuple[Payment, ...] | None,
    *,
    new_discount: bool = False,
    partly: bool = False,
) -> Receipt:
    """The receipt of a sale with these lines; a refusal of `compute_receipt` is told, its amounts in the currency.

    A `new_discount` above the price of the lines is refused; one given before takes off what there is, when lines have
    gone since. Once a part was shipped its amounts stand as they were booked, and money that the order's source has
    stated stands from the beginning; only the tender is new. With `partly` less than that may be paid.
    """
    rules = rules_of(stock, exempt=sale.tax_exempt is not None)
    if sale.fulfillments or sale.as_stated:
        tender = tendered(sale.total, payments, rules.cash_rounding, partly=partly)
        if isinstance(tender, Rejected):
            raise told_in_currency(stock, tender)
        return replace(
            kept_receipt(stock, sale, lines),
            rounding=tender.rounding,
            due=sale.total + tender.rounding,
            paid=tender.paid,
            change=tender.change,
        )
    computed = compute_receipt(
        [
            PricedLine(
                line.unit_price,
                line.quantity,
                product_of_line(stock, line).precision,
                line.asked,
                line.rates,
                line.breaks or (),
                line.kind == "gift_card",
            )
            for line in lines
        ],
        sale_discount=sale.discount,
        fees=[Fee(fee.name, fee.amount, fee.rates) for fee in sale.fees],
        rules=rules,
        payments=payments,
        cap_discount=not new_discount,
        partly=partly,
    )
    if isinstance(computed, Rejected):
        raise told_in_currency(stock, computed)
    return computed


def told_in_currency(stock: Stock, rejected: Rejected) -> Refused:
    """What the computing of a receipt found wrong; the amounts of a payment that does not fit are formatted."""
    numbers = rejected.numbers
    if rejected.code is Code.PAYMENT_MISMATCH:
        numbers = {name: from_minor(amount, stock.settings.minor_digits) for name, amount in numbers.items()}
    return Refused(rejected.code, rejected.detail, numbers)


def receipt_if_any(stock: Stock, sale: Sale, lines: list[SaleLine]) -> Receipt | None:
    """The receipt of an open sale; None where today's rates would take its amounts out of bounds."""
    try:
        return receipt_of(stock, sale, lines, None)
    except Refused:
        return None


def priced_today(stock: Stock, sale: Sale, lines: list[SaleLine]) -> tuple[Sale, list[SaleLine]]:
    """A sale and its lines with the money that it would take now: rates and settings may be others than at its last
    change. Of a finished sale, and once a part was shipped, the amounts stand."""
    if not sale.unfinished or sale.fulfillments or sale.as_stated:
        return sale, lines
    sale_rated, lines_rated = rated(stock, sale, lines)
    receipt = receipt_if_any(stock, sale_rated, lines_rated)
    if receipt is None:
        return sale, lines
    return replace(sale_with(stock, sale_rated, receipt), updated_at=sale.updated_at), lines_with(
        stock, lines_rated, receipt
    )


def lines_with(stock: Stock, lines: list[SaleLine], receipt: Receipt) -> list[SaleLine]:
    """The lines with what was computed for each."""
    return [
        replace(
            line,
            gross=totals.gross,
            discount=totals.discount,
            tax=totals.tax,
            total=totals.total,
            taxes=totals.taxes or None,
            updated_at=stock.now,
        )
        for line, totals in zip(lines, receipt.lines, strict=True)
    ]


def sale_with(stock: Stock, sale: Sale, receipt: Receipt) -> Sale:
    """The sale with what was computed for it. A receipt that was kept has no fees: those of the sale stand. So does
    what was paid in advance."""
    fees = sale.fees
    if receipt.fees:
        fees = tuple(replace(fee, taxes=totals.taxes or UNSET) for fee, totals in zip(fees, receipt.fees, strict=True))
    return replace(
        sale,
        fees=fees,
        exempted=receipt.exempted,
        subtotal=receipt.subtotal,
        discount_total=receipt.discount_total,
        tax_total=receipt.tax_total,
        fee_total=receipt.fee_total,
        total=receipt.total,
        rounding=receipt.rounding,
        paid=sale.paid if sale.payments else receipt.paid,
        change=sale.change if sale.payments else receipt.change,
        updated_at=max(stock.now, sale.updated_at),
    )


def put_receipt(stock: Stock, sale: Sale, lines: list[SaleLine], receipt: Receipt) -> Sale:
    """Keep what was computed on the sale and its lines."""
    for line in lines_with(stock, lines, receipt):
        if line != stock.row(SaleLine, line.id):
            stock.put_row(line)
    sale = sale_with(stock, sale, receipt)
    stock.put_row(sale)
    return sale
