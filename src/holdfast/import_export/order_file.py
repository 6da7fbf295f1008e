"""What a file of orders is made of, whatever its format: orders, returns without their order, facts about stock.

    FileOrder     an order as it stands, to be taken as a whole
    FileReturn    goods that a customer brought back, by what they cost; their sales are to be found
    FileFacts     units found or written off
    Unread        rows that cannot be taken, and why

The rows of an order follow one another. Amounts are decimal strings, quantities numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from holdfast.core.records.number import Number, from_minor, to_minor
from holdfast.core.sales.order_import import ImportOrder
from holdfast.import_export.cells import amount_text, quantity_cell
from holdfast.import_export.table import BadLine, Line, without_currency

TITLE_MAX = 200
"""Most characters of what a line is called."""


class LineName(NamedTuple):
    """What a file calls the product of a line: its SKU there (blank: none), its title, the option that was chosen."""

    sku: str
    title: str = ""
    option: str = ""

    @property
    def words(self) -> str:
        """Title and option in one text; the SKU where there is none."""
        return " - ".join(filter(None, (self.title, self.option)))[:TITLE_MAX].strip() or self.sku


class FileOrder(NamedTuple):
    """An order; `rows` are the file's lines of its lines, `names` what the file calls each of them."""

    line: int
    command: ImportOrder
    rows: tuple[int, ...]
    notes: tuple[str, ...] = ()
    names: tuple[LineName, ...] = ()

    @property
    def name(self) -> str:
        """How it is called when something is said about it."""
        return f"order {self.command.order_number}"


class BackRow(NamedTuple):
    """Units of a SKU that came back, at what they cost each."""

    line: int
    sku: str
    quantity: int
    unit_price: str


class FileReturn(NamedTuple):
    """Goods that a customer brought back, as one document of the file."""

    line: int
    number: str
    customer: str | None
    rows: tuple[BackRow, ...]

    @property
    def name(self) -> str:
        """How it is called when something is said about it."""
        return f"return {self.number}"


class FactRow(NamedTuple):
    """Units of a SKU that were found (positive) or lost."""

    line: int
    sku: str
    quantity: int


class FileFacts(NamedTuple):
    """Units found or written off, as one document of the file."""

    line: int
    number: str
    reason: str
    rows: tuple[FactRow, ...]

    @property
    def name(self) -> str:
        """How it is called when something is said about it."""
        return f"adjustment {self.number}"


class Unread(NamedTuple):
    """An order, or what should be one, that cannot be understood."""

    line: int
    words: str
    rows: int = 1


class Passed(NamedTuple):
    """Rows of which nothing is taken, and why that is right."""

    line: int
    words: str
    rows: int = 1


Item = FileOrder | FileReturn | FileFacts | Unread | Passed


class Context(NamedTuple):
    """What a format needs to know: the currency, the store of orders without one, what becomes of refunded goods, by
    which clock times without an offset are told, and whether money is booked on the day of the order."""

    currency: str
    minor_digits: int
    store: str | None
    condition: str
    timezone: str = "UTC"
    post_on_order_date: bool = False


def groups(lines: Iterator[Line], columns: tuple[str, ...], *, blank_continues: bool = False) -> Iterator[list[Line]]:
    """Lines that follow one another with the same cells in `columns`; a blank first cell may continue the order."""
    group: list[Line] = []
    for line in lines:
        known = {name: group[0].cells.get(name, "") for name in columns} if group else {}
        same = group and all(line.cells.get(name, "") == known[name] for name in columns)
        if not (same or (group and blank_continues and not line.cells.get(columns[0]))):
            if group:
                yield group
            group = []
        group.append(line)
    if group:
        yield group


def number_cell(name: str, text: str) -> Number:
    """A quantity of 0 or more; a plain int where it is whole."""
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text)
    number = quantity_cell(name, text)
    if number < 0:
        raise BadLine(f"{name} {text[:40]!r} is less than 0.")
    return int(number) if number == number.to_integral_value() else number


def amount_cell(name: str, text: str, minor_digits: int) -> str:
    """An amount of money of 0 or more, as a decimal string."""
    amount = to_minor(amount_text(text), minor_digits)
    if amount is None or amount < 0:
        raise BadLine(f"{name} {text[:40]!r} is no amount such as {from_minor(1999, minor_digits)}.")
    return from_minor(amount, minor_digits)


SYMBOLS = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD"),
    "\u20ac": ("EUR",),
    "\u00a3": ("GBP", "EGP", "GIP", "FKP", "SHP"),
    "\u00a5": ("JPY", "CNY"),
}
"""Signs of money, and the currencies that are written with them."""


def money_cell(name: str, text: str, context: Context, *, signed: bool = False) -> int:
    """An amount of money in minor units, with a sign or code of the currency or without; (3.00) is less than 0."""
    if not text:
        return 0
    bare, sign = without_currency(text)
    if sign and context.currency not in SYMBOLS.get(sign, (sign.upper(),)):
        raise BadLine(f"{name} {text[:40]!r} is in {sign}, the organisation's money is {context.currency}.")
    amount = to_minor(amount_text(bare), context.minor_digits)
    if amount is None or (amount < 0 and not signed):
        raise BadLine(f"{name} {text[:40]!r} is no amount such as {from_minor(1999, context.minor_digits)}.")
    return amount


def in_words(amount: int, context: Context) -> str:
    """Minor units as a decimal string."""
    return from_minor(amount, context.minor_digits)


def minor_of(text: str, minor_digits: int) -> int:
    """The minor units of an amount that was understood already."""
    amount = to_minor(text, minor_digits)
    assert amount is not None, text
    return amount


def first_said(group: list[Line], name: str) -> str:
    """What an order's rows say in a column that is about the order: once, or the same on every row."""
    said = ""
    for line in group:
        cell = line.cells.get(name, "")
        if cell and said and cell != said:
            raise BadLine(f"Line {line.number} says {name} {cell[:40]!r}, a line before it {said[:40]!r}.")
        said = said or cell
    return said


def unprefixed(cells: Mapping[str, str], name: str) -> str:
    """The cell without the apostrophe that keeps spreadsheets quiet."""
    return cells.get(name, "").removeprefix("'")
