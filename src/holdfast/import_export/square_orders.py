"""Square's item report: a row an item of a transaction, refunds as rows with negative numbers.

The rows of a transaction may stand anywhere in the file, so the file is read as a whole. A refund belongs to the row
of the same item of its transaction; one whose sale is not in the file is named. Everything was paid and handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from holdfast.import_export.cells import quantity_cell
from holdfast.import_export.layout import Layout
from holdfast.import_export.order_file import Context, FileOrder, Item, Unread
from holdfast.import_export.order_layout import order_of
from holdfast.import_export.table import BadLine, Line, Table

replace = msgspec.structs.replace

SQUARE = Layout(
    "square",
    "Square's item report",
    "square",
    {
        "order_number": ("transaction id",),
        "date": ("date",),
        "time": ("time",),
        "title": ("item",),
        "option": ("price point name",),
        "sku": ("sku",),
        "quantity": ("qty",),
        "gross": ("gross sales",),
        "discount": ("discounts",),
        "tax": ("tax",),
        "customer": ("customer name",),
    },
    marks=("transaction id", "price point name", "gross sales"),
    needed=("order_number", "title", "quantity", "gross"),
    tax_included=False,
)

TIMEZONES = {
    "eastern time (us & canada)": "America/New_York",
    "central time (us & canada)": "America/Chicago",
    "mountain time (us & canada)": "America/Denver",
    "pacific time (us & canada)": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "london": "Europe/London",
    "dublin": "Europe/Dublin",
    "sydney": "Australia/Sydney",
    "tokyo": "Asia/Tokyo",
}
"""What Square calls time zones; of another one the organisation's clock is taken."""

_REGULAR = "regular"
"""The price point of an item that has only one."""


def square_orders(table: Table, context: Context) -> Iterator[Item]:
    """The transactions of the report, in the order in which they begin."""
    sold: dict[str, list[Line]] = {}
    refunded: dict[str, list[Line]] = {}
    for line in table.lines:
        back = line.cells.get("event type", "").lower() == "refund" or line.cells.get("qty", "").startswith("-")
        (refunded if back else sold).setdefault(line.cells.get("transaction id", ""), []).append(_plain(line))
    for number, lines in sold.items():
        zone = TIMEZONES.get(lines[0].cells.get("time zone", "").lower(), context.timezone)
        item = order_of(SQUARE, lines, table.columns, context._replace(timezone=zone))
        yield _with_refunds(item, lines, refunded.pop(number, []))
    for number, lines in refunded.items():
        words = f"refund of {number[:40]}: its sale is not in this file; import a file with both."
        yield Unread(lines[0].number, words, len(lines))


def _plain(line: Line) -> Line:
    """The row without the name of the only price point, which is no option."""
    point = line.cells.get("price point name", "")
    return Line(line.number, {**line.cells, "price point name": ""}) if point.lower() == _REGULAR else line


def _with_refunds(item: Item, lines: list[Line], refunds: list[Line]) -> Item:
    """The order with what came back of each of its rows."""
    if not isinstance(item, FileOrder) or not refunds:
        return item
    back = [line.returned for line in item.command.lines]
    at = {line.number: index for index, line in enumerate(lines)}
    places = [at[row] for row in item.rows]
    notes = list(item.notes)
    for refund in refunds:
        try:
            units = abs(quantity_cell("Qty", refund.cells.get("qty", "")))
        except BadLine as bad:
            return Unread(refund.number, f"{item.name}: {bad}")
        for index, place in enumerate(places):
            if units and _same_item(lines[place].cells, refund.cells):
                part = min(units, item.command.lines[index].quantity - back[index])
                back[index] += part
                units -= part
        if units:
            notes.append(f"line {refund.number}: {units} more came back than the file says were sold.")
    changed = tuple(
        replace(line, returned=int(units) if units == int(units) else units)
        for line, units in zip(item.command.lines, back, strict=True)
    )
    return item._replace(command=replace(item.command, lines=changed), notes=tuple(notes))


def _same_item(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return all(one.get(name, "") == other.get(name, "") for name in ("item", "price point name", "sku"))
