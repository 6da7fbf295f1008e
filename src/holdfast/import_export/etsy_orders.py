"""Etsy's sold order items: a row an item, what is about the order on each of its rows.

Prices are of one, discounts of a coupon stand on any row and are off the order. Sales tax comes on top. An item with a
date of shipment has gone out.
"""

from __future__ import annotations

from holdfast.import_export.layout import Layout
from holdfast.import_export.order_time import DayOrder

ETSY = Layout(
    "etsy",
    "Etsy's sold order items",
    "etsy",
    {
        "order_number": ("order id",),
        "date": ("sale date",),
        "shipped_at": ("date shipped",),
        "paid_at": ("date paid",),
        "title": ("item name",),
        "option": ("variations",),
        "sku": ("sku",),
        "quantity": ("quantity",),
        "unit_price": ("price",),
        "row_discount": ("discount amount",),
        "shipping": ("order shipping",),
        "shipping_discount": ("shipping discount",),
        "order_tax": ("order sales tax",),
        "customer": ("buyer", "ship name"),
        "payment_method": ("payment type", "payment method"),
        "currency": ("currency",),
    },
    marks=("item name", "order id", "transaction id"),
    needed=("order_number", "title", "quantity", "unit_price"),
    day_order=DayOrder.MONTH_FIRST,
    tax_name="Sales tax",
    tax_included=False,
)
