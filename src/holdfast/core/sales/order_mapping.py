"""Lines of an order whose product was not known when the order came: they become lines of its sale when it is.

    order #1: 2 mugs, 1 "Ring Dish" of no SKU       -> 2 mugs are held, the ring dish waits, the sale with it
    the same again, the ring dish is DISH-1         -> 1 of DISH-1 is held, at the money that was kept for it
    the same again                                  -> unchanged

The caller hands over unfinished sales only, nor to a line that comes with another quantity: that is another order.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from holdfast.core.records.sale import Sale, SaleLine, ShippedTerms, UnmappedLine
from holdfast.core.reservations.adoption import adopt, numbers_of
from holdfast.core.sales.cart import put_line, reprice_if_it_can_be
from holdfast.core.sales.lines import lines_with, rated, receipt_of
from holdfast.core.sales.order_entry import DiscountRequest, LineRequest, line_of_fact
from holdfast.core.sales.order_facts import OrderedLine, quantity_text, with_kept_money
from holdfast.core.sales.shipment import with_terms
from holdfast.core.sales.supplier_orders import order_from_supplier
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import lines_of

replace = msgspec.structs.replace


def request_of(ordered: OrderedLine, product: str) -> LineRequest:
    """The line of a known product, as a sale asks for it."""
    return LineRequest(
        product,
        ordered.quantity,
        ordered.unit_price,
        None if ordered.discount is None else DiscountRequest(amount=ordered.discount),
        location=ordered.location,
    )


def mapped(stock: Stock, sale: Sale, ordered: Sequence[OrderedLine]) -> Sale:
    """The unfinished sale with those of its unmapped lines whose products the order names now, held or waiting."""
    waiting = {line.position: line for line in sale.unmapped or ()}
    found = [
        (waiting[place], one, one.product)
        for place, one in enumerate(ordered)
        if one.product is not None and place in waiting and quantity_text(one.quantity) == waiting[place].quantity
    ]
    if not found:
        return sale
    stock.catalog.know_products(product for _, _, product in found)
    lines = stock.each(found, lambda _, part: _line(stock, sale, *part))
    lines = adopt(stock, sale, lines, numbers_of(sale))
    for line in lines:
        put_line(stock, sale, line, fact=True)
        if line.kind == "dropship":
            order_from_supplier(stock, sale, line)
    places = {line.position for line in lines}
    left = tuple(line for line in sale.unmapped or () if line.position not in places)
    sale = replace(sale, unmapped=left or None, updated_at=max(stock.now, sale.updated_at))
    if not sale.as_stated and not sale.fulfillments:
        stock.put_row(sale)
        return reprice_if_it_can_be(stock, sale)
    return _with_more(stock, sale, lines)


def _line(stock: Stock, sale: Sale, waiting: UnmappedLine, ordered: OrderedLine, product: str) -> SaleLine:
    """The line with its money: what was kept for it, or (nothing was stated, and a part has gone out) what it comes to
    by itself; else it is priced with the whole sale."""
    line = replace(line_of_fact(stock, sale, request_of(ordered, product), waiting.position), title=ordered.title)
    if sale.as_stated:
        return with_kept_money(line, waiting)
    if not sale.fulfillments:
        return line
    alone, [line] = rated(stock, replace(sale, discount=None, fees=(), fulfillments=()), [line])
    return lines_with(stock, [line], receipt_of(stock, alone, [line], None))[0]


def _with_more(stock: Stock, sale: Sale, lines: list[SaleLine]) -> Sale:
    """The sale, whose money stands, with that of more lines; what was shipped has its terms of them as well."""
    sale = with_terms(sale, lines_of(stock, sale))
    if sale.fulfillments:
        first = sale.fulfillments[0]
        terms = () if first.terms is UNSET else first.terms
        known = {one.line_id for one in terms}
        more = [ShippedTerms(line.id, line.quantity, line.total, line.tax) for line in lines if line.id not in known]
        sale = replace(sale, fulfillments=(replace(first, terms=(*terms, *more)), *sale.fulfillments[1:]))
    sale = replace(
        sale,
        subtotal=sale.subtotal + sum(line.gross for line in lines),
        discount_total=sale.discount_total + sum(line.discount for line in lines),
        tax_total=sale.tax_total + sum(line.tax for line in lines),
        total=sale.total + sum(line.total for line in lines),
    )
    stock.put_row(sale)
    return sale
