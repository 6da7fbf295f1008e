"""Amazon's all-orders report: a row an item, separated by tabs; money on a row is of all units of that row.

Amazon.com and Amazon.ca put tax on top of prices, the other marketplaces have it in them. An order without units was
cancelled before anything of it was charged. Of orders that Amazon sends from its own warehouses the units are taken
from the stock of --store: give those warehouses a store, and send their orders there.
"""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.import_export.layout import Layout
from holdfast.import_export.order_file import Context, FileOrder, Item, groups
from holdfast.import_export.order_layout import order_of
from holdfast.import_export.table import Table

AMAZON = Layout(
    "amazon",
    "Amazon's all-orders report",
    "amazon",
    {
        "order_number": ("amazon-order-id", "order-id"),
        "date": ("purchase-date",),
        "status": ("order-status",),
        "line_status": ("item-status",),
        "title": ("product-name",),
        "sku": ("sku",),
        "quantity": ("quantity", "quantity-purchased"),
        "gross": ("item-price",),
        "discount": ("item-promotion-discount",),
        "tax": ("item-tax",),
        "row_shipping": ("shipping-price",),
        "row_shipping_tax": ("shipping-tax",),
        "row_shipping_discount": ("ship-promotion-discount",),
        "currency": ("currency",),
    },
    marks=("amazon-order-id",),
    needed=("order_number", "sku", "quantity"),
)

_TAX_ON_TOP = ("amazon.com", "amazon.ca")


def amazon_orders(table: Table, context: Context) -> Iterator[Item]:
    """The orders of the report."""
    for group in groups(table.lines, ("amazon-order-id",)):
        cells = group[0].cells
        market = cells.get("sales-channel", "").lower()
        layout = AMAZON._replace(tax_included=market not in _TAX_ON_TOP) if market else AMAZON
        item = order_of(layout, group, table.columns, context)
        if isinstance(item, FileOrder) and cells.get("fulfillment-channel", "").lower() in ("amazon", "afn"):
            note = "Amazon sends it from its own warehouse: its units are taken from the stock of --store."
            item = item._replace(notes=(*item.notes, note))
        yield item
