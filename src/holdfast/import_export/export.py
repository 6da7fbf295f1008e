"""Stock and ledger as files: rows as they go outside, written as CSV or JSON while they are read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import msgspec

from holdfast.core.records.number import from_minor
from holdfast.core.records.product import Product
from holdfast.core.records.time import instant_text
from holdfast.db.bulk import ledger_rows, level_rows
from holdfast.db.engine import Database
from holdfast.db.organisations import OrganisationRow
from holdfast.import_export.table import guarded

STOCK_EXPORT = (
    "sku",
    "title",
    "gtin",
    "store",
    "location",
    "location_kind",
    "quantity",
    "reserved_quantity",
    "available_quantity",
    "backordered_quantity",
    "value",
)
LEDGER_EXPORT = (
    "id",
    "seq",
    "product_id",
    "sku",
    "location",
    "lot_id",
    "lot_code",
    "ref_type",
    "ref_id",
    "qty_delta",
    "balance_after",
    "reserved_delta",
    "reserved_after",
    "backordered_delta",
    "backordered_after",
    "value_delta",
    "order_number",
    "source",
    "reservation_id",
    "actor",
    "reason",
    "note",
    "created_at",
)
_LEDGER_UNITS = tuple(name for name in LEDGER_EXPORT if name.startswith(("qty", "balance", "reserved", "backordered")))


def export_stock(database: Database, organisation: OrganisationRow) -> Iterator[dict[str, Any]]:
    """Every level as it goes outside, by SKU and location: as it stands when what time has ended is settled."""
    for row in level_rows(database, organisation.id):
        number = Product(id="", sku="", title="", precision=row.precision).number
        yield {
            "sku": row.sku,
            "title": row.title,
            "gtin": row.gtin,
            "store": row.store,
            "location": row.location,
            "location_kind": row.location_kind,
            "quantity": number(row.on_hand),
            "reserved_quantity": number(row.reserved),
            "available_quantity": number(row.on_hand - row.reserved if row.sellable else 0),
            "backordered_quantity": number(row.backordered),
            "value": from_minor(row.value, organisation.minor_digits),
        }


def export_ledger(database: Database, organisation: OrganisationRow) -> Iterator[dict[str, Any]]:
    """Every ledger entry as it goes outside, oldest first."""
    for row in ledger_rows(database, organisation.id):
        fields = row._mapping
        number = Product(id="", sku="", title="", precision=fields["precision"]).number
        entry = {name: fields[name] for name in LEDGER_EXPORT}
        for name in _LEDGER_UNITS:
            entry[name] = number(fields[name])
        entry["value_delta"] = from_minor(fields["value_delta"], organisation.minor_digits)
        entry["created_at"] = instant_text(fields["created_at"])
        yield entry


def write_csv(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], file: TextIO) -> None:
    """Write rows as CSV with a header."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)


def write_json(rows: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Write rows as one JSON array, a row a line."""
    encode = msgspec.json.Encoder().encode
    between = "[\n"
    for row in rows:
        file.write(between + encode(row).decode())
        between = ",\n"
    file.write("[]\n" if between == "[\n" else "\n]\n")


def _cell(value: Any) -> Any:
    """A cell: nothing for None, and no text that a spreadsheet would run as a formula."""
    return guarded(value) if isinstance(value, str) else value
