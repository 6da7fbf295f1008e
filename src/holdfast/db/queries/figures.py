"""Figures of a list of entries: what a filter shows, added up.

    of_entries(connection, catalog, LevelFilter(search="mug"), part)
        -> {"entries": 12, "on_hand": 480, "reserved": 31, "available": 449, "backordered": 0, "low": 2, "out": 1}

They count the entries that the list with the same filter has, units as settling would leave them. Which entries those
are is asked of the levels as they are kept, as the list asks it. It reads each of these entries, and nothing else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.number import Number
from holdfast.db import schema
from holdfast.db.exact_sum import exact_sum
from holdfast.db.queries.levels import LevelFilter, conditions, low_levels, sellable
from holdfast.db.queries.overview import unsettled
from holdfast.db.queries.paging import Json, Part, among

_level, _product = schema.level.c, schema.product.c

NOTHING: Json = {
    "entries": 0,
    "on_hand": 0,
    "reserved": 0,
    "available": 0,
    "backordered": 0,
    "low": 0,
    "out": 0,
}
"""The figures of no entry."""


class _Units(NamedTuple):
    """Entries of one location and one precision, in smallest units."""

    entries: int = 0
    on_hand: int = 0
    reserved: int = 0
    backordered: int = 0
    out: int = 0

    def plus(self, other: _Units) -> _Units:
        return _Units(*(one + more for one, more in zip(self, other, strict=True)))


def of_entries(connection: sa.Connection, catalog: Catalog, filters: LevelFilter, part: Part) -> Json:
    """`{entries, on_hand, reserved, available, backordered, low, out}` of all entries that the filter shows.

    `low` and `out` are entries, the others whole units; `available` counts where goods are sold. Of the past there are
    none: `as_of` is not asked. It takes stores and time from `part`, which has no other use here.
    """
    assert filters.as_of is None, "figures are of now"
    where = conditions(connection, catalog, filters, part.stores)
    if where is None:
        return NOTHING
    chosen = _chosen(connection, catalog, filters, [*where.all, _level.listed], part.now)
    groups = _kept(connection, catalog, chosen)
    pairs = unsettled(connection, catalog, where.places, part.now)
    if pairs:
        asked = sa.select(chosen.c.id).where(among(connection, chosen.c.id, {level.id for level, _, _ in pairs}))
        inside = set(connection.execute(asked).scalars())
        for before, after, precision in pairs:
            if before.id in inside:
                name = (before.location_id, precision)
                change = _Units(
                    0,
                    after.on_hand - before.on_hand,
                    after.reserved - before.reserved,
                    after.backordered - before.backordered,
                    (after.on_hand == 0) - (before.on_hand == 0),
                )
                groups[name] = groups.get(name, _Units()).plus(change)
    sold = set(sellable(catalog))
    total = {name: Decimal(0) for name in ("on_hand", "reserved", "available", "backordered")}
    for (location_id, precision), units in groups.items():
        total["on_hand"] += Decimal(units.on_hand).scaleb(-precision)
        total["reserved"] += Decimal(units.reserved).scaleb(-precision)
        total["backordered"] += Decimal(units.backordered).scaleb(-precision)
        if location_id in sold:
            total["available"] += Decimal(units.on_hand - units.reserved).scaleb(-precision)
    entries = sum(units.entries for units in groups.values())
    # What is narrowed to each entry's own line has been counted.
    own_line = filters.only_low and filters.threshold is None
    listed = [*where.all, _level.listed]
    return {
        "entries": entries,
        **{name: _number(number) for name, number in total.items()},
        "low": entries if own_line else _low(connection, catalog, listed, chosen, filters, part.now),
        "out": sum(units.out for units in groups.values()),
    }


def _chosen(
    connection: sa.Connection, catalog: Catalog, filters: LevelFilter, where: list[sa.ColumnElement[bool]], now: int
) -> sa.Subquery:
    """The levels that the filter shows, as they are kept."""
    columns: list[sa.ColumnElement[Any]] = [
        _level.id,
        _level.location_id,
        _level.product_id,
        _level.on_hand,
        _level.reserved,
        _level.backordered,
    ]
    query = sa.select(*columns).where(_level.org_id == catalog.settings.id)
    if filters.only_low:
        query = low_levels(connection, catalog, filters.threshold, columns, now)[0]
    return query.where(*where).subquery("chosen")


def _kept(connection: sa.Connection, catalog: Catalog, chosen: sa.Subquery) -> dict[tuple[str, int], _Units]:
    """The chosen levels added up by location and precision, as they are kept.

    The levels alone give the sums by location. Most products have no decimal places: only those that have some are
    looked for, and their part is told apart. (Looking for the product of every level takes twice as long.)
    """
    levels = chosen.c
    numbers = (
        sa.func.count(),
        exact_sum(levels.on_hand),
        exact_sum(levels.reserved),
        exact_sum(levels.backordered),
        sa.func.count(sa.case((levels.on_hand == 0, 1))),
    )
    of_all = sa.select(levels.location_id, *numbers).group_by(levels.location_id)
    whole = {row[0]: _Units(*(int(number) for number in row[1:])) for row in connection.execute(of_all)}
    query = sa.select(_product.id, _product.precision).where(
        _product.org_id == catalog.settings.id, _product.precision > 0
    )
    places = {row.id: row.precision for row in connection.execute(query)}
    groups: dict[tuple[str, int], _Units] = {}
    if places:
        divisible = (
            sa.select(levels.location_id, levels.product_id, *numbers)
            .where(among(connection, levels.product_id, set(places)))
            .group_by(levels.location_id, levels.product_id)
        )
        for row in connection.execute(divisible):
            name, units = (row[0], places[row[1]]), _Units(*(int(number) for number in row[2:]))
            groups[name] = groups.get(name, _Units()).plus(units)
            whole[row[0]] = whole[row[0]].plus(_Units(*(-number for number in units)))
    return groups | {(location_id, 0): units for location_id, units in whole.items()}


def _low(
    connection: sa.Connection,
    catalog: Catalog,
    where: list[sa.ColumnElement[bool]],
    chosen: sa.Subquery,
    filters: LevelFilter,
    now: int,
) -> int:
    """How many of them are at or below their own line."""
    low = low_levels(connection, catalog, None, [_level.id], now)[0].where(*where)
    if filters.threshold is not None:
        low = low.where(_level.id.in_(sa.select(chosen.c.id)))
    return int(connection.execute(sa.select(sa.func.count()).select_from(low.subquery())).scalar() or 0)


def _number(total: Decimal) -> Number | float:
    """A sum as a plain JSON number."""
    return int(total) if total == total.to_integral_value() else float(total)
