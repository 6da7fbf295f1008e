"""A product export of Shopify, with the old headers (`Handle`, `Variant SKU`) or the new ones (`URL handle`, `SKU`).

Every variant is a product. Rows after a product's first leave its own cells blank, and some rows only bring an image.
A variant without a SKU is called by its handle and its options. What a barcode field has that is no GTIN is left out;
both are noted. Quantities are left to an import of stock: the export has them for shops with one location only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from holdfast.import_export.cells import gtin_cell
from holdfast.import_export.table import BadLine, Line, Outcome, Table

_HANDLE = ("handle", "url handle")
_SKU = ("variant sku", "sku")
_BARCODE = ("variant barcode", "barcode")
_PRICE = ("variant price", "price")
_POLICY = ("variant inventory policy", "continue selling when out of stock")
_TRACKER = ("variant inventory tracker", "inventory tracker")
_SHIPPED = ("variant requires shipping", "requires shipping")
_OPTIONS = ("option1 value", "option2 value", "option3 value")
_TITLE_CHARACTERS_MAX = 200
_ONLY_VARIANT = "default title"


def is_shopify(table: Table) -> bool:
    """Is the file a product export of Shopify?"""
    return any(name in table.columns for name in _HANDLE)


def shopify_lines(table: Table, outcome: Outcome) -> Iterator[Line]:
    """The variants as lines with our columns; what had to be left out is noted."""
    product: dict[str, str] = {}
    barcodes: dict[str, int] = {}
    for line in table.lines:
        handle = _cell(line.cells, _HANDLE)
        if handle != product.get("handle"):
            product = {"handle": handle}
        for name in ("title", "vendor", "status", "gift card"):
            if line.cells.get(name):
                product[name] = line.cells[name]
        if _cell(line.cells, _SKU) or _cell(line.cells, _PRICE) or any(line.cells.get(name) for name in _OPTIONS):
            yield without_doubled_barcode(_variant(line, product, outcome), barcodes, outcome)


def without_doubled_barcode(line: Line, barcodes: dict[str, int], outcome: Outcome) -> Line:
    """The line without its barcode when an active one before it has the same: shops do that, a scan could not tell."""
    gtin, sku = line.cells["gtin"], line.cells["sku"]
    if not gtin or line.cells["active"] != "true":
        return line
    first = barcodes.setdefault(gtin.lstrip("0"), line.number)
    if first == line.number:
        return line
    outcome.note(line.number, f"{sku}: imported without barcode. Line {first} has {gtin} already.")
    return Line(line.number, {**line.cells, "gtin": ""})


def _variant(line: Line, product: Mapping[str, str], outcome: Outcome) -> Line:
    cells = line.cells
    options = [cells[name] for name in _OPTIONS if cells.get(name) and cells[name].lower() != _ONLY_VARIANT]
    sku = _cell(cells, _SKU)
    if not sku:
        sku = called(product["handle"], *options)
        outcome.note(line.number, f"no SKU: called {sku}")
    title = " - ".join([product.get("title", ""), " / ".join(options)]).strip(" -")
    title = title_of(line.number, sku, title, outcome)
    gtin = barcode_of(line.number, sku, _cell(cells, _BARCODE), outcome)
    unshipped = _cell(cells, _SHIPPED).lower() == "false" and not _cell(cells, _TRACKER)
    found = {
        "sku": sku,
        "title": title,
        "price": _cell(cells, _PRICE),
        "gtin": gtin,
        "supplier": product.get("vendor", ""),
        "kind": "digital" if unshipped or product.get("gift card", "").lower() == "true" else "physical",
        "oversell": {"continue": "backorder", "true": "backorder"}.get(_cell(cells, _POLICY).lower(), "deny"),
        "active": {"draft": "false", "archived": "false"}.get(product.get("status", "").lower(), "true"),
    }
    return Line(line.number, found)


def called(*names: str) -> str:
    """The SKU of a product that has none: its names in capitals, with dashes between them."""
    return re.sub(r"[^A-Z0-9]+", "-", "-".join(names).upper()).strip("-")


def barcode_of(number: int, sku: str, text: str, outcome: Outcome) -> str:
    """The GTIN of a cell; what is none is left out and noted."""
    try:
        return gtin_cell("barcode", text) if text else ""
    except BadLine as bad:
        outcome.note(number, f"{sku}: imported without barcode. {bad}")
        return ""


def title_of(number: int, sku: str, title: str, outcome: Outcome) -> str:
    """A title that is short enough; one that was cut is noted."""
    if len(title) <= _TITLE_CHARACTERS_MAX:
        return title
    outcome.note(number, f"{sku}: the title is cut to {_TITLE_CHARACTERS_MAX} characters")
    return title[:_TITLE_CHARACTERS_MAX].rstrip()


def _cell(cells: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The cell under whichever of the headers the file has, without the apostrophe that keeps spreadsheets quiet."""
    return next((cells[name].removeprefix("'") for name in names if cells.get(name)), "")
