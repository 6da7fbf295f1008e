"""Changes of records: how a decision changes what is no stock (documents, sales, books, money, catalogue, events).

    stock.put_record("transfer", id, transfer)       -> the document as it now stands
    stock.put_money("SALE", id, Money(...))          -> the books follow at the end of the command
    with stock.consequences(): ...                   -> what follows by itself may be in any store

`put_record` and `put_row` pass the gate: a caller who is limited to stores changes what is of those stores and nothing
else (`gate`). Money, catalogue, costs and events do not: they follow from what has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from holdfast.core.records.catalog import Catalog
from holdfast.core.records.organisation import Location, Settings, Store, TaxRate
from holdfast.core.records.product import Product
from holdfast.core.records.status import assert_follows
from holdfast.core.stock.caller import SYSTEM
from holdfast.core.stock.gate import pass_record
from holdfast.core.stock.undo import Event, UndoableSet


class Money(msgspec.Struct, frozen=True, gc=False):
    """Money that a command moves: (account, amount) lines in minor units, debit positive, and in which store it did.

    `day` is an earlier day (YYYY-MM-DD) on which it was moved elsewhere; goods that move with it are booked today.
    """

    description: str
    store_id: str | None
    lines: tuple[Any, ...]
    day: str | None = None


class ChangedRecords(UndoableSet):
    """A working set whose documents, rows, money and catalogue can be changed by `caller`."""

    def __init__(self, org_id: str, catalog: Catalog, now: int, new_id: Callable[[], str]) -> None:
        super().__init__(org_id, catalog, now, new_id)
        self.caller = SYSTEM
        self._money: dict[tuple[str, str], Money] = {}
        self._ungated = 0

    @contextmanager
    def consequences(self) -> Iterator[None]:
        """What follows by itself from a command may be in any store: nobody asked for it."""
        self._ungated += 1
        try:
            yield
        finally:
            self._ungated -= 1

    def _gate(self, record: Any, before: Any) -> None:
        """Refuse when the record, as it was (None: it is new) or as it becomes, is another store's."""
        if self.caller.stores is not None and not self._ungated:
            if before is not None:
                pass_record(self, self.caller.stores, before)
            pass_record(self, self.caller.stores, record)

    def put_record(self, kind: str, key: str, record: Any) -> None:
        """Set a document as it now stands; `key` is its id."""
        before = self.records.get((kind, key))
        assert_follows(record, before)
        self._gate(record, before)
        self._log.append((self.records, (kind, key), before))
        self.records[kind, key] = record
        self._of_kind.setdefault(kind, {})[key] = None

    def put_row(self, row: Any) -> None:
        """Set a row of sales or books as it now stands."""
        rows = self.rows.setdefault(type(row), {})
        key = row.id
        before = rows.get(key)
        assert_follows(row, before)
        self._gate(row, before)
        if before is None:
            self.new_ids.add(key)
            self._remember_row(row)
        self._log.append((rows, key, before))
        rows[key] = row

    def put_money(self, ref_type: str, ref_id: str, money: Money) -> None:
        """Money that the command under way moves, by what it refers to; moved twice, it adds up."""
        known = self._money.get((ref_type, ref_id))
        self._log.append((self._money, (ref_type, ref_id), known))
        if known is not None:
            money = msgspec.structs.replace(money, lines=known.lines + money.lines)
        self._money[ref_type, ref_id] = money

    def date_money(self, ref_type: str, ref_id: str, day: str) -> None:
        """The money of a reference, if the command under way moves any, was moved on an earlier day."""
        known = self._money.get((ref_type, ref_id))
        if known is not None:
            self._log.append((self._money, (ref_type, ref_id), known))
            self._money[ref_type, ref_id] = msgspec.structs.replace(known, day=day)

    def take_money(self) -> dict[tuple[str, str], Money]:
        """The money of the command under way, taken to be booked."""
        taken = dict(self._money)
        self._money.clear()
        return taken

    def put_in_catalog(self, record: Settings | Product | Store | Location | TaxRate) -> None:
        """Let the rest of the batch see a record as it now stands (the batch has a catalog of its own for that)."""
        catalog = self.catalog
        known: dict[str, Any]
        for known in (
            catalog.products,
            catalog.locations,
            catalog.location_of_code,
            catalog.stores,
            catalog.tax_rates,
        ):
            for key in (record.id, getattr(record, "sku", None), getattr(record, "code", None)):
                if key is not None:
                    self._log.append((known, key, known.get(key)))
        self._log.append((catalog.__dict__, "settings", catalog.settings))
        self._log.append((catalog.__dict__, "known_sellable_places", catalog.known_sellable_places))
        if isinstance(record, Product):
            catalog.put_product(record)
        elif isinstance(record, Location):
            catalog.put_location(record)
        elif isinstance(record, Store):
            catalog.put_store(record)
        elif isinstance(record, TaxRate):
            catalog.put_tax_rate(record)
        else:
            catalog.settings = record

    def put_cost(self, product_id: str, unit_cost: int) -> None:
        """Remember the product's last receipt cost, in 10**-6 major units."""
        self._log.append((self.costs, product_id, self.costs.get(product_id)))
        self.costs[product_id] = unit_cost

    def tell(self, event_type: str, product_id: str | None, data: dict[str, Any]) -> None:
        """Append an event to this batch's; one that names a location names the store it was in (`Location.told_to`)."""
        assert "store_id" in data or "location" not in data, (event_type, data)
        self.events.append(Event(event_type, product_id, data))
