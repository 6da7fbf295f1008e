"""The formats of order files: which one a header is, and what is said of a header that is none.

    recognised(table, None)                        -> (OrderFormat.ETSY, its reader)
    recognised(table, OrderFormat.SHOPIFY)         -> refused, with what is missing
    with_columns(table, "order_number=Order ID,sku=SKU,quantity=Qty")   -> a table with our own names

A header that nobody knows is answered with the format that comes nearest, what was recognised, and what is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import chain

from holdfast.import_export.amazon_orders import AMAZON, amazon_orders
from holdfast.import_export.etsy_orders import ETSY
from holdfast.import_export.layout import Layout, answer_to, listed, missing_of, nearest
from holdfast.import_export.order_file import Context, Item
from holdfast.import_export.order_layout import layout_orders, numbers_of
from holdfast.import_export.own_orders import ORDER_COLUMNS, OWN_NUMBERS, SAME_AS, SOURCE, own_orders
from holdfast.import_export.retail import RETAIL_NUMBERS, is_retail, retail_items
from holdfast.import_export.shopify_orders import SHOPIFY, shopify_orders
from holdfast.import_export.square_orders import SQUARE, square_orders
from holdfast.import_export.table import FileRefused, Line, Table
from holdfast.import_export.woocommerce_orders import ANALYTICS, WOOCOMMERCE, analytics_orders

Reader = Callable[[Table, Context], Iterator[Item]]


class OrderFormat(StrEnum):
    """The formats of a file of orders."""

    HOLDFAST = "holdfast"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    WOOCOMMERCE_ANALYTICS = "woocommerce-analytics"
    AMAZON = "amazon"
    ETSY = "etsy"
    SQUARE = "square"
    RETAIL = "retail"


OWN = Layout(
    "holdfast",
    "Holdfast's own format",
    SOURCE,
    {name: (name, *(other for other, meant in SAME_AS.items() if meant == name)) for name in ORDER_COLUMNS},
    marks=("order_number", "sku", "quantity"),
    needed=("order_number", "sku", "quantity"),
)

LAYOUTS = (SHOPIFY, AMAZON, SQUARE, ETSY, ANALYTICS, WOOCOMMERCE, OWN)
"""Formats that a header is held against, the one with the clearest marks first."""

_READERS: dict[str, Reader] = {
    OrderFormat.HOLDFAST: own_orders,
    OrderFormat.SHOPIFY: shopify_orders,
    OrderFormat.AMAZON: amazon_orders,
    OrderFormat.SQUARE: square_orders,
    OrderFormat.WOOCOMMERCE_ANALYTICS: analytics_orders,
    OrderFormat.RETAIL: retail_items,
}

NUMBERS = frozenset(chain(OWN_NUMBERS, RETAIL_NUMBERS, *(numbers_of(layout) for layout in LAYOUTS), ("subtotal",)))
"""Headers of numbers, of all formats."""

HINT = (
    "Say what its columns are with --columns, as in "
    '--columns order_number="Order ID",sku=SKU,quantity=Qty; docs/how-to/order-files.md has the formats.'
)


def reader_of(form: OrderFormat) -> Reader:
    """What reads a format."""
    layout = next((one for one in LAYOUTS if one.name == form), OWN)
    return _READERS.get(form, lambda table, context: layout_orders(layout, table, context))


def recognised(table: Table, form: OrderFormat | None) -> OrderFormat:
    """The format of a file, as its header shows it or as it was said; refused when it lacks what it needs."""
    if form is OrderFormat.RETAIL or (form is None and is_retail(table.columns)):
        return OrderFormat.RETAIL
    columns = frozenset(table.columns)
    fitting = [
        layout for layout in LAYOUTS if form == layout.name or (form is None and columns.issuperset(layout.marks))
    ]
    if not fitting and columns <= OWN.known and OWN.has(columns, "title"):
        fitting = [OWN]
    layout = fitting[0] if fitting else nearest(LAYOUTS, columns)
    missing = missing_of(layout, columns)
    if layout is OWN and layout.has(columns, "title"):
        missing = [name for name in missing if name != "sku"]
    if missing or (not fitting and layout is not OWN):
        raise FileRefused(answer_to(layout, table.columns, missing, HINT, sure=bool(fitting)))
    unknown = [name for name in table.columns if name and not any(name in names for names in OWN.columns.values())]
    if layout is OWN and unknown:
        known = ", ".join(ORDER_COLUMNS)
        raise FileRefused(f"The column {unknown[0][:40]!r} is not known; there is {known}. {HINT}")
    return OrderFormat(layout.name)


_SAID = re.compile(r'(?:"[^"]*"|[^,"])+')
"""What stands between commas that are in no quotes."""


def columns_said(text: str) -> dict[str, str]:
    """`order_number=Order ID,sku=SKU` as {header in lower case: our name}; a header with a comma stands in quotes."""
    named: dict[str, str] = {}
    for part in _SAID.findall(text):
        name, equals, header = part.partition("=")
        field, header = name.strip().lower(), header.strip().strip('"').lower()
        if not equals or not header or field not in ORDER_COLUMNS:
            known = ", ".join(ORDER_COLUMNS)
            raise FileRefused(f"--columns: {part[:60]!r} is not one of our columns and a header; there is {known}.")
        named[header] = field
    return named


def with_columns(table: Table, named: dict[str, str]) -> Table:
    """The table with the columns that were named, under our names, and no others."""
    missing = [header for header in named if header not in table.columns]
    if missing:
        there = listed([name for name in table.columns if name])
        raise FileRefused(f"--columns: the header has no column {missing[0]!r}; it has {there}.")
    lines = (
        Line(line.number, {field: line.cells.get(header, "") for header, field in named.items()})
        for line in table.lines
    )
    return Table(tuple(named.values()), lines)
