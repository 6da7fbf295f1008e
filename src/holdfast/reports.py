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
from typing import Any

import msgspec

from holdfast.core.number import Number
from holdfast.db.engine import Database

Json = dict[str, Any]
Stores = frozenset[str] | None

LIMIT_DEFAULT = 50
LIMIT_MAX = 200


class BadCursor(ValueError):
    """The cursor is not one that this list gave out."""


class Page(msgspec.Struct, frozen=True, gc=False):
    """One page of a list; `next_cursor` is None at its end."""

    items: list[Json]
    next_cursor: str | None


class Reports:
    """Read-only answers from a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Organisation --------------------------------------------------------------------------------------------------

    def settings(self, org_id: str) -> Json | None:
        """The organisation's settings."""
        raise NotImplementedError

    def stores(self, org_id: str, *, stores: Stores = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Active stores: `{id, code, name, timezone, active, created_at, updated_at}`."""
        raise NotImplementedError

    def store(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A store by id or code."""
        raise NotImplementedError

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
        raise NotImplementedError

    def location(self, org_id: str, ref: str, *, stores: Stores = None) -> Json | None:
        """A location by id or code (any case)."""
        raise NotImplementedError

    def users(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Active users: `{id, email, role, stores, has_pin, active, created_at, updated_at}`."""
        raise NotImplementedError

    def user(self, org_id: str, user_id: str) -> Json | None:
        """A user, active or not."""
        raise NotImplementedError

    def api_keys(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Active API keys: `{id, name, role, stores, active, created_at, updated_at}`, never the key."""
        raise NotImplementedError

    def api_key(self, org_id: str, key_id: str) -> Json | None:
        """An API key, active or not."""
        raise NotImplementedError

    # Products ------------------------------------------------------------------------------------------------------

    def product(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """A product by id or SKU with `total_quantity, total_reserved, total_available, backordered`."""
        raise NotImplementedError

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
        raise NotImplementedError

    def product_by_code(self, org_id: str, *, gtin: str | None = None, sku: str | None = None) -> Json | None:
        """The product that a scan means, without totals: by GTIN (8 to 14 digits, zeros in front ignored) or SKU."""
        raise NotImplementedError

    def product_summary(self, org_id: str, ref: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{product_id, sku, title, unlimited, total_..., backordered, locations: [entry]}` of a product (id or SKU)."""
        raise NotImplementedError

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
        raise NotImplementedError

    def level(self, org_id: str, level_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """An inventory entry by id, also when it is not listed any more (`listed` is not part of it)."""
        raise NotImplementedError

    def level_key(self, org_id: str, level_id: str, *, stores: Stores = None) -> tuple[str, str] | None:
        """(product id, location id) of a listed inventory entry."""
        raise NotImplementedError

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
        raise NotImplementedError

    def inventory_stats(
        self, org_id: str, *, store: str | None = None, stores: Stores = None, now: int | None = None
    ) -> Json:
        """`{total_entries, total_quantity, total_reserved, total_available, low_stock_count, ...}`."""
        raise NotImplementedError

    def stores_overview(self, org_id: str, *, stores: Stores = None) -> list[Json]:
        """`{store_id, store_name, total_entries, total_quantity}` of each store with inventory."""
        raise NotImplementedError

    def locations_overview(self, org_id: str, *, store: str | None = None, stores: Stores = None) -> list[Json]:
        """`{location, store_id, total_quantity}` of each location with inventory."""
        raise NotImplementedError

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
        """`{store_id, store_name, total_entries, total_quantity, items: [entry], next_cursor}` of a store (id, code)."""
        raise NotImplementedError

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
        """Reservations; a dead one is shown and found as released (or consumed). `lot_id`: backed by or pinned to it."""
        raise NotImplementedError

    def reservation(
        self, org_id: str, reservation_id: str, *, stores: Stores = None, now: int | None = None
    ) -> Json | None:
        """A reservation by id."""
        raise NotImplementedError

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
        raise NotImplementedError

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
    ) -> Page:
        """A row per lot and location; `in_stock` leaves out those without units."""
        raise NotImplementedError

    def lot(self, org_id: str, lot_id: str, *, stores: Stores = None) -> Json | None:
        """`{id, lot_code, product_id, sku, ..., on_hand, reserved, value, locations: [row per location]}`."""
        raise NotImplementedError

    def trace(self, org_id: str, lot_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{lot, received, on_hand, held, sold, returned}`: where a lot came from, lies, and went."""
        raise NotImplementedError

    def order_lots(self, org_id: str, order_number: str, *, stores: Stores = None) -> list[Json] | None:
        """The lots that an order got: `{lot_id, lot_code, product_id, sku, location, source, quantity, held, sold,
        returned}` each; None when nothing is known of the order."""
        raise NotImplementedError

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
        raise NotImplementedError

    def count(self, org_id: str, count_id: str, *, stores: Stores = None) -> Json | None:
        """A count."""
        raise NotImplementedError

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
        raise NotImplementedError

    def transfer(self, org_id: str, transfer_id: str, *, stores: Stores = None) -> Json | None:
        """A transfer."""
        raise NotImplementedError

    def appointments(
        self, org_id: str, *, status: str | None = None, cursor: str | None = None, limit: int = LIMIT_DEFAULT
    ) -> Page:
        """Appointments."""
        raise NotImplementedError

    def appointment(self, org_id: str, appointment_id: str) -> Json | None:
        """An appointment."""
        raise NotImplementedError

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
        raise NotImplementedError

    def events(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Events after the cursor (None: from the beginning), oldest first; `next_cursor` is never None.

        Numbers what committed meanwhile first (decision 0005), so the cursor never skips an event.
        """
        raise NotImplementedError

    def events_end(self, org_id: str) -> str:
        """The cursor after the newest event: what somebody who only wants what comes next begins with."""
        raise NotImplementedError

    # For the sweeper -----------------------------------------------------------------------------------------------

    def due(self, now: int | None = None, limit: int = 1000) -> list[tuple[str, list[tuple[str, str]]]]:
        """(organisation, [(product id, location id), ...]) of at most `limit` levels with expired holds or lots."""
        raise NotImplementedError


def _now(now: int | None) -> int:
    return time.time_ns() // 1000 if now is None else now
