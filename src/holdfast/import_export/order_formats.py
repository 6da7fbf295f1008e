"""The formats of order files: which one a header is, and what is said of a header that is none.

    recognised(table, None)                        -> (OrderFormat.ETSY, its reader)
    recognised(table, OrderFormat.SHOPIFY)         -> refused, with what is missing
    with_columns(table, "order_number=Order ID,sku=SKU,quantity=Qty")   -> a table with our own names

A header that nobody knows is answered with the format that comes nearest, what was recognised, and what is missing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain

from holdfast.import_export.amazon_orders import AMAZON, amazon_orders
from holdfast.import_export.etsy_orders import ETSY
from holdfast.import_export.order_file import Context, Item
from holdfast.import_export.order_layout import Layout, layout_orders
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

NUMBERS = frozenset(chain(OWN_NUMBERS, RETAIL_NUMBERS, *(layout.numbers for layout in LAYOUTS), ("subtotal",)))
"""Headers of numbers, of all formats."""

NAMED_MAX = 12
"""Headers that are named."""

HINT = (
    "Say what its columns are with --columns, as in "
    '--columns order_number="Order ID",sku=SKU,quantity=Qty; docs/how-to/import.md has the formats.'
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
    layout = fitting[0] if fitting else max(LAYOUTS, key=lambda one: _nearness(one, columns))
    missing = _missing(layout, columns)
    if missing or (not fitting and layout is not OWN):
        raise FileRefused(_answer(layout, table.columns, missing, sure=bool(fitting)))
    unknown = [name for name in table.columns if name and not any(name in names for names in OWN.columns.values())]
    if layout is OWN and unknown:
        known = ", ".join(ORDER_COLUMNS)
        raise FileRefused(f"The column {unknown[0][:40]!r} is not known; there is {known}. {HINT}")
    return OrderFormat(layout.name)


def _missing(layout: Layout, columns: frozenset[str]) -> list[str]:
    """Headers that a file lacks which the format needs: of a field that has several, its first."""
    lacking = [field for field in layout.needed if not layout.has(columns, field)]
    if layout is OWN and layout.has(columns, "title"):
        lacking = [field for field in lacking if field != "sku"]
    return [layout.headers(field)[0] for field in lacking]


def _nearness(layout: Layout, columns: frozenset[str]) -> tuple[int, int]:
    """How many of its fields a header has: needed ones first."""
    needed = sum(layout.has(columns, field) for field in layout.needed)
    return needed * 2 - len(layout.needed), sum(layout.has(columns, field) for field in layout.columns)


def _answer(layout: Layout, columns: tuple[str, ...], missing: Iterable[str], *, sure: bool) -> str:
    """What is said of a header that cannot be read."""
    known = [name for name in columns if any(name in names for names in layout.columns.values())]
    there = [name for name in columns if name]
    begin = (
        f"The file is {layout.whose}"
        if sure
        else f"The header is of no format that is known; nearest is {layout.whose}"
    )
    found = f"recognised: {_listed(known)}" if known else f"none of its columns is recognised; it has {_listed(there)}"
    lacking = [*missing]
    words = f"; missing: {_listed(lacking)}" if lacking else ""
    return f"{begin}. Columns that are {found}{words}. {HINT}" if known else f"{begin}, and {found}{words}. {HINT}"


def _listed(names: list[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(repr(name[:40]) for name in names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def columns_said(text: str) -> dict[str, str]:
    """`order_number=Order ID,sku=SKU` as {header in lower case: our name}; a header with a comma stands in quotes."""
    named: dict[str, str] = {}
    for part in next(csv.reader([text], skipinitialspace=True), []):
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
        there = _listed([name for name in table.columns if name])
        raise FileRefused(f"--columns: the header has no column {missing[0]!r}; it has {there}.")
    lines = (
        Line(line.number, {field: line.cells.get(header, "") for header, field in named.items()})
        for line in table.lines
    )
    return Table(tuple(named.values()), lines)
