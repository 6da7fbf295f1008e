"""Figures over all inventory entries: totals, how many run low, by store and by location.

One pass over the levels gives everything, grouped by location and precision (quantities of different precision can
only be added as numbers). What has ended but is not settled is put right afterwards, level by level: it is little.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import NamedTuple

import sqlalchemy as sa

from holdfast.core.number import Number
from holdfast.core.product import Store
from holdfast.core.stock import Catalog, Level
from holdfast.db import schema
from holdfast.db.queries.catalog import columns_of, places_of
from holdfast.db.queries.levels import low_levels
from holdfast.db.queries.paging import Json, pieces
from holdfast.db.queries.settling import Ended, as_settled, ended
from holdfast.db.rows import row_type

_level, _product = schema.level.c, schema.product.c


class Sum(NamedTuple):
    """Entries of one location and one precision, in smallest units."""

    location_id: str
    precision: int
    entries: int
    on_hand: int
    reserved: int


def sums(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None) -> list[Sum]:
    """The listed entries summed up by location and precision.

    Nearly all products are counted in whole units: those that are not are added up apart and taken out of the rest, so
    that the many levels need not be joined to their products.
    """
    org_id = catalog.settings.id
    here = [_level.org_id == org_id, _level.listed]
    if places is not None:
        here.append(_level.location_id.in_(places))
    numbers = (sa.func.count(), sa.func.sum(_level.on_hand), sa.func.sum(_level.reserved))
    everything = sa.select(_level.location_id, *numbers).where(*here).group_by(_level.location_id)
    whole = {row[0]: Sum(row[0], 0, row[1], int(row[2]), int(row[3])) for row in connection.execute(everything)}
    broken = (
        sa.select(_level.location_id, _product.precision, *numbers)
        .join(schema.product, (_product.org_id == _level.org_id) & (_product.id == _level.product_id))
        .where(*here, _product.org_id == org_id, _product.precision > 0)
        .group_by(_level.location_id, _product.precision)
    )
    parts = [Sum(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in connection.execute(broken)]
    for part in parts:
        rest = whole[part.location_id]
        whole[part.location_id] = rest._replace(
            entries=rest.entries - part.entries,
            on_hand=rest.on_hand - part.on_hand,
            reserved=rest.reserved - part.reserved,
        )
    return [*(rest for rest in whole.values() if rest.entries), *parts]


def stats(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None, now: int) -> Json:
    """`{total_entries, total_quantity, total_reserved, total_available, low_stock_count, ...}`."""
    groups = sums(connection, catalog, places)
    sellable = {place.id for place in catalog.locations.values() if place.sellable}
    reserved = sum((_scaled(group.reserved, group.precision) for group in groups), Decimal(0))
    available = sum(
        (_scaled(group.on_hand - group.reserved, group.precision) for group in groups if group.location_id in sellable),
        Decimal(0),
    )
    for level, precision, over in _unsettled(connection, catalog, places, now):
        seen = as_settled(level, over)
        reserved -= _scaled(seen.dead, precision)
        if level.location_id in sellable:
            available += _scaled(seen.available - level.available, precision)
    low = low_levels(catalog, connection.dialect.name, None, [sa.func.count()]).where(_level.listed)
    if places is not None:
        low = low.where(_level.location_id.in_(places))
    here = {group.location_id for group in groups}
    return {
        "total_entries": sum(group.entries for group in groups),
        "total_quantity": _number(_on_hand(groups)),
        "total_reserved": _number(reserved),
        "total_available": _number(available),
        "low_stock_count": connection.execute(low).scalar_one(),
        "stores_with_inventory": len({catalog.locations[name].store_id for name in here}),
        "unique_locations": len(here),
    }


def _unsettled(
    connection: sa.Connection, catalog: Catalog, places: Collection[str] | None, now: int
) -> list[tuple[Level, int, Ended]]:
    """The listed levels where something has ended, with their products' precision and what has."""
    org_id = catalog.settings.id
    over = ended(connection, org_id, now)
    found: list[tuple[Level, int, Ended]] = []
    for part in pieces(sorted(over)):
        query = (
            sa.select(*columns_of(schema.level, Level), _product.precision)
            .join(schema.product, (_product.org_id == _level.org_id) & (_product.id == _level.product_id))
            .where(_level.org_id == org_id, _level.id.in_(part), _level.listed)
        )
        for row in connection.execute(query):
            level = row_type(Level).read(row[:-1])
            if places is None or level.location_id in places:
                found.append((level, row[-1], over[level.id]))
    return found


def by_store(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None) -> list[Json]:
    """`{store_id, store_name, total_entries, total_quantity}` of each store with inventory, by name."""
    groups: dict[str, list[Sum]] = {}
    for group in sums(connection, catalog, places):
        groups.setdefault(catalog.locations[group.location_id].store_id, []).append(group)
    rows = [
        {
            "store_id": store_id,
            "store_name": catalog.stores[store_id].name,
            "total_entries": sum(group.entries for group in own),
            "total_quantity": _number(_on_hand(own)),
        }
        for store_id, own in groups.items()
    ]
    return sorted(rows, key=lambda row: (str(row["store_name"]), str(row["store_id"])))


def of_store(connection: sa.Connection, catalog: Catalog, store: Store) -> Json:
    """`{store_id, store_name, total_entries, total_quantity}` of one store."""
    groups = sums(connection, catalog, places_of(catalog, store=store.id))
    return {
        "store_id": store.id,
        "store_name": store.name,
        "total_entries": sum(group.entries for group in groups),
        "total_quantity": _number(_on_hand(groups)),
    }


def by_location(connection: sa.Connection, catalog: Catalog, places: Collection[str] | None) -> list[Json]:
    """`{location, store_id, total_quantity}` of each location with inventory, by code."""
    groups: dict[str, list[Sum]] = {}
    for group in sums(connection, catalog, places):
        groups.setdefault(group.location_id, []).append(group)
    rows = [
        {
            "location": catalog.locations[name].code,
            "store_id": catalog.locations[name].store_id,
            "total_quantity": _number(_on_hand(own)),
        }
        for name, own in groups.items()
    ]
    return sorted(rows, key=lambda row: str(row["location"]))


def _on_hand(groups: Iterable[Sum]) -> Decimal:
    return sum((_scaled(group.on_hand, group.precision) for group in groups), Decimal(0))


def _scaled(units: int, precision: int) -> Decimal:
    return Decimal(units).scaleb(-precision)


def _number(total: Decimal) -> Number | float:
    """A sum as a plain JSON number."""
    return int(total) if total == total.to_integral_value() else float(total)
