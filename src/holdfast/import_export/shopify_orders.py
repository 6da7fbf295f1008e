"""An export of Shopify's orders: a row a line item, what is about the order on its first row only.

    unfulfilled             -> suspended: held, ready to be sent
    partial                 -> suspended, its fulfilled line items shipped
    fulfilled               -> completed
    cancelled, or refunded before anything went out   -> cancelled
    refunded after it went out                        -> completed, and all of it returned

Discounts are what the file says: a line item's own, and for the order what its subtotal lies below its line items. An
export does not tell how much of a line item has gone out in part, nor what a partial refund was for: both are noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from holdfast.core.records.number import from_minor
from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.import_export.cells import id_cell, order_number_cell, text_cell
from holdfast.import_export.order_file import (
    Context,
    FileOrder,
    Item,
    Unread,
    amount_cell,
    groups,
    minor_of,
    number_cell,
    unprefixed,
)
from holdfast.import_export.own_orders import SHIPPING
from holdfast.import_export.table import BadLine, Line, Table

SHOPIFY = "shopify"
NEEDED = ("name", "financial status", "fulfillment status", "lineitem quantity", "lineitem price", "lineitem sku")

_PAID = ("paid", "refunded", "partially_refunded")
_GONE = ("refunded", "voided")


def is_shopify_orders(columns: tuple[str, ...]) -> bool:
    """Is it an export of Shopify's orders?"""
    return "lineitem quantity" in columns


def shopify_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of the export."""
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        yield Unread(1, f"The header has no column {missing[0]!r}: export the orders anew, with all columns.")
        return
    for group in groups(table.lines, ("name",), blank_continues=True):
        try:
            yield _order(group, context)
        except BadLine as bad:
            name = group[0].cells.get("name", "")[:40]
            yield Unread(group[0].number, f"order {name}: {bad}", len(group))


def _order(group: list[Line], context: Context) -> FileOrder:
    head = group[0].cells
    order_number = order_number_cell("Name", unprefixed(head, "name"))
    currency = head.get("currency") or context.currency
    if currency != context.currency:
        raise BadLine(f"it is in {currency[:10]}, the organisation's money is {context.currency}.")
    financial = head.get("financial status", "").lower()
    shipped = head.get("fulfillment status", "").lower()
    notes: list[str] = []
    cancelled = bool(head.get("cancelled at")) or (financial in _GONE and shipped != "fulfilled")
    back = financial == "refunded"
    lines, rows = [], []
    for line in group:
        item = _line(line, shipped, back, context, notes)
        if item is not None:
            lines.append(item)
            rows.append(line.number)
    if not lines:
        raise BadLine("it has no line items.")
    if financial == "partially_refunded":
        refunded = head.get("refunded amount") or "a part"
        notes.append(f"{refunded} was refunded: the export does not say for what; record it as a return.")
    if back and any(line.returned for line in lines):
        notes.append(f"refunded: its goods come back as {context.condition!r}; --restock tells otherwise.")
    shipping = _amount(head, "shipping", context)
    command = ImportOrder(
        order_number,
        SHOPIFY,
        tuple(lines),
        context.store,
        _customer(head),
        _order_discount(head, lines, context, notes),
        (FeeRequest(SHIPPING, shipping),) if shipping is not None and minor_of(shipping, context.minor_digits) else (),
        cancelled=cancelled,
        payment=_method(head) if financial in _PAID else None,
        external_id=_numeric_id(head, order_number),
    )
    return FileOrder(group[0].number, command, tuple(rows), tuple(notes), _amount(head, "total", context))


def _line(line: Line, shipped: str, back: bool, context: Context, notes: list[str]) -> OrderedLine | None:
    cells = line.cells
    name = cells.get("lineitem name", "")[:80]
    quantity = number_cell("Lineitem quantity", cells.get("lineitem quantity") or "0")
    if not quantity:
        return None
    sku = unprefixed(cells, "lineitem sku")
    if not sku:
        raise BadLine(f"line {line.number}, {name!r}, has no SKU.")
    status = cells.get("lineitem fulfillment status", "").lower() or shipped
    gone = quantity if shipped == "fulfilled" or (shipped == "partial" and status == "fulfilled") else 0
    if status == "partial" and not gone:
        notes.append(f"a part of {sku} has gone out, the export does not say how much: none is taken as shipped.")
    discount = _amount(cells, "lineitem discount", context)
    price = amount_cell("Lineitem price", cells.get("lineitem price", ""), context.minor_digits)
    return OrderedLine(
        text_cell("Lineitem sku", sku),
        quantity,
        price,
        discount if discount is not None and minor_of(discount, context.minor_digits) else None,
        fulfilled=gone,
        returned=gone if back else 0,
        condition=context.condition,
    )


def _order_discount(
    head: Mapping[str, str], lines: list[OrderedLine], context: Context, notes: list[str]
) -> str | None:
    """What the order's subtotal lies below its line items less their own discounts; without one its discount."""
    digits = context.minor_digits
    said = minor_of(_amount(head, "discount amount", context) or "0", digits)
    subtotal = _amount(head, "subtotal", context)
    if subtotal is None or any(type(line.quantity) is not int for line in lines):
        return from_minor(said, digits) if said else None
    net = sum(
        minor_of(line.unit_price or "0", digits) * int(line.quantity) - minor_of(line.discount or "0", digits)
        for line in lines
    )
    less = net - minor_of(subtotal, digits)
    if less < 0:
        notes.append(f"its subtotal {subtotal} is more than its line items come to ({from_minor(net, digits)}).")
        return from_minor(said, digits) if said else None
    return from_minor(less, digits) if less else None


def _numeric_id(head: Mapping[str, str], order_number: str) -> str | None:
    """Shopify's own id of the order, by which its webhooks and `/shopify/reserve` call it.

    An order whose id cannot be read is refused: units may be held for it by that number, and would be held twice.
    """
    said = unprefixed(head, "id").strip()
    digits = id_cell("Id", said) if said else ""
    return digits if digits not in ("", order_number) else None


def _method(head: Mapping[str, str]) -> str:
    method = head.get("payment method", "").lower()
    return "cash" if method == "cash" else "other"


def _customer(head: Mapping[str, str]) -> str | None:
    said = next((head[name] for name in ("billing name", "shipping name", "email") if head.get(name)), "")
    return text_cell("customer", said[:200]) if said else None


def _amount(cells: Mapping[str, str], name: str, context: Context) -> str | None:
    text = cells.get(name, "")
    return amount_cell(name, text, context.minor_digits) if text else None
