"""Supplier orders: lines that a supplier ships to the customer, without stock of ours (docs/reference/api.md#sales).

a drop-shipped line of a completed or imported sale   -> open, until the supplier has shipped it
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from holdfast.core.records.product import Product
from holdfast.core.records.sale import Sale, SaleLine
from holdfast.core.records.status import CANCELLED, OPEN, SUPPLIER_ORDER, Transitions
from holdfast.core.records.time import instant_text
from holdfast.core.stock.posting import Stock
from holdfast.core.stock.sale_lines import product_of_line

replace = msgspec.structs.replace


class SupplierOrder(msgspec.Struct, frozen=True, gc=False):
    """A line that a supplier ships: open, shipped or cancelled."""

    transitions: ClassVar[Transitions] = SUPPLIER_ORDER

    id: str
    sale_id: str
    line_id: str
    product_id: str
    supplier: str | None
    quantity: int
    status: str
    tracking: str | None
    created_at: int
    updated_at: int


class SupplierOrderDocument(msgspec.Struct, frozen=True, gc=False):
    """A supplier order as the API shows it."""

    id: str
    sale_id: str
    line_id: str
    product_id: str
    sku: str
    supplier: str | None
    quantity: int | float
    status: str
    tracking: str | None
    created_at: str
    updated_at: str


def order_from_supplier(stock: Stock, sale: Sale, line: SaleLine) -> None:
    """A line that needs no stock of ours becomes an order to its supplier, once; a withdrawn one stands again."""
    known = supplier_order_of(stock, line)
    if known is not None and known.status != CANCELLED:
        return
    product = product_of_line(stock, line)
    order = SupplierOrder(
        id=stock.new_id() if known is None else known.id,
        sale_id=sale.id,
        line_id=line.id,
        product_id=product.id,
        supplier=product.supplier,
        quantity=line.quantity,
        status=OPEN,
        tracking=None,
        created_at=stock.now if known is None else known.created_at,
        updated_at=stock.now,
    )
    stock.put_row(order)
    stock.tell(
        "SupplierOrderOpened",
        product.id,
        {
            "supplier_order_id": order.id,
            "sale_id": sale.id,
            "store_id": sale.store_id,
            "product_id": product.id,
            "supplier": product.supplier,
        },
    )


def supplier_order_of(stock: Stock, line: SaleLine) -> SupplierOrder | None:
    """The order to the supplier that the line has become."""
    orders = stock.rows_of_sale(SupplierOrder, line.sale_id)
    return next((order for order in orders if order.line_id == line.id), None)


def withdraw_supplier_orders(stock: Stock, sale: Sale, line: SaleLine | None = None) -> None:
    """What has not gone out (of one line or of all) the suppliers need not ship any more.

    An order of which a part has gone out stays, over that part: the supplier still tells when it was shipped.
    """
    for order in stock.rows_of_sale(SupplierOrder, sale.id):
        known = stock.row(SaleLine, order.line_id)
        if order.status != OPEN or line not in (None, known):
            continue
        gone = 0 if known is None else known.fulfilled
        if gone:
            stock.put_row(replace(order, quantity=gone, updated_at=stock.now))
        else:
            stock.put_row(replace(order, status=CANCELLED, updated_at=stock.now))


def change_supplier_order(stock: Stock, line: SaleLine) -> None:
    """The line of an imported order has another quantity: its supplier hears of it."""
    order = supplier_order_of(stock, line)
    if order is not None and order.status == OPEN and order.quantity != line.quantity:
        stock.put_row(replace(order, quantity=line.quantity, updated_at=stock.now))


def supplier_order_document(order: SupplierOrder, product: Product) -> SupplierOrderDocument:
    """The public shape of a supplier order."""
    return SupplierOrderDocument(
        id=order.id,
        sale_id=order.sale_id,
        line_id=order.line_id,
        product_id=product.id,
        sku=product.sku,
        supplier=order.supplier,
        quantity=product.number(order.quantity),
        status=order.status,
        tracking=order.tracking,
        created_at=instant_text(order.created_at),
        updated_at=instant_text(order.updated_at),
    )
