"""Products as WooCommerce and Square export them: every variation is a product, what only groups others is none.

    Type "variable" with two "variation"s        -> two products, the parent is passed over
    Token, Item Name "Mug", Variation "Large"    -> "Mug - Large"

One without a SKU is called by its name. What a barcode field has that is no GTIN is left out, and noted. Quantities are
left to an import of stock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from holdfast.import_export.layout import Layout
from holdfast.import_export.shopify import barcode_of, called, title_of, without_doubled_barcode
from holdfast.import_export.table import Line, Outcome, Table, without_currency

WOOCOMMERCE_PRODUCTS = Layout(
    "woocommerce",
    "WooCommerce's export of products",
    "woocommerce",
    {
        "kind": ("type",),
        "sku": ("sku",),
        "title": ("name",),
        "gtin": ("gtin, upc, ean, or isbn", "gtin"),
        "published": ("published",),
        "price": ("regular price",),
        "tax_class": ("tax class",),
        "oversell": ("backorders allowed?",),
        "reorder_point": ("low stock amount",),
        "parent": ("parent",),
        "id": ("id",),
    },
    marks=("type", "sku", "name", "published", "regular price"),
    needed=("kind", "sku", "title", "price"),
)
SQUARE_PRODUCTS = Layout(
    "square",
    "Square's item library",
    "square",
    {
        "title": ("item name",),
        "option": ("variation name",),
        "sku": ("sku",),
        "gtin": ("gtin",),
        "price": ("price",),
        "kind": ("item type",),
        "archived": ("archived",),
    },
    marks=("token", "item name", "variation name"),
    needed=("title", "option", "sku", "price"),
)

_NO_PRODUCTS = ("variable", "grouped", "external")
_ATTRIBUTES = tuple(f"attribute {number} value(s)" for number in range(1, 6))
_REGULAR = "regular"
_YES = ("y", "yes", "1", "true")


def woocommerce_products(table: Table, outcome: Outcome) -> Iterator[Line]:
    """The products of WooCommerce's export as lines with our columns."""
    for line in table.lines:
        cells, cell = line.cells, WOOCOMMERCE_PRODUCTS.cell
        kinds = [kind.strip() for kind in cell(cells, "kind").lower().split(",")]
        if any(kind in _NO_PRODUCTS for kind in kinds):
            if "external" in kinds:
                outcome.note(line.number, f"{cell(cells, 'title')}: sold elsewhere, so it is no product.")
            continue
        options = [cells[name] for name in _ATTRIBUTES if cells.get(name)] if "variation" in kinds else []
        title = cell(cells, "title")
        missing = [option for option in options if option.casefold() not in title.casefold()]
        title = " - ".join(filter(None, (title, " / ".join(missing))))
        unshipped = "virtual" in kinds or "downloadable" in kinds
        found = {
            "tax_class": cell(cells, "tax_class"),
            "reorder_point": cell(cells, "reorder_point"),
            "kind": "digital" if unshipped else "physical",
            "oversell": "backorder" if cell(cells, "oversell").lower() in (*_YES, "notify") else "deny",
            "active": "true" if cell(cells, "published") in ("1", "") else "false",
        }
        yield _product(line, WOOCOMMERCE_PRODUCTS, title, found, outcome)


def square_products(table: Table, outcome: Outcome) -> Iterator[Line]:
    """The variations of Square's item library as lines with our columns."""
    for line in table.lines:
        cells, cell = line.cells, SQUARE_PRODUCTS.cell
        option = cell(cells, "option")
        title = " - ".join(filter(None, (cell(cells, "title"), "" if option.lower() == _REGULAR else option)))
        if not title:
            continue
        kind = cell(cells, "kind").lower()
        found = {
            "kind": "digital" if "digital" in kind else "service" if kind in ("service", "event") else "physical",
            "active": "false" if cell(cells, "archived").lower() in _YES else "true",
        }
        if not any(character.isdigit() for character in cell(cells, "price")):
            found["price"] = ""  # "variable": it is said at the till
        yield _product(line, SQUARE_PRODUCTS, title, found, outcome)


def _product(line: Line, layout: Layout, title: str, found: dict[str, str], outcome: Outcome) -> Line:
    sku = layout.cell(line.cells, "sku")
    if not sku:
        sku = called(title)
        outcome.note(line.number, f"no SKU: called {sku}")
    cells = {
        "sku": sku,
        "title": title_of(line.number, sku, title, outcome),
        "price": without_currency(layout.cell(line.cells, "price"))[0],
        "gtin": barcode_of(line.number, sku, layout.cell(line.cells, "gtin"), outcome),
        **found,
    }
    return Line(line.number, cells)


Reader = Callable[[Table, Outcome], Iterator[Line]]

FOREIGN: tuple[tuple[Layout, Reader], ...] = (
    (WOOCOMMERCE_PRODUCTS, woocommerce_products),
    (SQUARE_PRODUCTS, square_products),
)
"""Formats of products with what reads them; Shopify's has a module of its own."""


def foreign_products(table: Table, outcome: Outcome) -> Iterator[Line] | None:
    """The products of a file of another system, a barcode once; None where its header is of none."""
    for layout, read in FOREIGN:
        if set(table.columns).issuperset(layout.marks):
            barcodes: dict[str, int] = {}
            return (without_doubled_barcode(line, barcodes, outcome) for line in read(table, outcome))
    return None
