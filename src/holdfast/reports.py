"""Reports: read-only answers about an organisation, shaped as they go outside (SPEC section 10).

    reports = Reports(Database("sqlite:///shop.db"))
    reports.levels(org_id, product="MUG-1", limit=50)   -> Page(items=[{"quantity": 7, ...}], next_cursor=None)
    reports.product(org_id, "MUG-1")                    -> {"sku": "MUG-1", "total_available": 7, ...}, or None

Every method takes the organisation first; what another organisation owns is None, or not in the list, like what does
not exist. A list filtered by something unknown is empty. Methods are synchronous and safe in any thread; each reads one
consistent view. Lists are newest first and go on with `next_cursor`. Where a filter is so sparse that finding a page
would mean reading the whole history, a page may be short, even empty, and still have a `next_cursor`: go on until it is
None. Cursors are opaque; one that was not given out is a `BadCursor`.

`stores` limits an answer to those stores (None: all), `now` is the instant that decides which holds and lots are dead
(microseconds since 1970; default: the clock): reads never show as promised or available what time has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from holdfast.core.lookup import Catalog
from holdfast.core.number import Number
from holdfast.db.engine import Database
from holdfast.db.queries import (
    audit,
    books,
    documents,
    events,
    ledger,
    levels,
    lots,
    overview,
    products,
    records,
    registers,
    reservations,
    sales,
    settling,
    trace,
)
from holdfast.db.queries.catalog import Catalogs
from holdfast.db.queries.paging import EMPTY, LIMIT_MAX, BadCursor, Json, Page

__all__ = ["LIMIT_DEFAULT", "LIMIT_MAX", "BadCursor", "Json", "Page", "Reports", "Stores"]

Stores = frozenset[str] | None

LIMIT_DEFAULT = 50
"""Items of a page when nobody says."""

T = TypeVar("T")
P = ParamSpec("P")


class Reports:
    """Read-only answers from a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._catalogs = Catalogs()

    def _read(
        self,
        org_id: str,
        otherwise: T,
        query: Callable[Concatenate[Any, Catalog, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        """A query's answer from one consistent view, or `otherwise` when there is no such organisation."""
        with self.database.reading() as connection:
            catalog = self._catalogs.of(connection, org_id)
            return otherwise if catalog is None else query(connection, catalog, *arguments, **options)

    # Organisation --------------------------------------------------------------------------------------------------

    def settings(self, org_id: str) -> Json | None:
        """The organisation's settings."""
        return self._read(org_id, None, records.settings)

    def stores(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active stores: `{id, code, name, timezone, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, records.stores, stores, cursor, limit)

    def store(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A store by id or code."""
        return self._read(org_id, None, records.store, ref, stores)

    def locations(
        self,
        org_id: str,
        *,
        store: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active locations, of one store (id or code) if given; `reorder_points` by SKU."""
        return self._read(org_id, EMPTY, records.locations, store, stores, cursor, limit)

    def location(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A location by id or code (any case)."""
        return self._read(org_id, None, records.location, ref, stores)

    def users(
        self,
        org_id: str,
        *,
        within: records.Within | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active users: `{id, email, role, stores, has_pin, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, records.users, within, cursor, limit)

    def user(self, org_id: str, user_id: str) -> Json | None:
        """A user, active or not."""
        return self._read(org_id, None, records.user, user_id)

    def api_keys(
        self,
        org_id: str,
        *,
        within: records.Within | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Active API keys: `{id, name, role, stores, active, created_at, updated_at}`, never the key."""
        return self._read(org_id, EMPTY, records.api_keys, within, cursor, limit)

    def api_key(self, org_id: str, key_id: str) -> Json | None:
        """An API key, active or not."""
        return self._read(org_id, None, records.api_key, key_id)

    # Products ------------------------------------------------------------------------------------------------------

    def product(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """A product by id or SKU with `total_quantity, total_reserved, total_available, backordered`."""
        return self._read(org_id, None, products.one, ref, stores, _now(now))

    def products(
        self,
        org_id: str,
        *,
        active: bool | None = None,
        search: str | None = None,
        sku: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Products with totals; `search` is part of a title, SKU or GTIN, in any case."""
        return self._read(
            org_id,
            EMPTY,
            products.listed,
            active=active,
            search=search,
            sku=sku,
            stores=stores,
            cursor=cursor,
            limit=limit,
            now=_now(now),
        )

    def product_by_code(self, org_id: str, *, gtin: str | None = None, sku: str | None = None) -> Json | None:
        """The product that a scan means, without totals: by GTIN (8 to 14 digits, zeros in front ignored) or SKU."""
        return self._read(org_id, None, products.coded, gtin, sku)

    def product_summary(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{product_id, sku, title, unlimited, total_..., backordered, locations: [entry]}` of a product."""
        return self._read(org_id, None, levels.summary, ref, stores, _now(now))

    # Levels --------------------------------------------------------------------------------------------------------

    def levels(
        self,
        org_id: str,
        *,
        product: str | None = None,
        location: str | None = None,
        store: str | None = None,
        search: str | None = None,
        low_stock: bool = False,
        threshold: Number | None = None,
        as_of: int | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Inventory entries. `low_stock`: at or below their threshold, or the `threshold` given (in whole units).

        `as_of` (microseconds) shows the levels that existed then as they stood then; without it, the listed ones.
        """
        wanted = levels.Filter(
            product=product,
            location=location,
            store=store,
            search=search,
            low_stock=low_stock,
            threshold=threshold,
            stores=stores,
        )
        return self._read(org_id, EMPTY, levels.listed, wanted, as_of=as_of, cursor=cursor, limit=limit, now=_now(now))

    def level(self, org_id: str, level_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """An inventory entry by id, also when it is not listed any more (`listed` is not part of it)."""
        return self._read(org_id, None, levels.entry, level_id, stores, _now(now))

    def level_key(self, org_id: str, level_id: str, *, stores: Stores = None) -> tuple[str, str] | None:
        """(product id, location id) of a listed inventory entry."""
        return self._read(org_id, None, levels.key, level_id, stores)

    def low_stock(
        self,
        org_id: str,
        *,
        threshold: Number | None = None,
        store: str | None = None,
        stores: Stores = None,
        now: int | None = None,
    ) -> list[Json]:
        """All entries at sellable locations at or below their threshold (or the one given), emptiest first."""
        wanted = levels.Filter(store=store, stores=stores, threshold=threshold)
        return self._read(org_id, [], levels.low_stock, wanted, _now(now))

    def inventory_stats(
        self, org_id: str, *, store: str | None = None, stores: Stores = None, now: int | None = None
    ) -> Json:
        """`{total_entries, total_quantity, total_reserved, total_available, low_stock_count, ...}`."""
        return self._read(org_id, {}, overview.stats, store, stores, _now(now))

    def stores_overview(self, org_id: str, *, stores: Stores = None, now: int | None = None) -> list[Json]:
        """`{store_id, store_name, total_entries, total_quantity}` of each store with inventory."""
        return self._read(org_id, [], overview.by_store, stores, _now(now))

    def locations_overview(
        self, org_id: str, *, store: str | None = None, stores: Stores = None, now: int | None = None
    ) -> list[Json]:
        """`{location, store_id, total_quantity}` of each location with inventory."""
        return self._read(org_id, [], overview.by_location, store, stores, _now(now))

    def store_inventory(
        self,
        org_id: str,
        store: str,
        *,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Json | None:
        """`{store_id, store_name, total_entries, total_quantity, items, next_cursor}` of a store."""
        return self._read(org_id, None, overview.of_store, store, stores, cursor, limit, _now(now))

    # Reservations --------------------------------------------------------------------------------------------------

    def reservations(
        self,
        org_id: str,
        *,
        product: str | None = None,
        order_number: str | None = None,
        status: str | None = None,
        source: str | None = None,
        lot_id: str | None = None,
        location: str | None = None,
        reserved_for_id: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Reservations; dead ones are shown and found as released (or consumed). `lot_id`: backed by it or pinned."""
        wanted = reservations.Filter(
            product=product,
            order_number=order_number,
            status=status,
            source=source,
            lot_id=lot_id,
            location=location,
            reserved_for_id=reserved_for_id,
            stores=stores,
        )
        return self._read(org_id, EMPTY, reservations.listed, wanted, cursor=cursor, limit=limit, now=_now(now))

    def reservation(
        self, org_id: str, reservation_id: str, *, stores: Stores = None, now: int | None = None
    ) -> Json | None:
        """A reservation by id."""
        return self._read(org_id, None, reservations.one, reservation_id, stores, _now(now))

    # Ledger and lots -----------------------------------------------------------------------------------------------

    def ledger(
        self,
        org_id: str,
        *,
        product: str | None = None,
        location: str | None = None,
        lot_id: str | None = None,
        order_number: str | None = None,
        ref_type: str | None = None,
        source: str | None = None,
        actor: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Ledger entries (SPEC section 6) with `from_ <= created_at < to`, in microseconds."""
        wanted = ledger.Filter(
            product=product,
            location=location,
            lot_id=lot_id,
            order_number=order_number,
            ref_type=ref_type,
            source=source,
            actor=actor,
            from_=from_,
            to=to,
            stores=stores,
        )
        return self._read(org_id, EMPTY, ledger.listed, wanted, cursor=cursor, limit=limit)

    def lots(
        self,
        org_id: str,
        *,
        product: str | None = None,
        location: str | None = None,
        lot_code: str | None = None,
        status: str | None = None,
        in_stock: bool = False,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """A row per lot and location; `in_stock` leaves out those without units."""
        wanted = lots.Filter(
            product=product, location=location, lot_code=lot_code, status=status, in_stock=in_stock, stores=stores
        )
        return self._read(org_id, EMPTY, lots.listed, wanted, cursor=cursor, limit=limit, now=_now(now))

    def lot(self, org_id: str, lot_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{id, lot_code, product_id, sku, ..., on_hand, reserved, value, locations: [row per location]}`."""
        return self._read(org_id, None, lots.one, lot_id, stores, _now(now))

    def trace(self, org_id: str, lot_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{lot, received, on_hand, held, sold, returned}`: where a lot came from, lies, and went."""
        return self._read(org_id, None, trace.of_lot, lot_id, stores, _now(now))

    def order_lots(self, org_id: str, order_number: str, *, stores: Stores = None) -> list[Json] | None:
        """The lots that an order got: `{lot_id, lot_code, product_id, sku, location, source, quantity, held, sold,
        returned}` each; None when nothing is known of the order."""
        return self._read(org_id, None, trace.of_order, order_number, stores)

    # Documents -----------------------------------------------------------------------------------------------------

    def counts(
        self,
        org_id: str,
        *,
        status: str | None = None,
        location: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Counts, drafts included."""
        return self._read(
            org_id,
            EMPTY,
            documents.counts,
            status=status,
            location=location,
            stores=stores,
            cursor=cursor,
            limit=limit,
        )

    def count(self, org_id: str, count_id: str, *, stores: Stores = None) -> Json | None:
        """A count."""
        return self._read(org_id, None, documents.count, count_id, stores)

    def transfers(
        self,
        org_id: str,
        *,
        status: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Transfers from or to the stores."""
        return self._read(org_id, EMPTY, documents.transfers, status=status, stores=stores, cursor=cursor, limit=limit)

    def transfer(self, org_id: str, transfer_id: str, *, stores: Stores = None) -> Json | None:
        """A transfer."""
        return self._read(org_id, None, documents.transfer, transfer_id, stores)

    def appointments(
        self, org_id: str, *, status: str | None = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Appointments."""
        return self._read(org_id, EMPTY, records.appointments, status, cursor, limit)

    def appointment(self, org_id: str, appointment_id: str) -> Json | None:
        """An appointment."""
        return self._read(org_id, None, records.appointment, appointment_id)

    # Books ---------------------------------------------------------------------------------------------------------

    def accounts(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """The chart of accounts by code: `{code, name, kind}`."""
        return self._read(org_id, EMPTY, books.accounts, cursor, limit)

    def periods(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Closes of the books, the last one first: `{through, closed_by, closed_at}`."""
        return self._read(org_id, EMPTY, books.periods, cursor, limit)

    def journal(
        self,
        org_id: str,
        *,
        account: str | None = None,
        ref_type: str | None = None,
        ref_id: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Journal entries with their lines (SPEC section 8) with `from_ <= at < to`, in microseconds."""
        wanted = books.Filter(account=account, ref_type=ref_type, ref_id=ref_id, from_=from_, to=to)
        return self._read(org_id, EMPTY, books.journal, wanted, cursor=cursor, limit=limit)

    def trial_balance(self, org_id: str, *, as_of: books.AsOf = None) -> Json | None:
        """`{as_of, items: [{account, name, debit, credit, balance}], total_debit, total_credit}`.

        `as_of` is a day (what was posted on it or before) or an instant in microseconds (what was posted until then).
        """
        return self._read(org_id, None, books.trial_balance, as_of)

    def valuation(
        self, org_id: str, *, as_of: books.AsOf = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Json | None:
        """`{as_of, total, items: [{lot_id, lot_code, product_id, sku, location, on_hand, value}], next_cursor}`.

        `as_of` is a day (what was posted on it or before) or an instant in microseconds.
        """
        return self._read(org_id, None, books.valuation, as_of, cursor, limit)

    # Sales ---------------------------------------------------------------------------------------------------------

    def sales(
        self,
        org_id: str,
        *,
        status: str | None = None,
        store: str | None = None,
        source: str | None = None,
        order_number: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """Sales with lines (SPEC section 7); `order_number` is the channel's, or our own number."""
        wanted = sales.Filter(status=status, store=store, source=source, order_number=order_number, stores=stores)
        return self._read(org_id, EMPTY, sales.listed, wanted, cursor=cursor, limit=limit, now=_now(now))

    def sale(
        self,
        org_id: str,
        sale_id: str,
        *,
        stores: Stores = None,
        completed_anywhere: bool = False,
        now: int | None = None,
    ) -> Json | None:
        """A sale; with `completed_anywhere` a completed one of any store: its goods can be brought back to all."""
        return self._read(org_id, None, sales.one, sale_id, stores, _now(now), completed_anywhere=completed_anywhere)

    def returns(
        self,
        org_id: str,
        *,
        sale_id: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Returns, of a sale or all."""
        return self._read(org_id, EMPTY, sales.returns, sale_id=sale_id, stores=stores, cursor=cursor, limit=limit)

    def return_(self, org_id: str, return_id: str, *, stores: Stores = None) -> Json | None:
        """A return."""
        return self._read(org_id, None, sales.one_return, return_id, stores)

    def supplier_orders(
        self,
        org_id: str,
        *,
        status: str | None = None,
        sale_id: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Lines of sales that suppliers ship."""
        return self._read(
            org_id,
            EMPTY,
            sales.supplier_orders,
            status=status,
            sale_id=sale_id,
            stores=stores,
            cursor=cursor,
            limit=limit,
        )

    def tax_rates(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active tax rates: `{id, tax_class, rate: "0.15", store_id, name, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, sales.tax_rates, stores, cursor, limit)

    def tax_rate(self, org_id: str, rate_id: str, *, stores: Stores = None) -> Json | None:
        """An active tax rate."""
        return self._read(org_id, None, sales.tax_rate, rate_id, stores)

    # Registers -----------------------------------------------------------------------------------------------------

    def registers(
        self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Active registers: `{id, store_id, code, name, active, created_at, updated_at}`."""
        return self._read(org_id, EMPTY, registers.listed, stores, cursor, limit)

    def register(self, org_id: str, ref: str) -> Json | None:
        """A register by id (also a removed one) or code."""
        return self._read(org_id, None, registers.one, ref)

    def register_sessions(
        self,
        org_id: str,
        register_id: str,
        *,
        may_see_cash: bool = True,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """The sessions of a register; what should be in an open drawer only with `may_see_cash`."""
        return self._read(org_id, EMPTY, registers.sessions, register_id, may_see_cash, cursor, limit)

    def register_session(self, org_id: str, register_id: str, number: int, *, may_see_cash: bool = True) -> Json | None:
        """A session of a register by its number: the Z report when it is closed."""
        return self._read(org_id, None, registers.session_of_number, register_id, number, may_see_cash)

    def register_session_by_id(self, org_id: str, session_id: str, *, may_see_cash: bool = True) -> Json | None:
        """A register session by its id."""
        return self._read(org_id, None, registers.session, session_id, may_see_cash)

    # What happened -------------------------------------------------------------------------------------------------

    def audit(
        self,
        org_id: str,
        *,
        actor: str | None = None,
        kind: str | None = None,
        action: str | None = None,
        record_id: str | None = None,
        from_: int | None = None,
        to: int | None = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
    ) -> Page:
        """Audit log and stock ledger together: `{id, actor, action, kind, record_id, changes, created_at}`.

        A line of the ledger has kind `stock`, its `ref_type` as action, the level's id, and the entry as changes.
        """
        wanted = audit.Filter(actor=actor, kind=kind, action=action, record_id=record_id, from_=from_, to=to)
        return self._read(org_id, EMPTY, audit.listed, wanted, cursor=cursor, limit=limit)

    def events(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Events after the cursor (None: from the beginning), oldest first; `next_cursor` is never None.

        Numbers what committed meanwhile first (decision 0005), so the cursor never skips an event.
        """
        return events.listed(self.database, org_id, cursor, limit)

    def events_end(self, org_id: str) -> str:
        """The cursor after the newest event: what somebody who only wants what comes next begins with."""
        return events.end(self.database, org_id)

    # For the sweeper -----------------------------------------------------------------------------------------------

    def due(self, now: int | None = None, limit: int = 1000) -> list[tuple[str, list[tuple[str, str]]]]:
        """(organisation, [(product id, location id), ...]) of at most `limit` levels with expired holds or lots."""
        with self.database.reading() as connection:
            return settling.due(connection, _now(now), limit)


def _now(now: int | None) -> int:
    return time.time_ns() // 1000 if now is None else now
