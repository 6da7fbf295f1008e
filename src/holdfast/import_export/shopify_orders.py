"""An export of Shopify's orders: a row a line item, what is about the order on its first row only.

    unfulfilled             -> suspended: held, ready to be sent
    partial                 -> suspended, its fulfilled line items shipped
    fulfilled               -> completed
    cancelled, or refunded before anything went out   -> cancelled
    refunded after it went out                        -> completed, and all of it returned

Its money is what the file says: taxes by their names ("VAT 20%"), shipping, tip and total, and what is outstanding. A
discount of the order is what its subtotal lies below its line items; one that is off the shipping is told by the total.
An export does not tell how much of a line item has gone out in part, which is noted, nor what a partial refund was for:
it is money off.
Older exports lack some columns; what is not there is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund
from holdfast.import_export.cells import id_cell, order_number_cell, text_cell
from holdfast.import_export.layout import Layout
from holdfast.import_export.order_file import (
    Context,
    FileOrder,
    Item,
    LineName,
    Unread,
    groups,
    in_words,
    minor_of,
    money_cell,
    number_cell,
    unprefixed,
)
from holdfast.import_export.order_layout import SHIPPING, TIP, method_of
from holdfast.import_export.order_time import ordered_at
from holdfast.import_export.table import BadLine, Line, Table

SHOPIFY = Layout(
    "shopify",
    "Shopify's export of orders",
    "shopify",
    {
        "order_number": ("name",),
        "status": ("financial status",),
        "shipped": ("fulfillment status",),
        "title": ("lineitem name",),
        "quantity": ("lineitem quantity",),
        "unit_price": ("lineitem price",),
        "sku": ("lineitem sku",),
        "discount": ("lineitem discount",),
        "line_status": ("lineitem fulfillment status",),
        "shipping": ("shipping",),
        "order_tax": ("taxes",),
        "total": ("total",),
        "subtotal": ("subtotal",),
        "order_discount": ("discount amount",),
        "refunded": ("refunded amount",),
        "unpaid": ("outstanding balance",),
        "date": ("created at",),
        "currency": ("currency",),
        "customer": ("billing name", "shipping name", "email"),
        "payment_method": ("payment method",),
    },
    marks=("lineitem quantity",),
    needed=("order_number", "status", "shipped", "quantity", "unit_price", "sku"),
)

TAXES_MAX = 5
"""Taxes with a name that an export has for an order."""

_PAID = ("paid", "refunded", "partially_refunded", "partially_paid")
_GONE = ("refunded", "voided")
_RATE = re.compile(r"(\d+(?:[.,]\d+)?)\s*%")


def shopify_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of the export."""
    for group in groups(table.lines, ("name",), blank_continues=True):
        try:
            yield _order(group, context)
        except BadLine as bad:
            name = group[0].cells.get("name", "")[:40]
            yield Unread(group[0].number, f"order {name}: {bad}", len(group))


class _Money(NamedTuple):
    """An order's own amounts, in minor units."""

    head: Mapping[str, str]
    context: Context

    def of(self, name: str) -> int:
        """The amount of a column, 0 where it is blank."""
        return money_cell(name, unprefixed(self.head, name), self.context)

    def said(self, name: str) -> bool:
        """Does the order say it?"""
        return bool(self.head.get(name))


class _Status(NamedTuple):
    """How the order stands."""

    shipped: str
    back: bool
    cancelled: bool


def _order(group: list[Line], context: Context) -> FileOrder:
    head = group[0].cells
    order_number = order_number_cell("Name", unprefixed(head, "name"))
    currency = head.get("currency") or context.currency
    if currency != context.currency:
        raise BadLine(f"it is in {currency[:10]}, the organisation's money is {context.currency}.")
    financial = head.get("financial status", "").lower()
    shipped = head.get("fulfillment status", "").lower()
    cancelled = bool(head.get("cancelled at")) or (financial in _GONE and shipped != "fulfilled")
    status = _Status(shipped, financial == "refunded", cancelled)
    notes: list[str] = []
    tips = [line for line in group if _is_tip(line)]
    tips = [] if len(tips) == len(group) else tips
    read = [(line, _line(line, status, context, notes)) for line in group if line not in tips]
    known = [(line, item) for line, item in read if item is not None]
    if not known:
        raise BadLine("it has no line items.")
    lines = tuple(item for _, item in known)
    money = _Money(head, context)
    refunded = money.of("refunded amount") if financial == "partially_refunded" else 0
    if financial == "partially_refunded" and not refunded:
        notes.append("a part of it was refunded; not booked: the export does not say how much.")
    if status.back and any(line.returned for line in lines):
        notes.append(f"refunded: its goods come back as {context.condition!r}; --restock tells otherwise.")
    tip = sum(minor_of(one, context.minor_digits) for one in (_tip(line, context) for line in tips))
    discount = _order_discount(money, lines, tip, notes)
    command = ImportOrder(
        order_number,
        SHOPIFY.source,
        lines,
        context.store,
        _customer(head),
        in_words(discount, context) if discount else None,
        _fees(money, discount, lines, tip, notes),
        cancelled=cancelled,
        payment=method_of(head.get("payment method", ""), notes) if financial in _PAID else None,
        external_id=_numeric_id(head, order_number),
        facts=_facts(money, financial),
        refunded=OrderRefund(in_words(refunded, context), in_all=True) if refunded else None,
        ordered_at=ordered_at("Created at", head.get("created at", ""), context.timezone),
        post_on_order_date=context.post_on_order_date,
    )
    names = tuple(
        LineName(unprefixed(line.cells, "lineitem sku"), line.cells.get("lineitem name", "")) for line, _ in known
    )
    return FileOrder(group[0].number, command, tuple(line.number for line, _ in known), tuple(notes), names)


def _is_tip(line: Line) -> bool:
    return line.cells.get("lineitem name", "").lower() == "tip" and not line.cells.get("lineitem sku")


def _tip(line: Line, context: Context) -> str:
    units = number_cell("Lineitem quantity", line.cells.get("lineitem quantity") or "1")
    return in_words(int(money_cell("Lineitem price", line.cells.get("lineitem price", ""), context) * units), context)


def _line(line: Line, order: _Status, context: Context, notes: list[str]) -> OrderedLine | None:
    cells = line.cells
    quantity = number_cell("Lineitem quantity", cells.get("lineitem quantity") or "0")
    if not quantity:
        return None
    sku = unprefixed(cells, "lineitem sku")
    status = cells.get("lineitem fulfillment status", "").lower() or order.shipped
    shipped = order.shipped
    gone = quantity if shipped == "fulfilled" or (shipped == "partial" and status == "fulfilled") else 0
    if status == "partial" and not gone:
        called = sku or cells.get("lineitem name", "")[:80]
        notes.append(f"a part of {called} has gone out, the export does not say how much: none is taken as shipped.")
    discount = money_cell("Lineitem discount", cells.get("lineitem discount", ""), context)
    if not cells.get("lineitem price"):
        raise BadLine(f"line {line.number} has no Lineitem price.")
    return OrderedLine(
        text_cell("Lineitem sku", sku) if sku else None,
        quantity,
        in_words(money_cell("Lineitem price", cells["lineitem price"], context), context),
        in_words(discount, context) if discount else None,
        fulfilled=gone,
        returned=gone if order.back else 0,
        condition=context.condition,
        taxable=cells.get("lineitem taxable", "").lower() != "false",
    )


def _net(lines: tuple[OrderedLine, ...], digits: int) -> int:
    return sum(
        minor_of(line.unit_price or "0", digits) * int(line.quantity) - minor_of(line.discount or "0", digits)
        for line in lines
    )


def _order_discount(money: _Money, lines: tuple[OrderedLine, ...], tip: int, notes: list[str]) -> int:
    """What the order's subtotal lies below its line items less their own discounts; without one its discount."""
    said, context = money.of("discount amount"), money.context
    if not money.said("subtotal") or any(type(line.quantity) is not int for line in lines):
        return said
    net = _net(lines, context.minor_digits)
    less = net + tip - money.of("subtotal")
    if less < 0:
        subtotal = in_words(money.of("subtotal"), context)
        notes.append(f"its subtotal {subtotal} is more than its line items come to ({in_words(net + tip, context)}).")
        return said
    return less


def _fees(
    money: _Money, discount: int, lines: tuple[OrderedLine, ...], tip: int, notes: list[str]
) -> tuple[FeeRequest, ...]:
    """Shipping, less a discount that is off it, and the tip."""
    context, shipping = money.context, money.of("shipping")
    off = min(money.of("discount amount"), shipping)
    without = _net(lines, context.minor_digits) - discount + shipping + tip
    if off and money.said("total"):
        explained = {without, without + money.of("taxes")}
        if money.of("total") not in explained and money.of("total") in {amount - off for amount in explained}:
            shipping -= off
            notes.append(f"{in_words(off, context)} were taken off the shipping.")
    fees = [FeeRequest(SHIPPING, in_words(shipping, context))] if shipping else []
    if tip:
        fees.append(FeeRequest(TIP, in_words(tip, context), tip=True))
    return tuple(fees)


def _facts(money: _Money, financial: str) -> OrderFacts | None:
    """The money that the export states: all of it, but in an export without its columns."""
    context = money.context
    if not money.said("total") and not money.said("taxes"):
        return None
    unpaid = money.of("outstanding balance") if financial == "partially_paid" else 0
    return OrderFacts(
        in_words(money.of("total"), context) if money.said("total") else None,
        _taxes(money),
        unpaid=in_words(unpaid, context) if unpaid else None,
    )


def _taxes(money: _Money) -> tuple[OrderTax, ...]:
    """The taxes with a name, and what is left of all taxes."""
    context, found, left = money.context, [], money.of("taxes")
    for index in range(1, TAXES_MAX + 1):
        amount, name = money.of(f"tax {index} value"), money.head.get(f"tax {index} name", "")
        if name and amount:
            found.append(OrderTax(name[:200], in_words(amount, context), _rate(name)))
            left -= amount
    if left > 0:
        found.append(OrderTax("Tax", in_words(left, context)))
    return tuple(found)


def _rate(name: str) -> str | None:
    """The rate in the name of a tax: "NY State Tax 4%" is 0.04."""
    said = _RATE.search(name)
    if said is None:
        return None
    rate = round(float(said[1].replace(",", ".")) * 10_000)
    return f"{rate / 1_000_000:.6f}" if 0 <= rate <= 1_000_000 else None


def _numeric_id(head: Mapping[str, str], order_number: str) -> str | None:
    """Shopify's own id of the order, by which its webhooks and `/shopify/reserve` call it.

    An order whose id cannot be read is refused: units may be held for it by that number, and would be held twice.
    """
    said = unprefixed(head, "id").strip()
    digits = id_cell("Id", said) if said else ""
    return digits if digits not in ("", order_number) else None


def _customer(head: Mapping[str, str]) -> str | None:
    said = next((head[name] for name in SHOPIFY.headers("customer") if head.get(name)), "")
    return text_cell("customer", said[:200]) if said else None
