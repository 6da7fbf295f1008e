"""Sales, tills and the books."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from holdfast.db.schema.columns import Name, big, id_of, metadata, org, unique_in_use

# Sales ------------------------------------------------------------------------------------------------

counter = Table(
    "counter",
    metadata,
    org(),
    Column("id", String(40), nullable=False),
    big("value"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""The last number given out for each purpose."""

tax_rate = Table(
    "tax_rate",
    metadata,
    org(),
    id_of(),
    id_of("store_id", nullable=True),
    Column("tax_class", Name, nullable=False),
    Column("rate", Integer, nullable=False),
    Column("name", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id"], ["organisation.org_id"]),
    CheckConstraint("rate BETWEEN 0 AND 1000000", name="rate"),
)

sale = Table(
    "sale",
    metadata,
    org(),
    id_of(),
    Column("number", String(40), nullable=False),
    Column("order_number", Name, nullable=False),
    Column("source", Name, nullable=False),
    id_of("store_id", nullable=True),
    Column("customer", Name, nullable=True),
    Column("status", String(10), nullable=False),
    Column("discount", JSON, nullable=True),
    Column("fees", JSON, nullable=False),
    big("subtotal"),
    big("discount_total"),
    big("tax_total"),
    big("fee_total"),
    big("total"),
    big("rounding"),
    big("paid"),
    big("change"),
    Column("payments", JSON, nullable=False),
    big("posted"),
    big("posted_tax"),
    Column("fulfillments", JSON, nullable=False),
    id_of("session_id", nullable=True),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
    big("completed_at", nullable=True),
    big("checksum"),
    Column("external_id", Name, nullable=True),
    Column("tax_exempt", Name, nullable=True),
    Column("exempted", BigInteger, nullable=False, server_default="0"),
    Column("posted_taxes", JSON, nullable=True),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "source", "order_number"),
    UniqueConstraint("org_id", "number"),
    CheckConstraint("status IN ('open', 'suspended', 'completed', 'cancelled')", name="status"),
    Index(
        "ix_sale_unfinished",
        "org_id",
        "id",
        postgresql_where=text("status IN ('open', 'suspended')"),
        sqlite_where=text("status IN ('open', 'suspended')"),
    ),
    Index(
        "ix_sale_session",
        "org_id",
        "session_id",
        postgresql_where=text("session_id IS NOT NULL"),
        sqlite_where=text("session_id IS NOT NULL"),
    ),
    Index(
        "ix_sale_external",
        "org_id",
        "external_id",
        "source",
        postgresql_where=text("external_id IS NOT NULL"),
        sqlite_where=text("external_id IS NOT NULL"),
    ),
)

sale_line = Table(
    "sale_line",
    metadata,
    org(),
    id_of(),
    id_of("sale_id"),
    Column("position", Integer, nullable=False),
    id_of("product_id"),
    Column("kind", String(10), nullable=False),
    id_of("location_id", nullable=True),
    id_of("lot_id", nullable=True),
    big("quantity"),
    big("fulfilled"),
    big("returned"),
    big("unit_price"),
    Column("asked", JSON, nullable=True),
    Column("tax_class", Name, nullable=True),
    Column("tax_rate", Integer, nullable=False),
    big("gross"),
    big("discount"),
    big("tax"),
    big("total"),
    big("due"),
    Column("taken", JSON, nullable=False),
    Column("reservations", JSON, nullable=False),
    Column("removed", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    Column("taxes", JSON, nullable=True),
    Column("breaks", JSON, nullable=True),
    Column("key_ids", JSON, nullable=True),
    Column("keys_owed", BigInteger, nullable=False, server_default="0"),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("fulfilled BETWEEN 0 AND quantity", name="fulfilled"),
    CheckConstraint("returned BETWEEN 0 AND fulfilled", name="returned"),
    Index("ix_sale_line_sale", "org_id", "sale_id"),
    # Lines that need no stock are few; of the others the ledger knows.
    Index(
        "ix_sale_line_unstocked",
        "org_id",
        "product_id",
        postgresql_where=text("kind <> 'stock'"),
        sqlite_where=text("kind <> 'stock'"),
    ),
    Index(
        "ix_sale_line_owed",
        "org_id",
        "product_id",
        "id",
        postgresql_where=text("keys_owed > 0"),
        sqlite_where=text("keys_owed > 0"),
    ),
)

license_key = Table(
    "license_key",
    metadata,
    org(),
    id_of(),
    id_of("product_id"),
    Column("digest", String(64), nullable=False),
    Column("encrypted", Text, nullable=False),
    Column("hint", String(8), nullable=False),
    Column("status", String(8), nullable=False),
    id_of("sale_id", nullable=True),
    id_of("line_id", nullable=True),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "product_id", "digest"),
    CheckConstraint("status IN ('free', 'sold', 'blocked')", name="status"),
    CheckConstraint("(status = 'free') = (sale_id IS NULL)", name="sale"),
    Index("ix_license_key_pool", "org_id", "product_id", "status", "id"),
    Index(
        "ix_license_key_sale",
        "org_id",
        "sale_id",
        postgresql_where=text("sale_id IS NOT NULL"),
        sqlite_where=text("sale_id IS NOT NULL"),
    ),
)
"""Keys of digital products, encrypted (`holdfast.encryption`); the `digest` is keyed as well."""

sale_return = Table(
    "sale_return",
    metadata,
    org(),
    id_of(),
    id_of("sale_id", nullable=True),
    id_of("store_id", nullable=True),
    id_of("session_id", nullable=True),
    Column("method", String(10), nullable=False),
    big("refund_total"),
    Column("lines", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index("ix_sale_return_sale", "org_id", "sale_id"),
)

supplier_order = Table(
    "supplier_order",
    metadata,
    org(),
    id_of(),
    id_of("sale_id"),
    id_of("line_id"),
    id_of("product_id"),
    Column("supplier", Name, nullable=True),
    big("quantity"),
    Column("status", String(10), nullable=False),
    Column("tracking", Name, nullable=True),
    big("created_at"),
    big("updated_at"),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index("ix_supplier_order_sale", "org_id", "sale_id"),
)

register = Table(
    "register",
    metadata,
    org(),
    id_of(),
    id_of("store_id"),
    Column("code", String(64), nullable=False),
    Column("name", Name, nullable=True),
    Column("active", Boolean, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
    ForeignKeyConstraint(["org_id", "store_id"], ["store.org_id", "store.id"]),
    unique_in_use("register", "code"),
)

register_session = Table(
    "register_session",
    metadata,
    org(),
    id_of(),
    Column("number", Integer, nullable=False),
    id_of("register_id"),
    id_of("store_id"),
    Column("status", String(10), nullable=False),
    Column("token_hash", String(64), nullable=False),
    Column("opened_by", Name, nullable=False),
    id_of("opener_id", nullable=True),
    Column("closed_by", Name, nullable=True),
    big("opening_float"),
    big("cash_sales"),
    big("cash_refunds"),
    big("paid_in"),
    big("paid_out"),
    Column("sales", Integer, nullable=False),
    Column("returns", Integer, nullable=False),
    Column("by_method", JSON, nullable=False),
    big("counted_cash", nullable=True),
    big("opened_at"),
    big("closed_at", nullable=True),
    big("updated_at"),
    id_of("key_id", nullable=True),
    Column("taxes", JSON, nullable=True),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    UniqueConstraint("org_id", "register_id", "number"),
    # Looked up without an organisation: the token says whose session it is.
    Index("ix_register_session_token", "token_hash"),
)

till_lock = Table(
    "till_lock",
    metadata,
    org(),
    id_of("register_id"),
    Column("wrong", Integer, nullable=False),
    big("since"),
    big("locked_until"),
    Column("locks", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("org_id", "register_id"),
)
"""Wrong PINs given at a till since an instant, until when it is locked for them (0: it is not), the locks in a row."""

cash_movement = Table(
    "cash_movement",
    metadata,
    org(),
    id_of(),
    id_of("session_id"),
    Column("direction", String(3), nullable=False),
    big("amount"),
    Column("reason", Name, nullable=False),
    Column("account", String(20), nullable=True),
    Column("actor", Name, nullable=False),
    big("created_at"),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_cash_movement_session", "org_id", "session_id"),
)


# Books ------------------------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    org(),
    Column("id", String(20), nullable=False),
    Column("name", Name, nullable=False),
    big("created_at"),
    big("updated_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""Accounts that were renamed or added; the others have the names of `core.stock.journal.ACCOUNTS`."""

journal_entry = Table(
    "journal_entry",
    metadata,
    org(),
    id_of(),
    big("at"),
    Column("day", String(10), nullable=False),
    Column("description", Name, nullable=False),
    Column("ref_type", String(10), nullable=False),
    Column("ref_id", String(36), nullable=True),
    Column("ledger_ids", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    id_of("store_id", nullable=True),
    Column("settled", JSON, nullable=True),
    id_of("reverses", nullable=True),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "id"),
    Index(
        "ix_journal_entry_ref",
        "org_id",
        "ref_id",
        "id",
        postgresql_where=text("ref_id IS NOT NULL"),
        sqlite_where=text("ref_id IS NOT NULL"),
    ),
    # An entry is taken back once.
    Index(
        "ix_journal_entry_reverses",
        "org_id",
        "reverses",
        unique=True,
        postgresql_where=text("reverses IS NOT NULL"),
        sqlite_where=text("reverses IS NOT NULL"),
    ),
    # Entries by hand are the only ones whose day may be long before they were made; they are few.
    Index(
        "ix_journal_entry_by_hand",
        "org_id",
        "at",
        "day",
        "id",
        postgresql_where=text("ref_type IN ('ENTRY', 'BILL')"),
        sqlite_where=text("ref_type IN ('ENTRY', 'BILL')"),
    ),
)

posting = Table(
    "posting",
    metadata,
    org(),
    id_of("entry_id"),
    Column("position", Integer, nullable=False),
    Column("account", String(20), nullable=False),
    big("amount"),
    Column("day", String(10), nullable=False),
    big("at"),
    Column("tax_name", Name, nullable=True),
    Column("tax_rate", Integer, nullable=True),
    big("tax_net", nullable=True),
    big("checksum"),
    PrimaryKeyConstraint("org_id", "entry_id", "position"),
    # All that a balance and a list of one account need, so that neither touches the rows.
    Index("ix_posting_account", "org_id", "account", "at", "entry_id", "day", "amount"),
)
"""One line of a journal entry, in minor units: debit positive, credit negative."""

period = Table(
    "period",
    metadata,
    org(),
    Column("id", String(10), nullable=False),
    Column("balances", JSON, nullable=False),
    Column("actor", Name, nullable=False),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""A close of the books; `id` is its last day, `balances` [[account, debits, credits], ...] through it: what is asked as
of a later day is added to that."""

day_end = Table(
    "day_end",
    metadata,
    org(),
    Column("id", String(10), nullable=False),
    Column("balances", JSON, nullable=True),
    big("created_at"),
    PrimaryKeyConstraint("org_id", "id"),
)
"""A day that is over without having been closed, with its balances as in `period`; NULL while they are being added up.
It may be taken away and made again at any time (`db.upkeep.day_ends`): nothing but the time of an answer depends on
it."""
