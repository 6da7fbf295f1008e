"""Products from a CSV file: added, or changed where the SKU exists. Blank cells leave a product as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from itertools import islice
from typing import Any, NamedTuple, TextIO

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.organisation.products import AddProduct, ChangeProduct
from holdfast.core.records.gtin import same_number
from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import start_of_day
from holdfast.db.bulk import products_by_sku
from holdfast.db.organisations import OrganisationRow
from holdfast.import_export.cells import (
    amount_text,
    code_cell,
    flag_cell,
    gtin_cell,
    instant_or_day_cell,
    precision_cell,
    quantity_cell,
    text_cell,
    title_cell,
)
from holdfast.import_export.dry_run import copy_of
from holdfast.import_export.foreign_products import FOREIGN, foreign_products
from holdfast.import_export.layout import Layout, answer_to, missing_of, nearest
from holdfast.import_export.shopify import is_shopify, shopify_lines
from holdfast.import_export.table import (
    WAITING_MAX,
    BadLine,
    FileRefused,
    Line,
    Outcome,
    Progress,
    Table,
    read_table,
    require_columns,
    test_width,
)

PRODUCT_COLUMNS = (
    "sku",
    "title",
    "kind",
    "price",
    "tax_class",
    "gtin",
    "precision",
    "reorder_point",
    "oversell",
    "preorder_limit",
    "available_from",
    "track_expiry",
    "dropship",
    "supplier",
    "active",
    "digital_delivery_method",
    "download_url",
)
_NUMBERS = frozenset({"price", "variant price", "regular price", "low stock amount", "reorder_point", "preorder_limit"})
OWN = Layout(
    "holdfast",
    "Holdfast's own format",
    "",
    {name: (name,) for name in PRODUCT_COLUMNS},
    marks=("sku",),
    needed=("sku",),
)
HINT = "Exports of products of Shopify, WooCommerce and Square are read as well; docs/how-to/import.md has the columns."
_CHOICES = {
    "kind": ("physical", "digital", "service", "subscription", "gift_card"),
    "oversell": ("deny", "backorder", "preorder"),
    "digital_delivery_method": ("license_key", "download", "email"),
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


class Prepared(NamedTuple):
    """A product line, understood: its fields as a command has them."""

    number: int
    fields: dict[str, Any]


def import_products(
    shop: Holdfast,
    actor: Actor,
    organisation: OrganisationRow,
    file: TextIO,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _: None,
) -> Outcome:
    """Add the products of a file, and change those that exist; what is like that already is skipped.

    With `dry_run` all of it happens to a copy of the organisation, which needs room for that in the temporary folder.
    """
    if dry_run:
        with copy_of(shop, actor.org_id) as copy:
            return import_products(copy, actor, organisation, file, progress=progress)
    table = read_table(file, _NUMBERS)
    outcome = Outcome()
    lines = _lines(table, outcome)
    seen: dict[str, int] = {}
    prepared = _prepared_products(lines, organisation, seen, outcome)
    while part := list(islice(prepared, WAITING_MAX)):
        known = products_by_sku(shop.database, actor.org_id, (line.fields["sku"] for line in part))
        waiting: list[tuple[Prepared, Product | None, Future[Any]]] = []
        for line in part:
            product = known.get(line.fields["sku"])
            try:
                command = _product_command(line, product, organisation.minor_digits)
            except BadLine as bad:
                outcome.refuse(line.number, str(bad))
                continue
            if command is None:
                outcome.skipped += 1
                continue
            waiting.append((line, product, shop.submit(actor, command)))
        for line, product, future in waiting:
            answer = future.result().answer
            if isinstance(answer, Rejected):
                outcome.refuse(line.number, answer.detail)
            elif product is None:
                outcome.added += 1
            else:
                outcome.changed += 1
        progress(len(part))
    return outcome


def _lines(table: Table, outcome: Outcome) -> Iterator[Line]:
    """The lines of a file with our columns, whichever system wrote it."""
    if is_shopify(table):
        return shopify_lines(table, outcome)
    foreign = foreign_products(table, outcome)
    if foreign is not None:
        return foreign
    if "sku" not in table.columns:
        layout = nearest((OWN, *(layout for layout, _ in FOREIGN)), table.columns)
        raise FileRefused(answer_to(layout, table.columns, missing_of(layout, table.columns), HINT, sure=False))
    require_columns(table, PRODUCT_COLUMNS, ("sku",))
    return table.lines


def _prepared_products(
    lines: Iterable[Line], organisation: OrganisationRow, seen: dict[str, int], outcome: Outcome
) -> Iterator[Prepared]:
    gtins: dict[str, int] = {}
    for line in lines:
        try:
            fields = product_fields(line.cells, organisation.minor_digits)
            if isinstance(fields.get("available_from"), str):
                fields["available_from"] = start_of_day(fields["available_from"], organisation.timezone)
            first = seen.setdefault(fields["sku"], line.number)
            if first != line.number:
                raise BadLine(f"SKU {fields['sku']!r} stands in line {first} already.")
            if "gtin" in fields and fields.get("active", True):
                first = gtins.setdefault(fields["gtin"].lstrip("0"), line.number)
                if first != line.number:
                    raise BadLine(f"gtin {fields['gtin']} stands in line {first} already.")
        except BadLine as bad:
            outcome.refuse(line.number, str(bad))
            continue
        yield Prepared(line.number, fields)


def _product_command(line: Prepared, product: Product | None, minor_digits: int) -> AddProduct | ChangeProduct | None:
    """What the line asks for, given the product that has its SKU; None when it is like that already."""
    fields = dict(line.fields)
    precision = fields.get("precision", 0 if product is None else product.precision)
    for name in ("reorder_point", "preorder_limit"):
        if name in fields:
            units = Product(id="", sku="", title="", precision=precision).units(fields[name])
            if units is None or units < 0:
                raise BadLine(f"{name} {fields[name]} is no quantity with {precision} decimal places.")
            fields[name] = units
    if "price" in fields:
        fields["price"] = to_minor(fields["price"], minor_digits)
    if product is None:
        if "title" not in fields:
            raise BadLine("A new product needs a title.")
        return AddProduct(**line.fields)
    changes = {
        name: line.fields[name] for name, value in fields.items() if not _same(name, value, getattr(product, name))
    }
    return ChangeProduct(product.id, **changes) if changes else None


def _same(name: str, value: Any, kept: Any) -> bool:
    """Does the file say what is kept? A GTIN means the same with and without zeros in front."""
    return value == kept or (name == "gtin" and kept is not None and same_number(value, kept))


def product_fields(cells: Mapping[str, str], minor_digits: int) -> dict[str, Any]:
    """The fields of a product, as a command has them: prices as texts, quantities as numbers."""
    test_width(cells)
    fields: dict[str, Any] = {}
    for name in PRODUCT_COLUMNS:
        text = cells.get(name, "")
        if text:
            fields[name] = _PRODUCT_CELLS.get(name, text_cell)(name, text)
    if "sku" not in fields:
        raise BadLine("The sku is missing.")
    if fields["sku"] in (".", ".."):
        raise BadLine("A sku may not be one or two dots: in an address they mean something else.")
    if _UUID.fullmatch(fields["sku"]):
        raise BadLine("A sku may not look like an id (UUID).")
    if "price" in fields:
        fields["price"] = amount_text(fields["price"])
        price = to_minor(fields["price"], minor_digits)
        if price is None or price < 0:
            raise BadLine(f"price {fields['price'][:40]!r} is no amount such as {from_minor(1999, minor_digits)}.")
    return fields


def _choice(name: str, text: str) -> str:
    if text.lower() not in _CHOICES[name]:
        raise BadLine(f"{name} {text[:40]!r} must be one of {', '.join(_CHOICES[name])}.")
    return text.lower()


_PRODUCT_CELLS: dict[str, Callable[[str, str], Any]] = {
    "sku": code_cell,
    "title": title_cell,
    "tax_class": title_cell,
    "supplier": title_cell,
    "kind": _choice,
    "gtin": gtin_cell,
    "precision": precision_cell,
    "reorder_point": quantity_cell,
    "oversell": _choice,
    "digital_delivery_method": _choice,
    "preorder_limit": quantity_cell,
    "available_from": instant_or_day_cell,
    "track_expiry": flag_cell,
    "dropship": flag_cell,
    "active": flag_cell,
}
