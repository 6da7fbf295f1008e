"""Products from a CSV file: added, or changed where the SKU exists. Blank cells leave a product as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TextIO

from holdfast.access import Actor
from holdfast.app import Holdfast
from holdfast.core.organisation.products import AddProduct, ChangeProduct, seen_as
from holdfast.core.records.command import given
from holdfast.core.records.gtin import same_number
from holdfast.core.records.number import from_minor, to_minor
from holdfast.core.records.product import Product
from holdfast.core.records.rejection import Rejected
from holdfast.core.records.time import instant_text, start_of_day
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
from holdfast.import_export.rows import Describe, FileRow, Made, Rows
from holdfast.import_export.shopify import is_shopify, shopify_lines
from holdfast.import_export.table import (
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
    rows: Rows | None = None,
) -> Outcome:
    """Add the products of a file, and change those that exist; what is like that already is skipped.

    With `dry_run` all of it happens to a copy of the organisation, which needs room for that in the temporary folder.
    """
    if dry_run:
        with copy_of(shop, actor.org_id) as copy:
            return import_products(copy, actor, organisation, file, progress=progress, rows=rows)
    table = read_table(file, _NUMBERS)
    outcome = Outcome().told_to(rows)
    lines = _lines(table, outcome)
    seen: dict[str, int] = {}
    prepared = _prepared_products(lines, organisation, seen, outcome)
    while part := list(islice(prepared, outcome.rows.piece)):
        known = products_by_sku(shop.database, actor.org_id, (line.fields["sku"] for line in part))
        waiting: list[tuple[Prepared, Product | None, Describe, Future[Any]]] = []
        for line in part:
            if outcome.rows.is_done(line.number, line.fields["sku"]):
                continue
            product = known.get(line.fields["sku"])
            try:
                command = _product_command(line, product, organisation.minor_digits)
            except BadLine as bad:
                outcome.refuse_bad(line.number, bad)
                continue
            if command is None:
                outcome.skip(line.number, line.fields["sku"])
                continue
            describe: Describe = partial(_row, line.number, product, command, organisation.minor_digits)
            kept: dict[str, Any] = outcome.rows.key(line.number, line.fields["sku"])
            sent = shop.submit(actor, command, render=outcome.rows.render(describe), **kept)
            waiting.append((line, product, describe, sent))
        for line, product, describe, future in waiting:
            reply = future.result()
            if isinstance(reply.answer, Rejected):
                outcome.refuse_rejected(line.number, reply.answer, subject=line.fields["sku"])
                continue
            outcome.rows.answered(reply, describe)
            if product is None:
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
                raise BadLine(f"SKU {fields['sku']!r} stands in line {first} already.", "sku")
            if "gtin" in fields and fields.get("active", True):
                first = gtins.setdefault(fields["gtin"].lstrip("0"), line.number)
                if first != line.number:
                    raise BadLine(f"gtin {fields['gtin']} stands in line {first} already.", "gtin")
        except BadLine as bad:
            outcome.refuse_bad(line.number, bad)
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
                raise BadLine(f"{name} {fields[name]} is no quantity with {precision} decimal places.", name)
            fields[name] = units
    if "price" in fields:
        fields["price"] = to_minor(fields["price"], minor_digits)
    if product is None:
        if "title" not in fields:
            raise BadLine("A new product needs a title.", "title")
        return AddProduct(**line.fields)
    changes = {
        name: line.fields[name] for name, value in fields.items() if not _same(name, value, getattr(product, name))
    }
    return ChangeProduct(product.id, **changes) if changes else None


def _row(
    number: int, before: Product | None, command: AddProduct | ChangeProduct, minor_digits: int, made: Product
) -> FileRow:
    """What became of a product line: what is old and new, and how it was."""
    undo: dict[str, Any] = {"kind": "product", "id": made.id, "seen": seen_as(made)}
    what = Made("product", made.id)
    if before is None:
        return FileRow(number, "added", made.sku, number, detail=made.title, made=(what,), undo=undo)
    names = [name for name in given(command, "product_id", "seen", "unused") if name in PRODUCT_COLUMNS]
    old, new = ({name: _outer(one, name, minor_digits) for name in names} for one in (before, made))
    changes = {name: (_shown(name, old[name]), _shown(name, new[name])) for name in names}
    return FileRow(number, "changed", made.sku, number, made=(what,), changes=changes, undo={**undo, "before": old})


def _outer(product: Product, name: str, minor_digits: int) -> Any:
    """A field of a product as commands take it."""
    value = getattr(product, name)
    if value is None:
        return None
    if name == "price":
        return from_minor(value, minor_digits)
    return product.number(value) if name in ("reorder_point", "preorder_limit") else value


def _shown(name: str, value: Any) -> Any:
    """The value as people read it."""
    return instant_text(value) if name == "available_from" and value is not None else value


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
            try:
                fields[name] = _PRODUCT_CELLS.get(name, text_cell)(name, text)
            except BadLine as bad:
                raise BadLine(str(bad), name) from bad
    if "sku" not in fields:
        raise BadLine("The sku is missing.", "sku")
    if fields["sku"] in (".", ".."):
        raise BadLine("A sku may not be one or two dots: in an address they mean something else.", "sku")
    if _UUID.fullmatch(fields["sku"]):
        raise BadLine("A sku may not look like an id (UUID).", "sku")
    if "price" in fields:
        fields["price"] = amount_text(fields["price"])
        price = to_minor(fields["price"], minor_digits)
        if price is None or price < 0:
            raise BadLine(
                f"price {fields['price'][:40]!r} is no amount such as {from_minor(1999, minor_digits)}.", "price"
            )
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
