"""Order files with a row for each line: a table of columns says what stands where, one reader reads them all.

    ETSY = Layout("etsy", "Etsy's sold order items", {"order_number": ("order id",), "sku": ("sku",), ...}, ...)
    layout_orders(ETSY, table, context)     -> the orders of the file

Columns of an order stand on its first row, or the same on all; where a format says so they stand on each row for that
row, and are added up. What is stated (tax, total, discounts, shipping, date) is taken as it is. It refuses to guess: an
unknown status is an order that still has to go out, and is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from holdfast.core.sales.order_entry import FeeRequest
from holdfast.core.sales.order_facts import OrderedLine, OrderFacts, OrderTax
from holdfast.core.sales.order_import import ImportOrder
from holdfast.core.sales.order_refunds import OrderRefund
from holdfast.import_export.cells import order_number_cell, text_cell
from holdfast.import_export.layout import Layout
from holdfast.import_export.order_file import (
    Context,
    FileOrder,
    Item,
    LineName,
    Passed,
    Unread,
    groups,
    in_words,
    money_cell,
    number_cell,
)
from holdfast.import_export.order_time import ordered_at
from holdfast.import_export.table import BadLine, Line, Table

SHIPPING = "Shipping"
TIP = "Tip"
TAX = "Tax"

MONEY_OF_LINE = ("unit_price", "gross", "discount", "tax")
MONEY_OF_ORDER = ("shipping", "shipping_discount", "order_discount", "order_tax", "tip", "total", "refunded", "unpaid")
MONEY_OF_ROW = ("row_shipping", "row_shipping_tax", "row_shipping_discount", "row_discount")
"""Fields of an order that stand on each row for that row, and are added up."""

NUMBERS = frozenset({"quantity", *MONEY_OF_LINE, *MONEY_OF_ORDER, *MONEY_OF_ROW})
"""Fields of numbers."""


def numbers_of(layout: Layout) -> frozenset[str]:
    """Headers of numbers."""
    return frozenset(name for field in NUMBERS for name in layout.headers(field))


class State(NamedTuple):
    """How an order stands: has it gone out, was it given up, did all of it come back, is it paid?"""

    gone: bool = False
    cancelled: bool = False
    back: bool = False
    paid: bool = False


GONE = State(gone=True, paid=True)
WAITING = State(paid=True)
UNPAID = State()
CANCELLED = State(cancelled=True)
BACK = State(gone=True, back=True, paid=True)

STATUSES: dict[str, State] = {
    "completed": GONE,
    "complete": GONE,
    "fulfilled": GONE,
    "delivered": GONE,
    "shipped": GONE,
    "suspended": WAITING,
    "processing": WAITING,
    "paid": WAITING,
    "unshipped": WAITING,
    "open": UNPAID,
    "pending": UNPAID,
    "on hold": UNPAID,
    "on-hold": UNPAID,
    "unpaid": UNPAID,
    "pending payment": UNPAID,
    "cancelled": CANCELLED,
    "canceled": CANCELLED,
    "failed": CANCELLED,
    "voided": CANCELLED,
    "trash": CANCELLED,
    "refunded": BACK,
}
"""Words for how an order stands."""


def layout_orders(layout: Layout, table: Table, context: Context) -> Iterator[Item]:
    """The orders of a file."""
    named = next(name for name in layout.headers("order_number") if name in table.columns)
    for group in groups(table.lines, (named,), blank_continues=True):
        yield order_of(layout, group, table.columns, context)


def order_of(layout: Layout, group: list[Line], columns: tuple[str, ...], context: Context) -> Item:
    """The order of rows, or why there is none."""
    number = layout.cell(group[0].cells, "order_number")[:40]
    try:
        return _order(layout, group, columns, context)
    except BadLine as bad:
        return Unread(group[0].number, f"order {number}: {bad}", len(group))


class _Amounts(NamedTuple):
    """What rows say of the money of their order, in minor units; None: there is no such column."""

    layout: Layout
    group: list[Line]
    context: Context

    def once(self, field: str) -> int:
        """An amount of the order: on one row, or the same on all; where rows differ, their sum."""
        found = [self._cell(line, field) for line in self.group]
        said = [amount for amount in found if amount]
        return said[0] if len(set(said)) == 1 else sum(said)

    def each(self, field: str) -> int:
        """The sum of an amount that stands on each row for that row."""
        return sum(abs(self._cell(line, field)) for line in self.group)

    def _cell(self, line: Line, field: str) -> int:
        return money_cell(field, self.layout.cell(line.cells, field), self.context, signed=field.endswith("discount"))


def _order(layout: Layout, group: list[Line], columns: tuple[str, ...], context: Context) -> Item:
    def said(field: str) -> str:
        return next((text for line in group if (text := layout.cell(line.cells, field))), "")

    order_number = order_number_cell("order number", said("order_number"))
    currency = said("currency").upper()
    if currency and currency != context.currency:
        raise BadLine(f"it is in {currency[:10]}, the organisation's money is {context.currency}.")
    notes: list[str] = []
    state = _state(layout, group, columns, notes)
    lines, names, rows = [], [], []
    for line in group:
        if not layout.cell(line.cells, "quantity") and not layout.cell(line.cells, "title"):
            continue
        try:
            ordered = _line(layout, line, state, context)
        except BadLine as bad:
            raise BadLine(f"line {line.number}: {bad}") from bad
        if ordered is not None:
            lines.append(ordered)
            names.append(LineName(*(layout.cell(line.cells, field) for field in ("sku", "title", "option"))))
            rows.append(line.number)
    if not lines:
        return Passed(
            group[0].number, f"order {order_number}: it has no units, so there is nothing to take.", len(group)
        )
    money = _Amounts(layout, group, context)
    if state.back:
        notes.append(f"refunded: its goods come back as {context.condition!r}; --restock tells otherwise.")
    refunded = money.once("refunded")
    discount = abs(money.once("order_discount")) + money.each("row_discount")
    command = ImportOrder(
        order_number,
        layout.source,
        tuple(lines),
        context.store,
        text_cell("customer", said("customer")[:200]) if said("customer") else None,
        in_words(discount, context) if discount else None,
        _fees(money, context),
        cancelled=state.cancelled,
        payment=method_of(said("payment_method"), notes) if state.paid else None,
        facts=_facts(layout, money, columns),
        ordered_at=ordered_at("the order's date", _when(layout, group[0]), context.timezone, layout.day_order),
        post_on_order_date=context.post_on_order_date,
        refunded=OrderRefund(in_words(refunded, context), in_all=True) if refunded else None,
    )
    return FileOrder(group[0].number, command, tuple(rows), tuple(notes), tuple(names))


def _when(layout: Layout, line: Line) -> str:
    day, clock = layout.cell(line.cells, "date"), layout.cell(line.cells, "time")
    return f"{day} {clock}" if day and clock else day


def _state(layout: Layout, group: list[Line], columns: tuple[str, ...], notes: list[str]) -> State:
    """How the order stands: by its status, or by whether it has a date of shipment."""
    word = next((text for line in group if (text := layout.cell(line.cells, "status"))), "")
    if not word and layout.has(columns, "shipped_at"):
        paid = bool(layout.cell(group[0].cells, "paid_at")) or not layout.has(columns, "paid_at")
        return State(gone=bool(layout.cell(group[0].cells, "shipped_at")), paid=paid)
    state = STATUSES.get(word.lower().removeprefix("wc-").partition(" - ")[0].strip()) if word else GONE
    if state is None:
        notes.append(f"its status {word[:40]!r} is not known: it waits, unpaid.")
        return UNPAID
    return state


def method_of(word: str, notes: list[str]) -> str:
    """The method of payment that a word means: cash, or something else that has to be settled."""
    if "gift card" in word.lower():
        notes.append(f"paid by {word[:60]!r}: what of it a gift card paid is not known, all of it is booked as other.")
    return word.lower() if word.lower() in ("cash", "card") else "other"


def _line(layout: Layout, line: Line, state: State, context: Context) -> OrderedLine | None:
    cells = line.cells
    quantity = number_cell("quantity", layout.cell(cells, "quantity") or "1")
    if not quantity:
        return None
    own = state
    if status := layout.cell(cells, "line_status"):
        own = STATUSES.get(status.lower().partition(" - ")[0].strip(), state)
    price, gross = layout.cell(cells, "unit_price"), layout.cell(cells, "gross")
    discount = abs(money_cell("discount", layout.cell(cells, "discount"), context, signed=True))
    tax = money_cell("tax", layout.cell(cells, "tax"), context)
    return OrderedLine(
        layout.cell(cells, "sku") or None,
        quantity,
        in_words(money_cell("price", price, context), context) if price else None,
        in_words(discount, context) if discount else None,
        fulfilled=quantity if own.gone and not state.cancelled else 0,
        returned=quantity if own.back and own.gone else 0,
        condition=context.condition,
        gross=in_words(money_cell("price", gross, context), context) if gross else None,
        taxes=(OrderTax(layout.tax_name, in_words(tax, context)),) if tax else (),
    )


def _fees(money: _Amounts, context: Context) -> tuple[FeeRequest, ...]:
    shipping = money.once("shipping") + money.each("row_shipping")
    shipping -= abs(money.once("shipping_discount")) + money.each("row_shipping_discount")
    tip = money.once("tip")
    fees = [FeeRequest(SHIPPING, in_words(shipping, context))] if shipping > 0 else []
    if tip:
        fees.append(FeeRequest(TIP, in_words(tip, context), tip=True))
    return tuple(fees)


def _facts(layout: Layout, money: _Amounts, columns: tuple[str, ...]) -> OrderFacts | None:
    """The money that the file states; None where it states neither tax nor total."""
    stated = ("total", "order_tax", "tax", "row_shipping_tax")
    if not any(layout.has(columns, field) for field in stated):
        return None
    context = money.context
    tax = money.once("order_tax") + money.each("row_shipping_tax")
    has_total = any(layout.cell(line.cells, "total") for line in money.group)
    unpaid = money.once("unpaid")
    return OrderFacts(
        in_words(money.once("total"), context) if has_total else None,
        (OrderTax(layout.tax_name, in_words(tax, context)),) if tax else (),
        layout.tax_included,
        in_words(unpaid, context) if unpaid else None,
    )
