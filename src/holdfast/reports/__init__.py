"""Reports: read-only answers about an organisation, shaped as they go outside (docs/reference/api.md).

    reports = Reports(Database("sqlite:///shop.db"))
    reports.levels(org_id, LevelFilter(product="MUG-1"), limit=50)   -> Page(items=[{"quantity": 7, ...}], ...)
    reports.levels(org_id, product="MUG-1", limit=50)                -> the same, the filter's fields by name
    reports.product(org_id, "MUG-1")                  -> {"sku": "MUG-1", "total_available": 7, ...}, or None

Every report takes the organisation first; what another organisation owns is None, or not in the list, like what does
not exist. A list filtered by something unknown is empty. Reports are synchronous and safe in any thread; each reads one
consistent view. Lists are newest first and go on with `next_cursor`. Where a filter is so sparse that finding a page
would mean reading the whole history, a page may be short, even empty, and still have a `next_cursor`: go on until it is
None. Cursors are opaque; one that was not given out is a `BadCursor`.

`stores` limits an answer to those stores (None: all), `now` is the instant that decides what has expired
(microseconds since 1970; default: the clock): reads never show as promised or available what time has ended.

What a report takes and answers is written at its query (`db.queries`), and nowhere else (decision 0036).
"""

from __future__ import annotations

from holdfast.core.records.number import Number
from holdfast.db.queries import audit as audit_queries
from holdfast.db.queries import availability as availability_queries
from holdfast.db.queries import books as book_queries
from holdfast.db.queries import documents as document_queries
from holdfast.db.queries import events as event_queries
from holdfast.db.queries import figures as figure_queries
from holdfast.db.queries import gift_cards as gift_card_queries
from holdfast.db.queries import history as history_queries
from holdfast.db.queries import imports as import_queries
from holdfast.db.queries import ledger as ledger_queries
from holdfast.db.queries import levels as level_queries
from holdfast.db.queries import license_keys as license_key_queries
from holdfast.db.queries import lots as lot_queries
from holdfast.db.queries import overview as overview_queries
from holdfast.db.queries import products as product_queries
from holdfast.db.queries import records as record_queries
from holdfast.db.queries import registers as register_queries
from holdfast.db.queries import reservations as reservation_queries
from holdfast.db.queries import sales as sale_queries
from holdfast.db.queries import settling as settling_queries
from holdfast.db.queries import tax_rates as tax_rate_queries
from holdfast.db.queries import tills as till_queries
from holdfast.db.queries import trace as trace_queries
from holdfast.db.queries.filters import Everything
from holdfast.db.queries.levels import LOW_MAX, LevelFilter, LevelSort, LevelState, LowStockFilter
from holdfast.db.queries.paging import EMPTY, LIMIT_DEFAULT, LIMIT_MAX, BadCursor, Json, Page, Stores
from holdfast.db.queries.past_levels import listed_as_of
from holdfast.db.queries.settling import instant
from holdfast.db.queries.valuation import valuation
from holdfast.reports.view import Listing, ListOf, View, report

__all__ = [
    "LIMIT_DEFAULT",
    "LIMIT_MAX",
    "BadCursor",
    "Json",
    "LevelFilter",
    "LevelSort",
    "LevelState",
    "ListOf",
    "Listing",
    "Page",
    "Reports",
    "Stores",
]

_NO_FIGURES: Json = {}
_NO_ROWS: list[Json] = []
_NO_NAMES: list[str] = []
_NO_COUNTS: dict[str, int] = {}


class Reports(View):
    """Read-only answers from a database. Each takes what its query takes, after the organisation."""

    # The organisation and what it has named

    settings = report(record_queries.settings, None)
    stores = Listing(record_queries.stores, Everything, EMPTY)
    store = report(record_queries.store, None)
    locations = Listing(record_queries.locations, record_queries.LocationFilter, EMPTY)
    location = report(record_queries.location, None)
    users = Listing(record_queries.users, record_queries.WithinFilter, EMPTY)
    user = report(record_queries.user, None)
    saved_views = report(record_queries.saved_views, _NO_ROWS)
    api_keys = Listing(record_queries.api_keys, record_queries.WithinFilter, EMPTY)
    api_key = report(record_queries.api_key, None)
    appointments = Listing(record_queries.appointments, record_queries.AppointmentFilter, EMPTY)
    appointment = report(record_queries.appointment, None)

    # Products

    products = Listing(product_queries.listed, product_queries.ProductFilter, EMPTY)
    product = report(product_queries.one, None)
    availability = report(availability_queries.of_product, None)
    product_by_code = report(product_queries.coded, None)
    product_history = report(history_queries.steps, None)
    product_summary = report(level_queries.summary, None)
    license_keys = report(license_key_queries.of_product, None)

    # Imports

    imports = Listing(import_queries.listed, import_queries.ImportFilter, EMPTY)
    import_ = report(import_queries.one, None)
    import_rows = report(import_queries.rows, EMPTY)

    # Levels

    levels = Listing(listed_as_of, LevelFilter, EMPTY)
    level = report(level_queries.entry, None)
    level_key = report(level_queries.key, None)
    low_stock_page = Listing(level_queries.low_stock, LowStockFilter, EMPTY)
    level_figures = Listing(figure_queries.of_entries, LevelFilter, figure_queries.NOTHING)
    inventory_stats = report(overview_queries.stats, _NO_FIGURES)
    stores_overview = report(overview_queries.by_store, _NO_ROWS)
    locations_overview = report(overview_queries.by_location, _NO_ROWS)
    store_inventory = report(overview_queries.of_store, None)

    # Reservations, the ledger, lots and where they went, counts and transfers

    reservations = Listing(reservation_queries.listed, reservation_queries.ReservationFilter, EMPTY)
    reservation = report(reservation_queries.one, None)
    ledger = Listing(ledger_queries.listed, ledger_queries.LedgerFilter, EMPTY)
    lots = Listing(lot_queries.listed, lot_queries.LotFilter, EMPTY)
    lot = report(lot_queries.one, None)
    trace = report(trace_queries.of_lot, None)
    order_lots = report(trace_queries.of_order, None)
    counts = Listing(document_queries.counts, document_queries.CountFilter, EMPTY)
    count = report(document_queries.count, None)
    transfers = Listing(document_queries.transfers, document_queries.TransferFilter, EMPTY)
    transfer = report(document_queries.transfer, None)

    # Sales, what suppliers ship, gift cards, tax rates, registers and their sessions

    sales = Listing(sale_queries.listed, sale_queries.SaleFilter, EMPTY)
    sale = report(sale_queries.one, None)
    unfinished_sales = report(sale_queries.unfinished, _NO_COUNTS)
    sale_sources = report(sale_queries.sources, _NO_NAMES)
    returns = Listing(sale_queries.returns, sale_queries.ReturnFilter, EMPTY)
    return_ = report(sale_queries.one_return, None)
    supplier_orders = Listing(sale_queries.supplier_orders, sale_queries.SupplierOrderFilter, EMPTY)
    gift_cards = Listing(gift_card_queries.listed, gift_card_queries.GiftCardFilter, EMPTY)
    gift_card = report(gift_card_queries.of_code, None)
    tax_rates = Listing(tax_rate_queries.tax_rates, Everything, EMPTY)
    tax_rate = report(tax_rate_queries.tax_rate, None)
    registers = Listing(register_queries.listed, Everything, EMPTY)
    register = report(register_queries.one, None)
    register_sessions = report(register_queries.sessions, EMPTY)
    register_session = report(register_queries.session_of_number, None)
    register_session_by_id = report(register_queries.session, None)
    carts_of_till = report(till_queries.carts_of, _NO_NAMES)
    best_sellers = report(till_queries.best_sellers, _NO_ROWS)
    taker_of_sale = report(till_queries.taker_of, None)

    # The books, and the audit log

    accounts = Listing(book_queries.accounts, Everything, EMPTY)
    periods = Listing(book_queries.periods, Everything, EMPTY)
    journal = Listing(book_queries.journal, book_queries.JournalFilter, EMPTY)
    trial_balance = Listing(book_queries.trial_balance, book_queries.AsOfFilter, None)
    tax_report = Listing(book_queries.tax_report, book_queries.TaxFilter, None)
    valuation = Listing(valuation, book_queries.AsOfFilter, None)
    audit = Listing(audit_queries.listed, audit_queries.AuditFilter, EMPTY)

    # What is more than one query

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
        filters = LowStockFilter(threshold=threshold, store=store)
        now, items, cursor = instant(now), list[Json](), None
        while True:
            page = self.low_stock_page(org_id, filters, stores=stores, now=now, cursor=cursor, limit=LOW_MAX)
            items += page.items
            cursor = page.next_cursor
            if cursor is None:
                return items

    def events(self, org_id: str, *, cursor: str | None = None, limit: int = LIMIT_DEFAULT) -> Page:
        """Events after the cursor (None: from the beginning), oldest first; `next_cursor` is never None.

        Numbers what committed meanwhile first (decision 0005), so the cursor never skips an event.
        """
        return event_queries.listed(self.database, org_id, cursor, limit)

    def events_end(self, org_id: str) -> str:
        """The cursor after the newest event: what somebody who only wants what comes next begins with."""
        return event_queries.end(self.database, org_id)

    def due(self, now: int | None = None, limit: int = 1000) -> list[tuple[str, list[tuple[str, str]]]]:
        """(organisation, [(product id, location id), ...]) of at most `limit` levels with expired holds or lots."""
        with self.database.reading() as connection:
            return settling_queries.due(connection, instant(now), limit)
