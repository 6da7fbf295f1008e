"""Our own file of orders: a row a line, the rows of an order together, what is about the order on any of them.

    order_number,ordered_at,customer,payment_method,sku,quantity,unit_price,discount,tax,total
    1001,2026-01-02,Ana,card,MUG-1,2,12.50,,4.00,29.00
    1001,,,,TEA-1,1,6.00,6.00,,

`status` is `completed` unless said otherwise; `suspended` is an order that still has to go out (`fulfilled` tells how
much did), `cancelled` one that never will. What came back stands in `returned`. An order with `tax` or `total` states
its money, and is taken as it is; another one is priced here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from holdfast.core.records.number import RATE_WHOLE, to_unit_cost
from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund
from holdfast.import_export.cells import order_number_cell, text_cell
from holdfast.import_export.order_file import (
    Context,
    FileOrder,
    Item,
    LineName,
    Unread,
    first_said,
    groups,
    in_words,
    money_cell,
    number_cell,
)
from holdfast.import_export.order_layout import SHIPPING, STATUSES, TAX, TIP, State, method_of
from holdfast.import_export.order_time import ordered_at
from holdfast.import_export.table import BadLine, Line, Table, require_columns, test_width

ORDER_COLUMNS = (
    "order_number",
    "source",
    "status",
    "ordered_at",
    "customer",
    "store",
    "payment_method",
    "order_discount",
    "shipping",
    "tip",
    "tax",
    "tax_rate",
    "total",
    "unpaid",
    "refunded",
    "refunded_at",
    "title",
    "option",
    "sku",
    "quantity",
    "unit_price",
    "discount",
    "line_tax",
    "location",
    "fulfilled",
    "returned",
    "condition",
)
OWN_NUMBERS = frozenset(
    {
        "order_discount",
        "shipping",
        "tip",
        "tax",
        "total",
        "unpaid",
        "refunded",
        "quantity",
        "unit_price",
        "discount",
        "line_tax",
        "fulfilled",
        "returned",
    }
)
"""Columns of numbers."""

SAME_AS = {"created_at": "ordered_at", "order_date": "ordered_at", "date": "ordered_at"}
"""Other names of columns."""

SOURCE = "import"
"""Where orders come from when the file does not say."""

CONDITIONS = ("good", "damaged", "none")


class _Bad(BadLine):
    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line = line


class _Order(NamedTuple):
    """What the rows of an order say that is about the order."""

    group: list[Line]
    context: Context

    def text(self, name: str) -> str:
        """The cell of a column, the same on every row that has one."""
        return first_said(self.group, name)

    def money(self, name: str) -> str | None:
        """An amount; None where no row has one."""
        text = self.text(name)
        return in_words(money_cell(name, text, self.context), self.context) if text else None


def own_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of a file of ours."""
    table = renamed(table, SAME_AS)
    require_columns(table, ORDER_COLUMNS, ("order_number", "quantity"))
    if not {"sku", "title"}.intersection(table.columns):
        require_columns(table, ORDER_COLUMNS, ("sku",))
    for group in groups(table.lines, ("order_number", "source")):
        number = group[0].number
        try:
            yield _order(group, context)
        except _Bad as bad:
            yield Unread(bad.line, str(bad), len(group))
        except BadLine as bad:
            yield Unread(number, f"order {group[0].cells.get('order_number', '')[:40]}: {bad}", len(group))


def renamed(table: Table, names: Mapping[str, str]) -> Table:
    """The table with other names for some of its columns, unless it has these already."""
    known = {old: new for old, new in names.items() if old in table.columns and new not in table.columns}
    if not known:
        return table
    columns = tuple(known.get(name, name) for name in table.columns)
    lines = (
        Line(line.number, {known.get(name, name): cell for name, cell in line.cells.items()}) for line in table.lines
    )
    return Table(columns, lines)


def _order(group: list[Line], context: Context) -> FileOrder:
    order = _Order(group, context)
    order_number = order_number_cell("order_number", group[0].cells["order_number"])
    notes: list[str] = []
    word = order.text("status").lower() or "completed"
    state = STATUSES.get(word)
    if state is None:
        raise BadLine(f"status {word[:40]!r} is not known: it is completed, suspended, cancelled or refunded.")
    lines = []
    for line in group:
        try:
            lines.append(_line(line, state, context))
        except BadLine as bad:
            raise _Bad(line.number, f"order {order_number[:40]}: {bad}") from bad
    refunded, method = order.money("refunded"), order.text("payment_method")
    customer = order.text("customer")
    command = ImportOrder(
        order_number,
        text_cell("source", group[0].cells.get("source") or SOURCE),
        tuple(lines),
        order.text("store") or context.store,
        text_cell("customer", customer) if customer else None,
        order.money("order_discount"),
        _fees(order),
        cancelled=state.cancelled,
        payment=method_of(method, notes) if method else None,
        facts=_facts(order),
        ordered_at=ordered_at("ordered_at", order.text("ordered_at"), context.timezone),
        post_on_order_date=context.post_on_order_date,
        refunded=None if refunded is None else OrderRefund(refunded, in_all=state.back),
        refunded_at=ordered_at("refunded_at", order.text("refunded_at"), context.timezone),
    )
    names = [LineName(*(line.cells.get(name, "") for name in ("sku", "title", "option"))) for line in group]
    return FileOrder(group[0].number, command, tuple(line.number for line in group), tuple(notes), tuple(names))


def _fees(order: _Order) -> tuple[FeeRequest, ...]:
    shipping, tip = order.money("shipping"), order.money("tip")
    fees = [] if shipping is None else [FeeRequest(SHIPPING, shipping)]
    if tip is not None:
        fees.append(FeeRequest(TIP, tip, tip=True))
    return tuple(fees)


def _facts(order: _Order) -> OrderFacts | None:
    """The money that the order states; None where it says neither a tax nor a total."""
    tax, total = order.money("tax"), order.money("total")
    if tax is None and total is None and not any(line.cells.get("line_tax") for line in order.group):
        return None
    taxes = () if tax is None else (OrderTax(TAX, tax, rate_cell("tax_rate", order.text("tax_rate"))),)
    return OrderFacts(total, taxes, unpaid=order.money("unpaid"))


def rate_cell(name: str, text: str) -> str | None:
    """A rate: 0.08 or 8%; None where it is blank."""
    if not text:
        return None
    percent = text.endswith("%")
    rate = to_unit_cost(text.removesuffix("%").strip())
    if rate is None or not 0 <= rate <= RATE_WHOLE * (100 if percent else 1) or (percent and rate % 100):
        raise BadLine(f"{name} {text[:40]!r} is no rate such as 0.08 or 8%.")
    return f"{(rate // 100 if percent else rate) / RATE_WHOLE:.6f}"


def _line(line: Line, state: State, context: Context) -> OrderedLine:
    cells = line.cells
    test_width(cells)
    if not cells.get("sku") and not cells.get("title"):
        raise BadLine("The sku is missing, and so is a title.")
    if not cells.get("quantity"):
        raise BadLine("The quantity is missing.")
    quantity = number_cell("quantity", cells["quantity"])
    fulfilled = number_cell("fulfilled", cells["fulfilled"]) if cells.get("fulfilled") else None
    if fulfilled is None:
        fulfilled = quantity if state.gone else 0
    returned = number_cell("returned", cells["returned"]) if cells.get("returned") else None
    if returned is None:
        returned = fulfilled if state.back else 0
    if fulfilled > quantity or (state.gone and fulfilled != quantity):
        raise BadLine(f"fulfilled {fulfilled} of {quantity}: a completed order has gone out as a whole, none more.")
    if returned > fulfilled:
        raise BadLine(f"returned {returned}: no more than {fulfilled} have gone out.")
    location, tax = cells.get("location"), _money(cells, "line_tax", context)
    condition = cells.get("condition") or (context.condition if state.back else CONDITIONS[0])
    return OrderedLine(
        text_cell("sku", cells["sku"]) if cells.get("sku") else None,
        quantity,
        _money(cells, "unit_price", context),
        _money(cells, "discount", context),
        text_cell("location", location) if location else None,
        fulfilled,
        returned,
        one_of("condition", condition, CONDITIONS),
        taxes=() if tax is None else (OrderTax(TAX, tax),),
    )


def _money(cells: Mapping[str, str], name: str, context: Context) -> str | None:
    text = cells.get(name, "")
    return in_words(money_cell(name, text, context), context) if text else None


def one_of(name: str, text: str, choices: tuple[str, ...]) -> str:
    """The cell, which must be one of the choices."""
    if text.lower() not in choices:
        raise BadLine(f"{name} {text[:40]!r} must be one of {', '.join(choices)}.")
    return text.lower()
