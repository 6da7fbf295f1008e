"""Checkout: sold at once at a till, straight from the shelf, or only quoted (SPEC section 7).

    checkout of 2 mugs, cash 20.00    -> goods, payment, change, books: all of it in one command, or nothing
    the same as a quote               -> what it would cost; no trace, no stock asked for

Insufficient stock names every short line. No hold is made that would live for no time.
"""

from __future__ import annotations

import msgspec

from holdfast.core.completion import PaymentAsked, finish, hand_over, lines_with_stock, payments_of
from holdfast.core.number import from_minor
from holdfast.core.order_entry import DiscountAsked, FeeAsked, LineAsked, OpenSale, line_of, new_sale
from holdfast.core.register import open_session_of
from holdfast.core.rejection import (
    Code,
    Rejected,
    group_rejected,
    insufficient_stock,
)
from holdfast.core.reservation import sell_free_units
from holdfast.core.sale import (
    Sale,
    SaleLine,
    lines_of,
    priced,
    product_of_line,
    put_receipt,
    receipt_of,
    rules_of,
    taken_since,
)
from holdfast.core.sale_document import SaleDocument, describe_sale, sale_document
from holdfast.core.sourcing import pin_refusal, places_of, spread
from holdfast.core.stock import Cause, Stock
from holdfast.core.totals import Payment, Receipt, cash_rounded

replace = msgspec.structs.replace


class Checkout(msgspec.Struct, frozen=True, gc=False):
    """Sell at once: open, pay, hand over. `quote` only computes it and changes nothing."""

    store_id: str
    lines: tuple[LineAsked, ...]
    discount: DiscountAsked | None = None
    fees: tuple[FeeAsked, ...] = ()
    payments: tuple[PaymentAsked, ...] | None = None
    customer: str | None = None
    quote: bool = False


# Sell at once --------------------------------------------------------------------------------------------------------


def checkout(stock: Stock, command: Checkout) -> SaleDocument | Rejected:
    """Decide a Checkout: the goods leave the shelf without a hold in between; a quote leaves no trace."""
    if not command.quote and not command.lines:
        return Rejected(Code.INVALID_REQUEST, "There is nothing to sell.", {"field": "lines"})
    mark = stock.mark()
    session = open_session_of(stock)
    if isinstance(session, Rejected):
        return session
    opened = OpenSale(command.store_id, command.customer, "pos", None, command.lines, command.discount, command.fees)
    begun = _begun(stock, opened, numbered=not command.quote)
    if isinstance(begun, Rejected):
        return begun
    sale, lines = begun
    payments = payments_of(stock, command.payments if command.quote else command.payments or ())
    if isinstance(payments, Rejected):
        return payments
    receipt = receipt_of(stock, sale, lines, payments)
    if isinstance(receipt, Rejected):
        return receipt
    if command.quote:
        for line in lines:
            stock.put_row(line)
        quoted = put_receipt(stock, replace(sale, payments=payments or ()), lines, receipt)
        document = sale_document(
            quoted,
            lines_of(stock, sale),
            {line.product_id: product_of_line(stock, line) for line in lines},
            [],
            stock.settings.minor_digits,
            stock.settings.currency,
            quoted=True,
        )
        stock.undo(mark)
        return document
    sold = _sold(stock, sale, lines, receipt, payments or ())
    return sold if isinstance(sold, Rejected) else describe_sale(stock, sold)


def _begun(stock: Stock, opened: OpenSale, *, numbered: bool = True) -> tuple[Sale, list[SaleLine]] | Rejected:
    """A sale and its lines with their taxes, before any of it is kept; every line that cannot be is named."""
    sale = new_sale(stock, opened, numbered=numbered)
    if isinstance(sale, Rejected):
        return sale
    made = [line_of(stock, sale, asked, index) for index, asked in enumerate(opened.lines)]
    refused = [(index, line) for index, line in enumerate(made) if isinstance(line, Rejected)]
    if refused:
        return group_rejected(refused)
    return priced(stock, sale, [line for line in made if not isinstance(line, Rejected)])


def _sold(
    stock: Stock, sale: Sale, lines: list[SaleLine], receipt: Receipt, payments: tuple[Payment, ...]
) -> Sale | Rejected:
    """The begun sale, kept and completed with goods from the shelf; every short line is named."""
    stock.put_row(sale)
    for line in lines:
        stock.put_row(line)
    short = _sell_lines(stock, sale, lines)
    if short is not None:
        return short
    sale = put_receipt(stock, sale, lines_with_stock(stock, lines), receipt)
    return finish(stock, sale, receipt, payments)


def sell_outright(stock: Stock, opened: OpenSale, method: str | None) -> Sale | Rejected:
    """Sell what has left already somewhere else, paid in full by `method` or (None) not at all: a fact, from the shelf.

    INSUFFICIENT_STOCK when the shelf has not all of it.
    """
    begun = _begun(stock, opened)
    if isinstance(begun, Rejected):
        return begun
    sale, lines = begun
    payments: tuple[Payment, ...] | None = None
    receipt = receipt_of(stock, sale, lines, None)
    if not isinstance(receipt, Rejected) and method is not None:
        payments = payments_of(stock, paid_in_full(stock, receipt.total, method))  # type: ignore[assignment] # in bounds
        receipt = receipt_of(stock, sale, lines, payments)
    return receipt if isinstance(receipt, Rejected) else _sold(stock, sale, lines, receipt, payments or ())


def paid_in_full(stock: Stock, total: int, method: str) -> tuple[PaymentAsked, ...]:
    """The payment by one method that is exactly due for a total."""
    due = cash_rounded(total, rules_of(stock).cash_rounding) if method == "cash" else total
    return (PaymentAsked(method, from_minor(due, stock.settings.minor_digits)),)


def _sell_lines(stock: Stock, sale: Sale, lines: list[SaleLine]) -> Rejected | None:
    """Take every line's units from the shelf; every short line is named."""

    def sell(_: int, line: SaleLine) -> Rejected | None:
        if line.kind == "stock":
            return _sell_from_shelf(stock, sale, line)
        hand_over(stock, sale, line, line.quantity)
        return None

    sold = stock.each(lines, sell)
    failed = [(index, refused) for index, refused in enumerate(sold) if refused is not None]
    return group_rejected(failed) if failed else None


def _sell_from_shelf(stock: Stock, sale: Sale, line: SaleLine) -> Rejected | None:
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
    stock.put_row(replace(line, fulfilled=line.quantity, taken=taken_since(stock, before), updated_at=stock.now))
    return None
