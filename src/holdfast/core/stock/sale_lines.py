"""The sale lines that holds are for: found, and told of the units that leave.

    lines_of(stock, sale)                          -> its lines, in their order
    count_on_line(stock, line_id, 2, first)        -> 2 units of the line have gone out, from those lots

A hold names its line, so units that leave by a hold are counted on the line wherever that happens.
"""

from __future__ import annotations

import msgspec

from holdfast.core.records.number import share_of_value
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Code, Refused, invalid_state, not_found
from holdfast.core.records.sale import Sale, SaleLine, Taken
from holdfast.core.records.stock import Reservation
from holdfast.core.records.wants import SaleById, SaleOfLine
from holdfast.core.stock.posting import Stock

replace = msgspec.structs.replace


def find_sale(stock: Stock, sale_id: str) -> Sale:
    """The sale, locked, with its lines and the levels of its active holds; refused as `look_at_sale` refuses."""
    sale = look_at_sale(stock, sale_id)
    stock.holds_of_target(sale.id)
    return sale


def look_at_sale(stock: Stock, sale_id: str) -> Sale:
    """The sale, locked, with its lines; refused when it is not there or belongs to another store."""
    sale = known_sale(stock, sale_id)
    if sale is None:
        raise not_found(Code.SALE_NOT_FOUND, "Sale", sale_id)
    refuse_foreign_sale(stock, sale)
    return sale


def known_sale(stock: Stock, sale_id: str) -> Sale | None:
    """The sale of any store, locked, with its lines; None when there is none."""
    stock.require(SaleById(sale_id))
    stock.catalog.know_products(line.product_id for line in stock.rows_of_sale(SaleLine, sale_id))
    return stock.row(Sale, sale_id)


def may_touch_sale(stock: Stock, sale: Sale) -> bool:
    """Is the sale of a store that the caller is assigned to?"""
    return stock.caller.stores is None or sale.store_id in stock.caller.stores


def refuse_foreign_sale(stock: Stock, sale: Sale) -> None:
    """Refuse a sale of a store that the caller is not assigned to."""
    if not may_touch_sale(stock, sale):
        raise Refused(Code.FORBIDDEN, "You may not touch this sale: it belongs to another store.")


def refuse_finished_sale(sale: Sale) -> None:
    """Refuse to change a sale that is completed or cancelled (INVALID_STATE)."""
    if not sale.unfinished:
        raise wrong_status(sale)


def wrong_status(sale: Sale) -> Refused:
    """The status of the sale does not allow this."""
    return invalid_state(f"The sale is {sale.status}.", sale_status=sale.status)


def sale_of_line(stock: Stock, line_id: str) -> str | None:
    """The id of the sale that has the line."""
    known = stock.row(SaleLine, line_id)
    if known is not None:
        return None if known.removed else known.sale_id
    found = stock.require(SaleOfLine(line_id))
    return found[0] if found else None


def lines_of(stock: Stock, sale: Sale) -> list[SaleLine]:
    """The sale's lines in order, without removed ones."""
    lines = [line for line in stock.rows_of_sale(SaleLine, sale.id) if not line.removed]
    return sorted(lines, key=lambda line: line.position)


def holds_of(stock: Stock, sale: Sale) -> list[Reservation]:
    """Active holds that name the sale or one of its lines, oldest first, with their levels locked."""
    return stock.holds_of_target(sale.id)


def taken_since(stock: Stock, first_entry: int, taken: tuple[Taken, ...] = ()) -> tuple[Taken, ...]:
    """What SALE entries from that number on took from which lots, added to what was taken before."""
    parts = list(taken)
    for entry in stock.entries[first_entry:]:
        if entry.ref_type == "SALE" and entry.lot_id is not None:
            parts.append(Taken(entry.lot_id, entry.location_id, -entry.qty_delta, -entry.value_delta))
    return tuple(parts)


def count_on_line(stock: Stock, line_id: str, units: int, first_entry: int) -> None:
    """Count units on a sale's line whose hold was consumed by itself, so that the sale does not ship them again.

    Nothing when the sale is finished.
    """
    sale_id = sale_of_line(stock, line_id)
    if sale_id is None:
        return
    stock.require(SaleById(sale_id))
    sale, line = stock.row(Sale, sale_id), stock.row(SaleLine, line_id)
    if sale is None or line is None or not sale.unfinished:
        return
    left = min(units, line.open)
    went = []
    for part in taken_since(stock, first_entry):
        counted = min(left, part.units)
        if counted:
            went.append(replace(part, units=counted, value=share_of_value(part.value, part.units, counted)))
        left -= counted
    fulfilled = line.fulfilled + sum(part.units for part in went)
    stock.put_row(replace(line, fulfilled=fulfilled, taken=(*line.taken, *went), updated_at=stock.now))


def product_of_line(stock: Stock, line: SaleLine) -> Product:
    """The line's product."""
    product = stock.catalog.product(line.product_id)
    assert product is not None, line
    return product
