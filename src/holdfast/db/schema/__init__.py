"""The tables, once for SQLite and PostgreSQL.

Every key begins with `org_id`, so that a distributed PostgreSQL can spread all of it by organisation; that statements
are for one organisation each is tested on partitions (decision 0014). Citus itself is not supported yet. Times are
microseconds since 1970 (BIGINT), quantities smallest units, money minor units. The tables of stock, sales and books
carry a `checksum` over their other columns: `holdfast check` finds any field that was changed behind Holdfast's back.

The tables that every command adds to (reservation, ledger, event_batch, answered) have no foreign keys: measured, they
cost 2.4 times the whole write, and `holdfast check` proves what they would. Levels and lots keep half of every page
free, so that their updates stay on the page (HOT); no column that the hot path updates is indexed but a reservation's
status, which changes once.
"""

from __future__ import annotations

from holdfast.db.schema.append_only import APPEND_ONLY, CHANGING, add_triggers
from holdfast.db.schema.columns import Id, Name, metadata
from holdfast.db.schema.imports import import_file, import_job, import_row
from holdfast.db.schema.organisation import (
    api_key,
    app_user,
    appointment,
    attempt,
    audit,
    browser_session,
    location,
    organisation,
    product,
    product_cost,
    saved_views,
    second_factor,
    store,
)
from holdfast.db.schema.sales import (
    account,
    cash_movement,
    counter,
    day_end,
    gift_card,
    gift_card_entry,
    journal_entry,
    license_key,
    period,
    posting,
    register,
    register_session,
    sale,
    sale_line,
    sale_return,
    supplier_order,
    tax_rate,
    till_lock,
)
from holdfast.db.schema.stock import (
    answered,
    count_sheet,
    event_batch,
    ledger,
    ledger_seal,
    level,
    lot,
    lot_stock,
    receipt,
    reservation,
    transfer,
)

add_triggers()

__all__ = [
    "APPEND_ONLY",
    "CHANGING",
    "Id",
    "Name",
    "account",
    "answered",
    "api_key",
    "app_user",
    "appointment",
    "attempt",
    "audit",
    "browser_session",
    "cash_movement",
    "count_sheet",
    "counter",
    "day_end",
    "event_batch",
    "gift_card",
    "gift_card_entry",
    "import_file",
    "import_job",
    "import_row",
    "journal_entry",
    "ledger",
    "ledger_seal",
    "level",
    "license_key",
    "location",
    "lot",
    "lot_stock",
    "metadata",
    "organisation",
    "period",
    "posting",
    "product",
    "product_cost",
    "receipt",
    "register",
    "register_session",
    "reservation",
    "sale",
    "sale_line",
    "sale_return",
    "saved_views",
    "second_factor",
    "store",
    "supplier_order",
    "tax_rate",
    "till_lock",
    "transfer",
]
