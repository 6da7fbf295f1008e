"""Checkout: sold at once, straight from the shelf, or only quoted (docs/how-to/sell.md).

    checkout of 2 mugs, cash 20.00    -> goods, payment, change, books: all of it in one command, or nothing
    the same as a quote               -> what it would cost; no trace, and no stock is tested
    a quote without payments          -> the same, and what is owed, of an exchange as well

At a till its register session takes the money. Insufficient stock names every short line. No hold is made that would
live for no time.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import from_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.proportion import cash_rounded
from holdfast.core.records.rejection import (
    Code,
    Refused,
    insufficient_stock,
)
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.totals import Payment, Receipt, due_by_line, standing
from holdfast.core.reservations.sourcing import places_of, refuse_pinned_nowhere, spread
from holdfast.core.sales.completion import book_sale, fulfil_line
from holdfast.core.sales.documents import SaleDocument, describe_sale, sale_document
from holdfast.core.sales.exchange import Exchanged, described_returns, pay_out, payment_in_goods, take_in
from holdfast.core.sales.lines import lines_with, rated, receipt_of, rules_of, sale_with
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale, new_sale
from holdfast.core.sales.payments import PaymentRequest, payments_of
from holdfast.core.sales.register import refuse_closed_session
from holdfast.core.stock.holds import sell_free_units
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import product_of_line, taken_since

replace = msgspec.structs.replace


class Checkout(Command, frozen=True, gc=False):
    """Sell at once: open, pay, hand over. `quote` only computes it and changes nothing. Goods that come back in
    `exchange` pay for it first.

    `store_id` is an id or a code; amounts are decimal strings. INSUFFICIENT_STOCK names every short line;
    PAYMENT_MISMATCH; INVALID_STATE when the register session is closed.
    """

    store_id: str
    lines: tuple[LineRequest, ...]
    discount: DiscountRequest | None = None
    fees: tuple[FeeRequest, ...] = ()
    payments: tuple[PaymentRequest, ...] | None = None
    customer: str | None = None
    quote: bool = False
    tax_exempt: str | None = None
    exchange: Exchanged | None = None


# Sell at once --------------------------------------------------------------------------------------------------------


def checkout(stock: Stock, command: Checkout) -> SaleDocument:
    """Decide a Checkout: the goods leave the shelf without a hold in between; a quote leaves no trace."""
    if not command.quote and not command.lines:
        raise Refused(Code.INVALID_REQUEST, "There is nothing to sell.", {"field": "lines"})
    refuse_closed_session(stock)
    request = OpenSale(
        store_id=command.store_id,
        customer=command.customer,
        source="pos",
        lines=command.lines,
        discount=command.discount,
        fees=command.fees,
        tax_exempt=command.tax_exempt,
    )
    sale, lines = rated(stock, *new_sale(stock, request, numbered=not command.quote))
    payments = payments_of(stock, command.payments if command.quote else command.payments or ())
    mark = stock.mark()
    credit = take_in(stock, command.exchange)
    if credit.brought:
        in_goods = payment_in_goods(credit, receipt_of(stock, sale, lines, None, new_discount=True).total)
        payments = (*in_goods, *(payments or ()))
    unsaid = command.quote and command.payments is None
    receipt = receipt_of(stock, sale, lines, payments, new_discount=True, partly=unsaid)
    if command.quote:
        stock.undo(mark)  # of a quote only the goods that come back were posted
        return sale_document(
            replace(sale_with(stock, sale, receipt), payments=payments or ()),
            lines_with(stock, lines, receipt),
            {line.product_id: product_of_line(stock, line) for line in lines},
            [],
            stock.settings.minor_digits,
            stock.settings.currency,
            cash_step=rules_of(stock).cash_rounding,
            quoted=True,
        )
    kept, returns = pay_out(stock, sale, credit, payments or ())
    done = _complete_from_shelf(stock, sale, lines, receipt, kept)
    return describe_sale(stock, done, described_returns(stock, returns))


def _complete_from_shelf(
    stock: Stock, sale: Sale, lines: list[SaleLine], receipt: Receipt, payments: tuple[Payment, ...]
) -> Sale:
    """The draft sale, kept and completed with goods from the shelf; every short line is named."""
    dues = due_by_line(receipt)
    computed = [replace(line, due=due) for line, due in zip(lines_with(stock, lines, receipt), dues, strict=True)]
    stock.each_line(computed, lambda _, line: _sell_line(stock, sale, line))
    return book_sale(stock, sale_with(stock, sale, receipt), receipt, payments)


def sell_outright(stock: Stock, request: OpenSale, method: str | None) -> Sale:
    """Try to sell from free units what has left already somewhere else, paid by `method` or (None) not at all.

    It is paid in full, but for what is stated to be unpaid. INSUFFICIENT_STOCK when too few are free: the caller undoes
    it, and takes the order as a fact.
    """
    sale, lines = rated(stock, *new_sale(stock, request))
    receipt = receipt_of(stock, sale, lines, None, new_discount=True)
    payments = payments_of(stock, paid_elsewhere(stock, sale, receipt.total, method))
    if payments is not None:
        receipt = receipt_of(stock, sale, lines, payments, new_discount=True, partly=True)
    return _complete_from_shelf(stock, sale, lines, receipt, payments or ())


def paid_elsewhere(stock: Stock, sale: Sale, total: int, method: str | None) -> tuple[PaymentRequest, ...] | None:
    """The payment by which a sale was paid where it was made: what is exactly due for a total, or what is stated to be
    paid of it. None: nothing was."""
    if method is None:
        return None
    unpaid = sale.stated.unpaid if sale.stated is not None else 0
    total = max(0, total - sum(one.amount for one in standing(sale.payments)))
    if unpaid:
        due = max(0, total - unpaid)
    else:
        due = cash_rounded(total, rules_of(stock).cash_rounding) if method == "cash" else total
    return (PaymentRequest(method, from_minor(due, stock.settings.minor_digits)),)


def _sell_line(stock: Stock, sale: Sale, line: SaleLine) -> None:
    """Keep the line as sold: its units leave the shelf, or just go where no stock is counted."""
    if line.kind != "stock":
        stock.put_row(line)
        fulfil_line(stock, sale, line, line.quantity)
        return
    product = product_of_line(stock, line)
    places = places_of(stock, sale, line)
    refuse_pinned_nowhere(stock, product, places, line.lot_id)
    parts, short = spread(stock, product, places, line.quantity, line.lot_id)
    if short:
        raise insufficient_stock(product, line.quantity, line.quantity - short)
    before = len(stock.entries)
    cause = Cause(stock.caller.actor, ref_id=sale.id, order_number=sale.order_number, source=sale.source)
    for place, units in parts:
        level = stock.level(product.id, place.id)
        assert level is not None
        sell_free_units(stock, level, units, cause, line.lot_id)
    stock.put_row(replace(line, fulfilled=line.quantity, taken=taken_since(stock, before)))


DECISIONS = (Decision(Checkout, checkout, Permission.SELL),)
