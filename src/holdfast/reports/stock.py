"""Stock: levels, reservations, the ledger, lots and where they went, counts and transfers."""

from __future__ import annotations

from holdfast.core.records.number import Number
from holdfast.db.queries import documents, ledger, levels, lots, overview, past_levels, reservations, trace
from holdfast.db.queries.paging import EMPTY, Json, Page
from holdfast.reports.view import LIMIT_DEFAULT, Stores, View, instant


class StockReports(View):
    """Stock."""

    # Levels ----------------------------------------------------------------------------------------------------------

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
        if as_of is not None:
            return self._read(org_id, EMPTY, past_levels.listed, wanted, as_of=as_of, cursor=cursor, limit=limit)
        return self._read(org_id, EMPTY, levels.listed, wanted, cursor=cursor, limit=limit, now=instant(now))

    def level(self, org_id: str, level_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """An inventory entry by id, also when it is not listed any more (`listed` is not part of it)."""
        return self._read(org_id, None, levels.entry, level_id, stores, instant(now))

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
        now, items, cursor = instant(now), list[Json](), None
        while True:
            page = self.low_stock_page(
                org_id, threshold=threshold, store=store, stores=stores, now=now, cursor=cursor, limit=levels.LOW_MAX
            )
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return items

    def low_stock_page(
        self,
        org_id: str,
        *,
        threshold: Number | None = None,
        store: str | None = None,
        stores: Stores = None,
        cursor: str | None = None,
        limit: int = LIMIT_DEFAULT,
        now: int | None = None,
    ) -> Page:
        """A page of that list; `limit` may be up to 10,000."""
        wanted = levels.Filter(store=store, stores=stores, threshold=threshold)
        return self._read(org_id, EMPTY, levels.low_stock, wanted, instant(now), cursor=cursor, limit=limit)

    def inventory_stats(
        self, org_id: str, *, store: str | None = None, stores: Stores = None, now: int | None = None
    ) -> Json:
        """`{total_entries, total_quantity, total_reserved, total_available, low_stock_count, ...}`."""
        return self._read(org_id, {}, overview.stats, store, stores, instant(now))

    def stores_overview(self, org_id: str, *, stores: Stores = None, now: int | None = None) -> list[Json]:
        """`{store_id, store_name, total_entries, total_quantity}` of each store with inventory."""
        return self._read(org_id, [], overview.by_store, stores, instant(now))

    def locations_overview(
        self, org_id: str, *, store: str | None = None, stores: Stores = None, now: int | None = None
    ) -> list[Json]:
        """`{location, store_id, total_quantity}` of each location with inventory."""
        return self._read(org_id, [], overview.by_location, store, stores, instant(now))

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
        return self._read(org_id, None, overview.of_store, store, stores, cursor, limit, instant(now))

    # Reservations ----------------------------------------------------------------------------------------------------

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
        return self._read(org_id, EMPTY, reservations.listed, wanted, cursor=cursor, limit=limit, now=instant(now))

    def reservation(
        self, org_id: str, reservation_id: str, *, stores: Stores = None, now: int | None = None
    ) -> Json | None:
        """A reservation by id."""
        return self._read(org_id, None, reservations.one, reservation_id, stores, instant(now))

    # Ledger and lots -------------------------------------------------------------------------------------------------

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
        """Ledger entries (docs/reference/ledger.md) with `from_ <= created_at < to`, in microseconds."""
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
        return self._read(org_id, EMPTY, lots.listed, wanted, cursor=cursor, limit=limit, now=instant(now))

    def lot(self, org_id: str, lot_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{id, lot_code, product_id, sku, ..., on_hand, reserved, value, locations: [row per location]}`."""
        return self._read(org_id, None, lots.one, lot_id, stores, instant(now))

    def trace(self, org_id: str, lot_id: str, *, stores: Stores = None, now: int | None = None) -> Json | None:
        """`{lot, received, on_hand, held, sold, returned}`: where a lot came from, lies, and went."""
        return self._read(org_id, None, trace.of_lot, lot_id, stores, instant(now))

    def order_lots(
        self,
        org_id: str,
        order_number: str,
        *,
        source: str | None = None,
        stores: Stores = None,
        now: int | None = None,
    ) -> list[Json] | None:
        """The lots that an order (of one source, or of all) got: `{lot_id, lot_code, product_id, sku, location, source,
        quantity, held, sold, returned}` each; None when nothing is known of the order."""
        return self._read(org_id, None, trace.of_order, order_number, source, stores, instant(now))

    # Counts and transfers --------------------------------------------------------------------------------------------

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
