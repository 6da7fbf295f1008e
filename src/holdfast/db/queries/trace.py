"""Trace: from a lot to everybody who has or had it, and from an order to its lots (docs/why/lots.md).

    of_lot(...)     -> {lot, received, on_hand, held, sold, returned}
    of_order(...)   -> [{lot_id, lot_code, sku, quantity, held, sold, returned, ...}]

Moves come from the ledger, what is held from the holds themselves. A lot is traced through every location.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import Meta

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.ledger import Entry
from holdfast.core.records.product import Product
from holdfast.core.records.stock import LotStock, Reservation
from holdfast.core.records.time import instant_text
from holdfast.db import schema
from holdfast.db.queries import ledger, lots, reservations
from holdfast.db.queries.catalog import places_of, products_of
from holdfast.db.queries.filters import Filter
from holdfast.db.queries.paging import Json, Stores, as_id, pieces
from holdfast.db.queries.settled import foresee, foresee_holds
from holdfast.db.queries.settling import ACTIVE, instant

_ledger, _hold = schema.ledger.c, schema.reservation.c


class OrderFilter(Filter, frozen=True, kw_only=True):
    """Which of the orders that have one number."""

    source: Annotated[str | None, Meta(description="Only of the order of this source, as `shopify`.")] = None


def of_lot(
    connection: sa.Connection, catalog: Catalog, ref: str, *, stores: Stores = None, now: int | None = None
) -> Json | None:
    """`{lot, received, on_hand, held, sold, returned}`: where a lot came from, lies, and went."""
    at, name = instant(now), as_id(ref)
    found = [] if name is None else lots.lies_at(connection, catalog, name, stores)
    if name is None or not found:
        return None
    org_id, lot = catalog.settings.id, found[0][0]
    product = products_of(connection, org_id, [lot.product_id])[lot.product_id]
    moved = sa.select(*ledger.COLUMNS).where(
        _ledger.org_id == org_id, _ledger.lot_id == name, sa.text("ledger.qty_delta <> 0")
    )
    places = places_of(catalog, stores=stores)
    if places is not None:
        moved = moved.where(_ledger.location_id.in_(places))
    moves = ledger.read(connection.execute(moved).all())
    moves.sort(key=lambda entry: entry.id)
    whole = lots.one(connection, catalog, name, stores=stores, now=at)
    assert whole is not None
    customers = _customers(connection, org_id, {entry.ref_id for entry in moves if entry.ref_id is not None})
    return {
        "lot": whole,
        "received": [
            {
                "receipt_id": entry.ref_id,
                "location": catalog.locations[entry.location_id].code,
                "quantity": product.number(entry.qty_delta),
                "reference": entry.note,
                "supplier": lot.supplier,
                "at": instant_text(entry.created_at),
            }
            for entry in moves
            if entry.ref_type == "RECEIPT"
        ],
        "on_hand": whole["locations"],
        "held": _held(connection, catalog, name, product, [stock for _, stock in found], at),
        "sold": _by_order(catalog, product, [entry for entry in moves if entry.ref_type == "SALE"], customers),
        "returned": _by_order(catalog, product, [entry for entry in moves if entry.ref_type == "RETURN"], customers),
    }


def _by_order(
    catalog: Catalog, product: Product, entries: Sequence[Entry], customers: dict[str, str | None]
) -> list[Json]:
    """Entries added up by order, source and document, in the order of their last one, newest first."""
    groups: dict[tuple[str | None, str | None, str | None, str], list[Entry]] = {}
    for entry in entries:
        loose = entry.reservation_id or entry.id if entry.order_number is None and entry.ref_id is None else None
        key = (entry.order_number, entry.source, entry.ref_id or loose, entry.location_id)
        groups.setdefault(key, []).append(entry)
    rows = [
        (
            own[-1].created_at,
            {
                "order_number": order_number,
                "source": source,
                "customer": customers.get(own[-1].ref_id or ""),
                "quantity": product.number(abs(sum(entry.qty_delta for entry in own))),
                "location": catalog.locations[location_id].code,
                "reservation_id": own[-1].reservation_id,
                "ref_id": own[-1].ref_id,
                "at": instant_text(own[-1].created_at),
            },
        )
        for (order_number, source, _, location_id), own in groups.items()
        if sum(entry.qty_delta for entry in own)  # a shipment that was taken back never left
    ]
    return [row for _, row in sorted(rows, key=lambda pair: pair[0], reverse=True)]


def _held(
    connection: sa.Connection, catalog: Catalog, lot_id: str, product: Product, lies: Sequence[LotStock], now: int
) -> list[Json]:
    """The holds that are alive at `now` and that the lot backs, newest first."""
    org_id = catalog.settings.id
    query = sa.select(*reservations.COLUMNS).where(
        _hold.org_id == org_id,
        _hold.level_id.in_([here.level_id for here in lies]),
        ACTIVE,
        sa.cast(_hold.allocations, sa.Text).contains(lot_id),
    )
    holds: list[Reservation] = reservations.read(connection.execute(query).all()) if lies else []
    seen = foresee(connection, catalog, now, {product.id})
    levels = {here.level_id for here in lies}
    known = {hold.id: hold for hold in (*holds, *seen.holds.values()) if hold.level_id in levels}
    settled = [seen.hold(hold) for hold in known.values()]
    living = [hold for hold in settled if hold.active and lot_id in dict(hold.allocations)]
    living.sort(key=lambda hold: hold.id, reverse=True)
    customers = _customers(connection, org_id, {hold.reserved_for_id for hold in living if hold.reserved_for_id})
    return [
        {
            "reservation_id": hold.id,
            "order_number": hold.order_number,
            "source": hold.source,
            "customer": customers.get(hold.reserved_for_id or ""),
            "reserved_for_type": hold.reserved_for_type,
            "reserved_for_id": hold.reserved_for_id,
            "quantity": product.number(dict(hold.allocations)[lot_id]),
            "location": catalog.locations[hold.location_id].code,
            "at": instant_text(hold.created_at),
        }
        for hold in living
    ]


def _customers(connection: sa.Connection, org_id: str, ids: Collection[str]) -> dict[str, str | None]:
    """The customers of sales, returns and appointments, by the document's id."""
    found: dict[str, str | None] = {}
    known = sorted(name for name in ids if as_id(name) is not None)
    for kind in ("appointment", "sale"):
        table = schema.metadata.tables.get(kind)
        if table is None:
            continue
        for part in pieces(known):
            query = sa.select(table.c.id, table.c.customer).where(table.c.org_id == org_id, table.c.id.in_(part))
            found.update((row[0], row[1]) for row in connection.execute(query))
    return found


def _moved_for_order(
    connection: sa.Connection, org_id: str, moved: Sequence[sa.ColumnElement[bool]]
) -> dict[tuple[str, str | None, str], dict[str, int]] | None:
    """What was sold and brought back by (lot, source, location), in the order of the first entry of each; None where
    there is no entry at all. The database adds it up: an order may have any number of entries."""
    first = sa.func.min(sa.cast(_ledger.id, sa.Text))
    sold = sa.func.sum(sa.case((_ledger.ref_type == "SALE", -_ledger.qty_delta), else_=0))
    returned = sa.func.sum(sa.case((_ledger.ref_type == "RETURN", _ledger.qty_delta), else_=0))
    of = (_ledger.lot_id, _ledger.source, _ledger.location_id)
    found = connection.execute(
        sa.select(first, *of, sold, returned).where(_ledger.org_id == org_id, *moved).group_by(*of)
    )
    rows = sorted(found, key=lambda row: row[0])
    if not rows:
        return None
    return {
        (lot_id, source, location_id): {"held": 0, "sold": int(out), "returned": int(back)}
        for _, lot_id, source, location_id, out, back in rows
        if lot_id is not None
    }


def of_order(
    connection: sa.Connection,
    catalog: Catalog,
    order_number: str,
    *,
    source: str | None = None,
    stores: Stores = None,
    now: int | None = None,
) -> list[Json] | None:
    """The lots that an order (of one source, or of all) holds, got, or gave back; None when nothing is known of it.

    Each is `{lot_id, lot_code, product_id, sku, location, source, quantity, held, sold, returned}`.
    """
    org_id = catalog.settings.id
    places = places_of(catalog, stores=stores)
    moved = [_ledger.order_number.is_not(None), _ledger.order_number == order_number]
    promised = [_hold.order_number.is_not(None), _hold.order_number == order_number, ACTIVE]
    if source is not None:
        moved.append(_ledger.source == source)
        promised.append(_hold.source == source)
    if places is not None:
        moved.append(_ledger.location_id.in_(places))
    groups = _moved_for_order(connection, org_id, moved)
    if groups is None:
        return None
    query = sa.select(*reservations.COLUMNS).where(_hold.org_id == org_id, *promised)
    holds: list[Reservation] = reservations.read(connection.execute(query).all())
    seen = foresee_holds(connection, catalog, instant(now), holds)
    made = [
        hold for hold in seen.made if hold.order_number == order_number and (source is None or hold.source == source)
    ]
    for hold in map(seen.hold, [*holds, *made]):
        if places is not None and hold.location_id not in places:
            continue
        for lot_id, units in hold.allocations:
            key = (lot_id, hold.source, hold.location_id)
            groups.setdefault(key, {"held": 0, "sold": 0, "returned": 0})["held"] += units
    known = reservations.lots_of(connection, org_id, {lot_id for lot_id, _, _ in groups})
    products = products_of(connection, org_id, {lot.product_id for lot in known.values()})
    rows: list[Json] = []
    for (lot_id, its_source, location_id), sums in groups.items():
        lot = known[lot_id]
        product = products[lot.product_id]
        row: dict[str, Any] = {
            "lot_id": lot_id,
            "lot_code": lot.code,
            "product_id": product.id,
            "sku": product.sku,
            "location": catalog.locations[location_id].code,
            "source": its_source,
            "quantity": product.number(sums["held"] + sums["sold"] - sums["returned"]),
            **{name: product.number(units) for name, units in sums.items()},
            "expires_at": lot.expires_on if lot.expires_at is None else instant_text(lot.expires_at),
        }
        if any(sums.values()):
            rows.append(row)
    return rows
