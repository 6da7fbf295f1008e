"""The gate: a caller who is assigned to some stores changes nothing that belongs to another one.

    Stock.post, put_row and put_record pass here
    a cashier of WEST, a level at EAST                     -> FORBIDDEN, and the command ends there
    units that come to WEST serve a hold at EAST           -> a consequence (`Stock.consequences`): nobody asked for it

What changes a hold and posts nothing (its priority, expiry or target) does not pass here: `holds.hold_to_change` and
adoption test its store. Most commands have looked at the store before, to say more exactly what is wrong. What is
changed is looked at as it was and as it becomes: nobody takes a record of another store over into their own. A record
belongs to the store that it names, or to that of its location, its sale or its register session; one of a transfer to
the stores at both ends; what names none (a product, a setting) is the organisation's, and its permission guards it.
"""

from __future__ import annotations

from typing import Any

from holdfast.core.records.organisation import Store
from holdfast.core.records.rejection import Code, RefusedOutright
from holdfast.core.stock.working_set import WorkingSet

OTHER_STORE = "You may not act there: it belongs to another store."


def pass_record(stock: WorkingSet, stores: frozenset[str], record: Any) -> None:
    """Refuse when the record belongs to stores, and to none of the caller's."""
    owners = owners_of(stock, record)
    if owners and not owners & stores:
        raise RefusedOutright(Code.FORBIDDEN, OTHER_STORE)


def pass_place(stock: WorkingSet, stores: frozenset[str], location_id: str) -> None:
    """Refuse when the location is in none of the caller's stores; goods on the road are in nobody's."""
    place = stock.catalog.locations[location_id]
    if place.store_id not in stores and place.kind != "transit":
        raise RefusedOutright(Code.FORBIDDEN, OTHER_STORE)


def is_of(stock: WorkingSet, stores: frozenset[str] | None, record: Any) -> bool:
    """Does the record belong to one of the stores (None: all of them)?"""
    return stores is None or bool(owners_of(stock, record) & stores)


def owners_of(stock: WorkingSet, record: Any) -> set[str]:
    """The stores that a record belongs to; empty: it is the organisation's. A store belongs to itself."""
    if isinstance(record, Store):
        return {record.id}
    store_id = getattr(record, "store_id", None)
    if store_id is not None:
        return {store_id}
    places = [getattr(record, name, None) for name in ("location_id", "from_location_id", "to_location_id")]
    known = stock.catalog.locations
    owners = {known[place].store_id for place in places if place is not None and place in known}
    if owners:
        return owners
    for name in ("sale_id", "session_id"):
        parent = stock.row_named(getattr(record, name, None))
        if parent is not None:
            return owners_of(stock, parent)
    return set()
