"""A line of a stock file, read and understood: its cells, and the product, location and units that they mean.

    sku,location,quantity,unit_cost,lot_code,expires_at
    MUG-1,main,40,3.5,A7,            -> StockLine("MUG-1", "main", 40, unit_cost="3.5", lot_code="A7", ...)

The columns of `holdfast export stock` are known as well: `value` is what the units cost together, the others say what
is known here anyway. Refused (BadLine): a missing cell, what is no number, amount or date, a cost said twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from holdfast.core.records.number import Number, to_minor, to_unit_cost, unit_cost_of
from holdfast.core.records.organisation import Location
from holdfast.core.records.product import Product, folded
from holdfast.core.records.time import day_of, instant_of
from holdfast.core.warehouse.receiving import ReceiptLine, Receive
from holdfast.db.stock_lines import Meaning
from holdfast.import_export.cells import amount_text, code_cell, quantity_cell, text_cell
from holdfast.import_export.table import BadLine, Table, test_width

STOCK_COLUMNS = ("sku", "location", "quantity", "unit_cost", "lot_code", "expires_at", "value")
EXPORTED_COLUMNS = (
    "title",
    "gtin",
    "store",
    "location_kind",
    "reserved_quantity",
    "available_quantity",
    "backordered_quantity",
)
"""Columns of an export that say nothing new to an import."""

NUMBERS = frozenset({"quantity", "unit_cost", "value"})


class StockLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line: `unit_cost` and `value` (of all its units) as decimal strings; expiry as instant or day.

    `product_id`, `location_id` and `units` are None where the line names something that is not there.
    """

    sku: str
    location: str
    quantity: Decimal
    unit_cost: str | None = None
    value: str | None = None
    lot_code: str | None = None
    expires_at: int | None = None
    expires_on: str | None = None
    product_id: str | None = None
    location_id: str | None = None
    units: int | None = None
    precision: int = 0

    @property
    def number(self) -> Number:
        """The quantity as commands take it."""
        return int(self.quantity) if self.quantity == self.quantity.to_integral_value() else self.quantity

    @property
    def place(self) -> tuple[str, str] | None:
        """Product id and location id, when both are there and the quantity fits."""
        if self.product_id is None or self.location_id is None or self.units is None:
            return None
        return self.product_id, self.location_id


def is_export(table: Table) -> bool:
    """Was the file written by `holdfast export stock`? It says what is there, not what came in."""
    return "available_quantity" in table.columns


def stock_line(cells: Mapping[str, str], minor_digits: int) -> StockLine:
    """Read a line; what it names is not looked up yet."""
    test_width(cells)
    for name in ("sku", "location", "quantity"):
        if not cells.get(name):
            raise BadLine(f"The {name} is missing.")
    expires = cells.get("expires_at") or None
    at = None if expires is None else instant_of(expires)
    day = None if expires is None else day_of(expires)
    if expires is not None and at is None and day is None:
        raise BadLine(f"expires_at {expires[:40]!r} is neither a day (2027-03-01) nor a time (2027-03-01T09:00:00Z).")
    cost = amount_text(cells.get("unit_cost", "")) or None
    if cost is not None and (to_unit_cost(cost) is None or cost.startswith("-")):
        raise BadLine(f"unit_cost {cost[:40]!r} is no amount such as 3.50.")
    value = amount_text(cells.get("value", "")) or None
    worth = 0 if value is None else to_minor(value, minor_digits)
    if worth is None or worth < 0:
        raise BadLine(f"value {str(value)[:40]!r} is no amount such as 70.00.")
    if cost is not None and value is not None:
        raise BadLine("Give unit_cost or value, not both.")
    lot_code = cells.get("lot_code") or None
    return StockLine(
        text_cell("sku", cells["sku"]),
        text_cell("location", cells["location"]),
        quantity_cell("quantity", cells["quantity"]),
        unit_cost=cost,
        value=value if worth else None,
        lot_code=None if lot_code is None else code_cell("lot_code", lot_code),
        expires_at=at,
        expires_on=day,
    )


def understood(line: StockLine, products: Mapping[str, Product], locations: Mapping[str, Location]) -> StockLine:
    """The line with the ids and units that it means; what cannot be counted keeps none."""
    product, place = products.get(line.sku), locations.get(folded(line.location))
    if product is None or place is None or product.unlimited:
        return line
    units = product.units(line.number)
    return msgspec.structs.replace(
        line, product_id=product.id, location_id=place.id, units=units, precision=product.precision
    )


def priced_request(line: StockLine, products: Mapping[str, Product], minor_digits: int) -> Meaning | None:
    """What the line means as opening stock; None where it means nothing that could be received."""
    place = line.place
    if place is None or line.units is None or line.units < 0:
        return None
    cost = to_unit_cost(line.unit_cost or "0") or 0
    if line.value is not None and line.units:
        worth = to_minor(line.value, minor_digits) or 0
        cost = unit_cost_of(worth, line.units, products[line.sku].precision, minor_digits)
    return Meaning(*place, line.lot_code, line.units, cost, line.expires_at, line.expires_on)


def receipt(line: StockLine, reference: str | None) -> Receive:
    """The command that takes the line as opening stock."""
    received = ReceiptLine(
        line.sku,
        line.number,
        unit_cost=line.unit_cost,
        line_cost=line.value,
        lot_code=line.lot_code,
        expires_at=line.expires_at,
        expires_on=line.expires_on,
    )
    return Receive(line.location, (received,), kind="opening", reference=reference)
