"""Which tables are only ever added to, and how SQLite is told.

    APPEND_ONLY["event_batch"]    -> ("position",): a reader numbers events (decision 0005), and changes nothing else
    CHANGING                      -> the tables of which rows are changed or removed

PostgreSQL is told by what it grants to the application's role (`db.roles`); SQLite has no roles, so triggers refuse.
A step of the migrations that changes such rows, or makes a table anew, drops the triggers and makes them again.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from holdfast.db.schema.columns import metadata

APPEND_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "audit": (),
    "event_batch": ("position",),
    "gift_card_entry": (),
    "journal_entry": (),
    "ledger": (),
    "ledger_seal": (),
    "posting": (),
}
"""Tables that are only added to, each with the columns that may be changed after all."""

CHANGING: Final = frozenset(
    {
        *("account", "answered", "api_key", "app_user", "appointment", "attempt", "browser_session", "cash_movement"),
        *(
            "count_sheet",
            "counter",
            "day_end",
            "gift_card",
            "import_file",
            "import_job",
            "import_row",
            "level",
            "license_key",
            "location",
            "lot",
            "lot_stock",
            "organisation",
            "period",
        ),
        *("product", "product_cost", "receipt", "register", "register_session", "reservation", "sale", "sale_line"),
        *("sale_return", "saved_views", "second_factor", "store", "supplier_order", "tax_rate", "till_lock"),
        "transfer",
    }
)
"""Tables of which rows may be changed or removed."""


def sqlite_triggers(table: str) -> list[str]:
    """The statements that make SQLite refuse to change or remove rows of an append-only table."""
    columns = [column.name for column in metadata.tables[table].c if column.name not in APPEND_ONLY[table]]
    of = f" OF {', '.join(columns)}" if APPEND_ONLY[table] else ""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    return [
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE{of} ON {table} {refuse}",
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}",
    ]


def add_triggers() -> None:
    """Let whoever makes the tables from the metadata make the triggers too."""
    for name in APPEND_ONLY:
        for statement in sqlite_triggers(name):
            trigger = sa.DDL(statement).execute_if(dialect="sqlite")  # type: ignore[no-untyped-call] # SQLAlchemy's
            sa.event.listen(metadata.tables[name], "after_create", trigger)
