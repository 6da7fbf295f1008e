"""Checkout: sold at once at a till, straight from the shelf, or only quoted (docs/how-to/sell.md).

    checkout of 2 mugs, cash 20.00    -> goods, payment, change, books: all of it in one command, or nothing
    the same as a quote               -> what it would cost; no trace, no stock asked for

Insufficient stock names every short line. No hold is made that would live for no time.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.command import Command, Decision
from holdfast.core.records.number import from_minor
from holdfast.core.records.permission import Permission
from holdfast.core.records.rejection import (
    Code,
    Rejected,
    group_rejected,
    insufficient_stock,
)
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.totals import Payment, Receipt, cash_rounded, due_by_line
from holdfast.core.reservations.sourcing import pin_refusal, places_of, spread
from holdfast.core.sales.completion import PaymentRequest, fulfil_line, payments_of, take_payment
from holdfast.core.sales.documents import SaleDocument, describe_sale, sale_document
from holdfast.core.sales.lines import lines_with, priced, receipt_of, rules_of, sale_with
from holdfast.core.sales.order_entry import DiscountRequest, FeeRequest, LineRequest, OpenSale, new_sale
from holdfast.core.sales.register import open_session_of
from holdfast.core.stock.holds import sell_free_units
from holdfast.core.stock.posting import Cause, Stock
from holdfast.core.stock.sale_lines import product_of_line, taken_since

replace = msgspec.structs.replace


class Checkout(Command, frozen=True, gc=False):
    """Sell at once: open, pay, hand over. `quote` only computes it and changes nothing."""

    store_id: str
    lines: tuple[LineRequest, ...]
    discount: DiscountRequest | None = None
    fees: tuple[FeeRequest, ...] = ()
    payments: tuple[PaymentRequest, ...] | None = None
    customer: str | None = None
    quote: bool = False


# Sell at once --------------------------------------------------------------------------------------------------------


def checkout(stock: Stock, command: Checkout) -> SaleDocument | Rejected:
    """Decide a Checkout: the goods leave the shelf without a hold in between; a quote leaves no trace."""
    if not command.quote and not command.lines:
        return Rejected(Code.INVALID_REQUEST, "There is nothing to sell.", {"field": "lines"})
    session = open_session_of(stock)
    if isinstance(session, Rejected):
        return session
    request = OpenSale(command.store_id, command.customer, "pos", None, command.lines, command.discount, command.fees)
    draft = _draft(stock, request, numbered=not command.quote)
    if isinstance(draft, Rejected):
        return draft
    sale, lines = draft
    payments = payments_of(stock, command.payments if command.quote else command.payments or ())
    if isinstance(payments, Rejected):
        return payments
    receipt = receipt_of(stock, sale, lines, payments, new_discount=True)
    if isinstance(receipt, Rejected):
        return receipt
    if command.quote:
        return sale_document(
            replace(sale_with(stock, sale, receipt), payments=payments or ()),
            lines_with(stock, lines, receipt),
            {line.product_id: product_of_line(stock, line) for line in lines},
            [],
            stock.settings.minor_digits,
            stock.settings.currency,
            quoted=True,
        )
    sold = _complete_from_shelf(stock, sale, lines, receipt, payments or ())
    return sold if isinstance(sold, Rejected) else describe_sale(stock, sold)


def _draft(stock: Stock, request: OpenSale, *, numbered: bool = True) -> tuple[Sale, list[SaleLine]] | Rejected:
    """A sale and its lines with their taxes, before any of it is kept; every line that cannot be is named."""
    made = new_sale(stock, request, numbered=numbered)
    return made if isinstance(made, Rejected) else priced(stock, *made)


def _complete_from_shelf(
    stock: Stock, sale: Sale, lines: list[SaleLine], receipt: Receipt, payments: tuple[Payment, ...]
) -> Sale | Rejected:
    """The draft sale, kept and completed with goods from the shelf; every short line is named."""
    dues = due_by_line(receipt)
    computed = [replace(line, due=due) for line, due in zip(lines_with(stock, lines, receipt), dues, strict=True)]
    refusals = stock.each(computed, lambda _, line: _sell_line(stock, sale, line))
    failed = [(index, refused) for index, refused in enumerate(refusals) if refused is not None]
    if failed:
        return group_rejected(failed)
    return take_payment(stock, sale_with(stock, sale, receipt), receipt, payments)


def sell_outright(stock: Stock, request: OpenSale, method: str | None) -> Sale | Rejected:
    """Sell what has left already somewhere else, paid in full by `method` or (None) not at all: a fact, from the shelf.

    INSUFFICIENT_STOCK when the shelf has not all of it.
    """
    draft = _draft(stock, request)
    if isinstance(draft, Rejected):
        return draft
    sale, lines = draft
    payments: tuple[Payment, ...] | None = None
    receipt = receipt_of(stock, sale, lines, None, new_discount=True)
    if not isinstance(receipt, Rejected) and method is not None:
        payments = payments_of(stock, paid_in_full(stock, receipt.total, method))  # type: ignore[assignment] # in bounds
        receipt = receipt_of(stock, sale, lines, payments, new_discount=True)
    return (
        receipt if isinstance(receipt, Rejected) else _complete_from_shelf(stock, sale, lines, receipt, payments or ())
    )


def paid_in_full(stock: Stock, total: int, method: str) -> tuple[PaymentRequest, ...]:
    """The payment by one method that is exactly due for a total."""
    due = cash_rounded(total, rules_of(stock).cash_rounding) if method == "cash" else total
    return (PaymentRequest(method, from_minor(due, stock.settings.minor_digits)),)  # type: ignore[arg-type] # a method


def _sell_line(stock: Stock, sale: Sale, line: SaleLine) -> Rejected | None:
    """Keep the line as sold: its units leave the shelf, or just go where no stock is counted."""
    if line.kind != "stock":
        stock.put_row(line)
        fulfil_line(stock, sale, line, line.quantity)
        return None
    product = product_of_line(stock, line)
    places = places_of(stock, sale, line)
    unpinned = pin_refusal(stock, product, places, line.lot_id)
    if unpinned is not None:
        return unpinned
    parts, short = spread(stock, product, places, line.quantity, line.lot_id)
    if short:
        return insufficient_stock(product, line.quantity, line.quantity - short)
    before = len(stock.entries)
    cause = Cause(stock.caller.actor, ref_id=sale.id, order_number=sale.order_number, source=sale.source)
    for place, units in parts:
        level = stock.level(product.id, place.id)
        assert level is not None
        sell_free_units(stock, level, units, cause, line.lot_id)
    stock.put_row(replace(line, fulfilled=line.quantity, taken=taken_since(stock, before)))
    return None


DECISIONS = (Decision(Checkout, checkout, Permission.SELL),)
