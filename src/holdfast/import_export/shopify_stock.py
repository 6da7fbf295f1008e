"""Shopify's export of inventory, in both forms: a row a variant and location, or a column for each location.

    SKU,Location,On hand (current),On hand (new)     the new form; what stands under `new` counts, where it stands
    SKU,Warehouse,Shop                               the old form: columns that are nothing else are locations

It says what is there, like `holdfast export stock`. A location is ours by its code ("Main store" is MAIN-STORE too), or
by the name of a store: then it is where that store sells from first. `not stocked` is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from holdfast.core.records.organisation import Location
from holdfast.core.records.text import folded
from holdfast.db.organisations import StoreRow
from holdfast.import_export.layout import Layout, listed
from holdfast.import_export.shopify import called
from holdfast.import_export.table import FileRefused, Line, Table

SHOPIFY_STOCK = Layout(
    "shopify",
    "Shopify's export of inventory",
    "shopify",
    {
        "handle": ("handle",),
        "title": ("title",),
        "sku": ("sku",),
        "location": ("location",),
        "quantity": ("on hand (new)", "on hand (current)", "on hand"),
    },
    marks=("handle", "sku", "option1 name"),
    needed=("handle", "sku"),
)

_OPTIONS = ("option1 value", "option2 value", "option3 value")
_OTHER = frozenset(
    {
        "handle",
        "title",
        "sku",
        "barcode",
        "hs code",
        "coo",
        "location",
        "bin name",
        *_OPTIONS,
        "option1 name",
        "option2 name",
        "option3 name",
    }
)
"""Columns of the old form that are no location."""

_NOT_STOCKED = "not stocked"
_ONLY_VARIANT = "default title"


def is_shopify_stock(columns: Sequence[str]) -> bool:
    """Is it Shopify's export of inventory?"""
    return set(columns).issuperset(SHOPIFY_STOCK.marks)


def shopify_stock(table: Table, places: Mapping[str, str]) -> Iterator[Line]:
    """The levels of the export as lines with our columns; `places` are codes of locations by name."""
    by_row = "location" in table.columns
    locations = () if by_row else tuple(name for name in table.columns if name and name not in _OTHER)
    meant = [places.get(key_of(name), name) for name in locations]
    twice = [name for name, code in zip(locations, meant, strict=True) if meant.count(code) > 1]
    if twice:
        raise FileRefused(f"The columns {listed(twice)} are one location here: leave one of them.")
    for line in table.lines:
        sku = line.cells.get("sku", "").removeprefix("'") or _without_sku(line.cells)
        if by_row:
            said: tuple[tuple[str, str], ...] = (
                (line.cells.get("location", ""), SHOPIFY_STOCK.cell(line.cells, "quantity")),
            )
        else:
            said = tuple((name, line.cells.get(name, "")) for name in locations)
        for name, quantity in said:
            if quantity and quantity.lower() != _NOT_STOCKED:
                place = places.get(key_of(name), name)
                yield Line(line.number, {"sku": sku, "location": place, "quantity": quantity})


def _without_sku(cells: Mapping[str, str]) -> str:
    """What an import of Shopify's products calls a variant that has no SKU."""
    options = [cells[name] for name in _OPTIONS if cells.get(name) and cells[name].lower() != _ONLY_VARIANT]
    return called(cells.get("handle", ""), *options)


def key_of(name: str) -> str:
    """A name as it is compared: in capitals, with dashes for all that is no letter or digit."""
    return re.sub(r"[^\w]+", "-", folded(name)).strip("-")


def places_by_name(locations: Mapping[str, Location], stores: Sequence[StoreRow]) -> dict[str, str]:
    """Codes of locations by their codes, and by the names and codes of stores: where these sell from first."""
    found: dict[str, str] = {}
    ordered = sorted(locations.values(), key=lambda place: (not place.sellable, place.priority, place.code))
    for store in stores:
        first = next((place.code for place in ordered if place.store_id == store.id and place.sellable), None)
        if first is not None:
            found[key_of(store.code)] = found[key_of(store.name)] = first
    return found | {key_of(code): code for code in locations}
