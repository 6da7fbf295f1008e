"""WooCommerce's orders: the per-item export of the usual export plugins, and the report of Analytics.

Per item: a row an item, what is about the order on each of its rows. The report of Analytics has a row an order, its
items in one cell ("2x Mug, 1x Ring Dish"), and neither prices nor SKUs, tax or shipping: what the order came to is
spread over its units, evenly, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast.core.records.proportion import allocate
from holdfast.import_export.layout import Layout
from holdfast.import_export.order_file import Context, FileOrder, Item, Unread, in_words, money_cell
from holdfast.import_export.order_layout import order_of
from holdfast.import_export.table import BadLine, Line, Table

WOOCOMMERCE = Layout(
    "woocommerce",
    "WooCommerce's orders by item",
    "woocommerce",
    {
        "order_number": ("order_number", "order number", "order_id", "order id"),
        "date": ("order_date", "order date"),
        "status": ("status", "order status", "order_status"),
        "customer": ("billing_first_name", "first name (billing)", "billing first name", "customer_name"),
        "payment_method": ("payment_method", "payment method title", "payment_method_title", "payment method"),
        "currency": ("order_currency", "currency"),
        "shipping": ("shipping_total", "order shipping amount", "shipping_amount"),
        "order_tax": ("tax_total", "order total tax amount", "order_tax"),
        "order_discount": ("discount_total", "cart discount amount", "cart_discount"),
        "refunded": ("order refund amount", "refund_total"),
        "total": ("order_total", "order total amount", "order total"),
        "sku": ("product sku", "sku", "product_sku"),
        "title": ("product name", "item name", "product_name", "item_name"),
        "option": ("product variation", "variation", "product_variation"),
        "quantity": ("product qty", "quantity", "quantity (- refund)", "product_qty"),
        "unit_price": ("product unit price", "item cost", "product_unit_price"),
    },
    marks=("order_total", "product qty"),
    needed=("order_number", "quantity"),
)

ANALYTICS = Layout(
    "woocommerce-analytics",
    "the orders of WooCommerce's Analytics",
    "woocommerce",
    {
        "order_number": ("order #",),
        "date": ("date",),
        "status": ("status",),
        "customer": ("customer",),
        "title": ("product(s)",),
        "total": ("net sales",),
        "currency": ("currency",),
        "quantity": ("items sold",),
        "gross": ("gross",),
    },
    marks=("order #", "product(s)", "net sales"),
    needed=("order_number", "title", "total"),
)

_ITEM = re.compile(r"(\d+)\s*[\u00d7x]\s*(.+)")
_BETWEEN = re.compile(r",\s*(?=\d+\s*[\u00d7x]\s)")


def analytics_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of the report, each of its items as a row."""
    columns = (*table.columns, "gross")
    for line in table.lines:
        try:
            rows = _items(line, context)
        except BadLine as bad:
            yield Unread(line.number, f"order {line.cells.get('order #', '')[:40]}: {bad}")
            continue
        item = order_of(ANALYTICS, rows, columns, context)
        if isinstance(item, FileOrder):
            note = "the report has no prices, tax or shipping: its net sales are spread evenly over its units."
            item = item._replace(notes=(*item.notes, note))
        yield item


def _items(line: Line, context: Context) -> list[Line]:
    said = [_ITEM.fullmatch(part.strip()) for part in _BETWEEN.split(line.cells.get("product(s)", ""))]
    found = [item for item in said if item is not None]
    if len(found) != len(said):
        raise BadLine(f"its items {line.cells.get('product(s)', '')[:60]!r} are not written as `2x Mug`.")
    net = money_cell("Net Sales", line.cells.get("net sales", ""), context)
    parts = allocate(net, [int(item[1]) for item in found])
    return [
        Line(
            line.number,
            {**line.cells, "product(s)": item[2].strip(), "items sold": item[1], "gross": in_words(part, context)},
        )
        for item, part in zip(found, parts, strict=True)
    ]
