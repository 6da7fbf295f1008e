"""Our own file of orders: a row a line, the rows of an order together, what is about the order on any of them.

    order_number,customer,payment_method,sku,quantity,unit_price,discount
    1001,Ana,card,MUG-1,2,12.50,
    1001,,,TEA-1,1,6.00,0.50

`status` is `completed` unless said otherwise; `suspended` is an order that still has to go out (`fulfilled` tells how
much did), `cancelled` one that never will. What came back stands in `returned`.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_import import ImportOrder, OrderedLine
from holdfast.import_export.cells import order_number_cell, text_cell
from holdfast.import_export.order_file import (
    Context,
    FileOrder,
    Item,
    Unread,
    amount_cell,
    first_said,
    groups,
    number_cell,
)
from holdfast.import_export.table import BadLine, Line, Table, require_columns, test_width

ORDER_COLUMNS = (
    "order_number",
    "source",
    "status",
    "customer",
    "store",
    "payment_method",
    "order_discount",
    "shipping",
    "sku",
    "quantity",
    "unit_price",
    "discount",
    "location",
    "fulfilled",
    "returned",
    "condition",
)
OTHER_FORMATS = (
    " Files of orders that are read: with the columns of docs/how-to/import.md, Shopify's export of orders, "
    "and the UCI data set Online Retail."
)
"""What is said of a file of orders whose columns nobody knows."""

SOURCE = "import"
"""Where orders come from when the file does not say."""

SHIPPING = "Shipping"
STATUSES = ("completed", "suspended", "cancelled")
METHODS = ("cash", "card", "other")
CONDITIONS = ("good", "damaged", "none")


def own_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of a file of ours."""
    require_columns(table, ORDER_COLUMNS, ("order_number", "sku", "quantity"), OTHER_FORMATS)
    for group in groups(table.lines, ("order_number", "source")):
        number = group[0].number
        try:
            yield _order(group, context)
        except _Bad as bad:
            yield Unread(bad.line, str(bad), len(group))
        except BadLine as bad:
            yield Unread(number, f"order {group[0].cells.get('order_number', '')[:40]}: {bad}", len(group))


class _Bad(BadLine):
    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


def _order(group: list[Line], context: Context) -> FileOrder:
    order_number = order_number_cell("order_number", group[0].cells["order_number"])
    status = one_of("status", first_said(group, "status") or STATUSES[0], STATUSES)
    method = first_said(group, "payment_method")
    discount, shipping = first_said(group, "order_discount"), first_said(group, "shipping")
    customer = first_said(group, "customer")
    lines = []
    for line in group:
        try:
            lines.append(_line(line, status, context.minor_digits))
        except BadLine as bad:
            raise _Bad(line.number, f"order {order_number[:40]}: {bad}") from bad
    command = ImportOrder(
        order_number,
        text_cell("source", group[0].cells.get("source") or SOURCE),
        tuple(lines),
        first_said(group, "store") or context.store,
        text_cell("customer", customer) if customer else None,
        amount_cell("order_discount", discount, context.minor_digits) if discount else None,
        (FeeRequest(SHIPPING, amount_cell("shipping", shipping, context.minor_digits)),) if shipping else (),
        cancelled=status == "cancelled",
        payment=one_of("payment_method", method, METHODS) if method else None,
    )
    return FileOrder(group[0].number, command, tuple(line.number for line in group))


def _line(line: Line, status: str, minor_digits: int) -> OrderedLine:
    cells = line.cells
    test_width(cells)
    for name in ("sku", "quantity"):
        if not cells.get(name):
            raise BadLine(f"The {name} is missing.")
    quantity = number_cell("quantity", cells["quantity"])
    fulfilled = number_cell("fulfilled", cells["fulfilled"]) if cells.get("fulfilled") else None
    if fulfilled is None:
        fulfilled = quantity if status == "completed" else 0
    returned = number_cell("returned", cells.get("returned") or "0")
    if fulfilled > quantity or (status == "completed" and fulfilled != quantity):
        raise BadLine(f"fulfilled {fulfilled} of {quantity}: a completed order has gone out as a whole, none more.")
    if returned > fulfilled:
        raise BadLine(f"returned {returned}: no more than {fulfilled} have gone out.")
    price, discount = cells.get("unit_price"), cells.get("discount")
    location = cells.get("location")
    return OrderedLine(
        text_cell("sku", cells["sku"]),
        quantity,
        amount_cell("unit_price", price, minor_digits) if price else None,
        amount_cell("discount", discount, minor_digits) if discount else None,
        text_cell("location", location) if location else None,
        fulfilled,
        returned,
        one_of("condition", cells.get("condition") or CONDITIONS[0], CONDITIONS),
    )


def one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    """The cell, which must be one of the choices."""
    if text.lower() not in choices:
        raise BadLine(f"{name} {text[:40]!r} must be one of {', '.join(choices)}.")
    return text.lower()
