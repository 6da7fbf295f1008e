"""What every answer needs beside its rows: the organisation's settings, stores and locations, and its products.

    catalog_of(connection, org_id)                    -> Catalog, or None: there is no such organisation
    ReadCatalogs().of(connection, org_id)             -> the same; the small tables are read once
    products_of(connection, org_id, [ids])            -> {id: Product}

The small tables are kept as of the organisation's catalog version, which every change of them raises in the same
transaction; so a read looks at one row instead of three tables. Products are read by their ids, never kept. The
writers keep catalogs of their own (`db.batch.load.WriterCatalogs`); decision 0036 says why that is not this one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store, TaxRate
from holdfast.core.records.product import Product, folded
from holdfast.core.records.text import composed
from holdfast.db import schema
from holdfast.db.batch.rows import record_of
from holdfast.db.queries.paging import among, as_id

READ_CATALOGS_MAX = 256
"""Organisations whose catalog one process keeps for reads."""


class ReadCatalogs:
    """The catalogs that reads of a process share; safe in any thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Catalog] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, connection: sa.Connection, org_id: str) -> Catalog | None:
        """The organisation's catalog as of the connection's view; None when there is no such organisation."""
        settings = _settings_of(connection, org_id)
        if settings is None:
            return None
        with self._lock:
            known = self._known.get(org_id)
        if known is None or known.settings != settings:
            known = _read(connection, org_id, settings)
            with self._lock:
                self._known[org_id] = known
                self._known.move_to_end(org_id)
                while len(self._known) > READ_CATALOGS_MAX:
                    self._known.popitem(last=False)
        return known


def catalog_of(connection: sa.Connection, org_id: str) -> Catalog | None:
    """The organisation's catalog as of the connection's view, kept nowhere; None when there is no such organisation."""
    settings = _settings_of(connection, org_id)
    return None if settings is None else _read(connection, org_id, settings)


def _settings_of(connection: sa.Connection, org_id: str) -> Settings | None:
    if as_id(org_id) is None:
        return None
    found = records(connection, schema.organisation, Settings, schema.organisation.c.org_id == org_id)
    return found[0] if found else None


def _read(connection: sa.Connection, org_id: str, settings: Settings) -> Catalog:
    catalog = Catalog(settings)
    for store in records(connection, schema.store, Store, schema.store.c.org_id == org_id):
        catalog.put_store(store)
    for place in records(connection, schema.location, Location, schema.location.c.org_id == org_id):
        catalog.put_location(place)
    for rate in records(connection, schema.tax_rate, TaxRate, schema.tax_rate.c.org_id == org_id):
        catalog.put_tax_rate(rate)
    return catalog


def records(connection: sa.Connection, table: sa.Table, struct: type[Any], *where: Any) -> list[Any]:
    """The structs of the rows that match."""
    rows = connection.execute(sa.select(*columns_of(table, struct)).where(*where))
    return read_records(table, struct, rows)


def read_records(table: sa.Table, struct: type[Any], rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The structs of rows whose columns are `columns_of`."""
    names = fields_of(table, struct)
    return [record_of(struct, dict(zip(names, row, strict=True)), table) for row in rows]


def fields_of(table: sa.Table, struct: type[Any]) -> list[str]:
    """The fields of the struct that the table has (an organisation's id is its org_id)."""
    return [name for name in struct.__struct_fields__ if name in table.c or name == "id"]


def columns_of(table: sa.Table, struct: type[Any]) -> list[sa.ColumnElement[Any]]:
    """The columns of those fields, under their names."""
    return [table.c[name] if name in table.c else table.c.org_id.label(name) for name in fields_of(table, struct)]


def products_of(connection: sa.Connection, org_id: str, ids: Collection[str]) -> dict[str, Product]:
    """The products with those ids, by id."""
    product = schema.product
    rows = records(connection, product, Product, product.c.org_id == org_id, among(connection, product.c.id, ids))
    return {row.id: row for row in rows}


def product_of(connection: sa.Connection, org_id: str, ref: str) -> Product | None:
    """The product with that id or SKU."""
    product, name = schema.product, as_id(ref)
    match = product.c.sku == composed(ref) if name is None else product.c.id == name
    found = records(connection, product, Product, product.c.org_id == org_id, match)
    return found[0] if found else None


def store_of(catalog: Catalog, ref: str) -> Store | None:
    """The store with that id, or the active one with that code (any case)."""
    by_id = catalog.stores.get(as_id(ref) or "")
    if by_id is not None:
        return by_id
    wanted = {ref, folded(ref)}
    return next((store for store in catalog.stores.values() if store.active and store.code in wanted), None)


def places_of(
    catalog: Catalog, *, stores: Collection[str] | None = None, store: str | None = None, location: str | None = None
) -> list[str] | None:
    """The ids of the locations that all the filters allow (ids or codes); None when nothing limits them."""
    if stores is None and store is None and location is None:
        return None
    places = list(catalog.locations.values())
    if location is not None:
        one = catalog.location(location)
        places = [] if one is None else [one]
    if store is not None:
        wanted = store_of(catalog, store)
        places = [] if wanted is None else [place for place in places if place.store_id == wanted.id]
    return [place.id for place in places if catalog.shows(place.id, stores)]


def unsellable(catalog: Catalog) -> list[str]:
    """The ids of the locations from which nothing is ever promised."""
    return [place.id for place in catalog.locations.values() if not place.sellable]
