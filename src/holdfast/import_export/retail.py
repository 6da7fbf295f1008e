"""The retail data set (UCI Online Retail: InvoiceNo, StockCode, Quantity, UnitPrice, CustomerID): a year of a shop.

    invoice                                  -> a completed sale; equal rows are lines of their own
    invoice "C...", negative rows            -> goods brought back
    negative rows of another invoice         -> written off
    free rows without a customer             -> found
    invoice "A..." (bad debt)                -> named and refused: it is no sale

Codes are folded to upper case, prices rounded to the currency's smallest unit. What sales a return belongs to is
looked up in `holdfast.db.open_purchases`, so that memory does not grow with the year.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from holdfast.core.sales.order_facts import OrderedLine
from holdfast.core.sales.order_import import ImportOrder
from holdfast.import_export.cells import code_cell, order_number_cell, quantity_cell, text_cell
from holdfast.import_export.order_file import BackRow, Context, FactRow, FileFacts, FileOrder, FileReturn, Item, Unread
from holdfast.import_export.table import BadLine, Line, Table

RETAIL = "retail"
RETAIL_NUMBERS = ("quantity", "unitprice")
"""Headers of numbers."""
COLUMNS = ("invoiceno", "stockcode", "description", "quantity", "invoicedate", "unitprice", "customerid", "country")
METHOD = "other"
"""The shop sold by post, on account."""

OPEN_INVOICES = 4
"""Invoices whose rows may be mixed with one another's: the year has one such."""

QUANTITY_MAX = 10**9


class _Row(NamedTuple):
    line: int
    sku: str
    quantity: int
    price: str


def is_retail(columns: tuple[str, ...]) -> bool:
    """Is it the retail data set?"""
    return "invoiceno" in columns and "stockcode" in columns


def retail_items(table: Table, context: Context) -> Iterator[Item]:
    """What happened, in the order of the file, which is that of time."""
    for invoice, lines in _invoices(table.lines):
        yield from _items(invoice, lines, context)


def _invoices(lines: Iterator[Line]) -> Iterator[tuple[str, list[Line]]]:
    """Invoices with their rows; a few are kept open for rows that come late."""
    waiting: OrderedDict[str, list[Line]] = OrderedDict()
    for line in lines:
        invoice = line.cells.get("invoiceno", "")
        if invoice not in waiting and len(waiting) >= OPEN_INVOICES:
            yield waiting.popitem(last=False)
        waiting.setdefault(invoice, []).append(line)
    yield from waiting.items()


def _items(invoice: str, lines: list[Line], context: Context) -> Iterator[Item]:
    first = lines[0]
    try:
        order_number_cell("InvoiceNo", invoice)
        if invoice.startswith("A"):
            raise BadLine("it adjusts bad debt, it is no sale.")
        customer = first.cells.get("customerid", "").removesuffix(".0") or None
        if customer is not None:
            code_cell("CustomerID", customer)
        rows = [_row(line, context) for line in lines]
    except BadLine as bad:
        yield Unread(first.number, f"invoice {invoice[:40]}: {bad}", len(lines))
        return
    if invoice.startswith("C"):
        back = tuple(BackRow(row.line, row.sku, -row.quantity, row.price) for row in rows if row.quantity < 0)
        if len(back) < len(rows):
            yield Unread(first.number, f"invoice {invoice}: a cancellation has positive rows.", len(lines))
        else:
            yield FileReturn(first.number, invoice, customer, back)
        return
    free = customer is None
    lost = [row for row in rows if row.quantity < 0]
    found = [row for row in rows if row.quantity > 0 and free and Decimal(row.price) == 0]
    sold = [row for row in rows if row.quantity > 0 and not (free and Decimal(row.price) == 0)]
    for reason, facts in (("found", found), ("written off", lost)):
        if facts:
            moved = tuple(FactRow(row.line, row.sku, row.quantity) for row in facts)
            yield FileFacts(facts[0].line, invoice, f"{reason}, {invoice}", moved)
    if sold:
        command = ImportOrder(
            invoice,
            RETAIL,
            tuple(OrderedLine(row.sku, row.quantity, row.price, fulfilled=row.quantity) for row in sold),
            context.store,
            customer,
            payment=METHOD,
        )
        yield FileOrder(sold[0].line, command, tuple(row.line for row in sold))


def _row(line: Line, context: Context) -> _Row:
    cells = line.cells
    try:
        number = quantity_cell("Quantity", cells.get("quantity", ""))
        price = quantity_cell("UnitPrice", cells.get("unitprice", ""))
    except BadLine as bad:
        raise BadLine(f"line {line.number} has no quantity or price. {bad}") from bad
    quantity = int(number)
    if quantity != number:
        raise BadLine(f"line {line.number} has a quantity that is not whole.")
    if not quantity or abs(quantity) > QUANTITY_MAX or price < 0:
        raise BadLine(f"line {line.number} has a quantity of 0 or a price below 0.")
    rounded = price.quantize(Decimal(1).scaleb(-context.minor_digits), ROUND_HALF_UP)
    return _Row(line.number, text_cell("StockCode", cells.get("stockcode", "").upper()), quantity, f"{rounded:f}")
