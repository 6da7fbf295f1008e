"""Sales, registers and books: carts, returns, supplier orders, drawers, tax rates, the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

Id = sa.String(length=36).with_variant(sa.UUID(as_uuid=False), "postgresql")


def upgrade() -> None:
    """Make the new tables; the organisation learns until when its books are closed."""
    op.add_column("organisation", sa.Column("books_closed_through", sa.String(length=10), nullable=True))
    _counter()
    _tax_rate()
    _sale()
    _sale_line()
    _sale_return()
    _supplier_order()
    _register()
    _register_session()
    _till_lock()
    _cash_movement()
    _account()
    _journal_entry()
    _posting()
    _period()


def _counter() -> None:
    op.create_table(
        "counter",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_counter"),
    )


def _tax_rate() -> None:
    op.create_table(
        "tax_rate",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("store_id", Id, nullable=True),
        sa.Column("tax_class", sa.String(length=200), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("rate BETWEEN 0 AND 1000000", name="ck_tax_rate_rate"),
        sa.ForeignKeyConstraint(["org_id"], ["organisation.org_id"], name="fk_tax_rate_org_id"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_tax_rate"),
    )


def _sale() -> None:
    op.create_table(
        "sale",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("order_number", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("store_id", Id, nullable=True),
        sa.Column("customer", sa.String(length=200), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("discount", sa.JSON(), nullable=True),
        sa.Column("fees", sa.JSON(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("discount_total", sa.BigInteger(), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), nullable=False),
        sa.Column("fee_total", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("rounding", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("payments", sa.JSON(), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("posted_tax", sa.BigInteger(), nullable=False),
        sa.Column("fulfillments", sa.JSON(), nullable=False),
        sa.Column("session_id", Id, nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("status IN ('open', 'suspended', 'completed', 'cancelled')", name="ck_sale_status"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_sale"),
        sa.UniqueConstraint("org_id", "source", "order_number", name="uq_sale_org_id_source_order_number"),
        sa.UniqueConstraint("org_id", "number", name="uq_sale_org_id_number"),
    )
    op.create_index(
        "ix_sale_session",
        "sale",
        ["org_id", "session_id"],
        unique=False,
        postgresql_where=sa.text("session_id IS NOT NULL"),
        sqlite_where=sa.text("session_id IS NOT NULL"),
    )
    op.create_index(
        "ix_sale_unfinished",
        "sale",
        ["org_id", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('open', 'suspended')"),
        sqlite_where=sa.text("status IN ('open', 'suspended')"),
    )


def _sale_line() -> None:
    op.create_table(
        "sale_line",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("sale_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("location_id", Id, nullable=True),
        sa.Column("lot_id", Id, nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("fulfilled", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("tax_class", sa.String(length=200), nullable=True),
        sa.Column("tax_rate", sa.Integer(), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.JSON(), nullable=False),
        sa.Column("reservations", sa.JSON(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("returned BETWEEN 0 AND fulfilled", name="ck_sale_line_returned"),
        sa.CheckConstraint("fulfilled BETWEEN 0 AND quantity", name="ck_sale_line_fulfilled"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_sale_line"),
    )
    op.create_index("ix_sale_line_sale", "sale_line", ["org_id", "sale_id"], unique=False)


def _sale_return() -> None:
    op.create_table(
        "sale_return",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("sale_id", Id, nullable=True),
        sa.Column("store_id", Id, nullable=True),
        sa.Column("session_id", Id, nullable=True),
        sa.Column("method", sa.String(length=10), nullable=False),
        sa.Column("refund_total", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_sale_return"),
    )
    op.create_index("ix_sale_return_sale", "sale_return", ["org_id", "sale_id"], unique=False)


def _supplier_order() -> None:
    op.create_table(
        "supplier_order",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("sale_id", Id, nullable=False),
        sa.Column("line_id", Id, nullable=False),
        sa.Column("product_id", Id, nullable=False),
        sa.Column("supplier", sa.String(length=200), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("tracking", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_supplier_order"),
    )
    op.create_index("ix_supplier_order_sale", "supplier_order", ["org_id", "sale_id"], unique=False)


def _register() -> None:
    op.create_table(
        "register",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("store_id", Id, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "store_id"], ["store.org_id", "store.id"], name="fk_register_org_id_store_id"
        ),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_register"),
    )
    op.create_index(
        "uq_register_code_active",
        "register",
        ["org_id", "code"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )


def _register_session() -> None:
    op.create_table(
        "register_session",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("register_id", Id, nullable=False),
        sa.Column("store_id", Id, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("opened_by", sa.String(length=200), nullable=False),
        sa.Column("opener_id", Id, nullable=True),
        sa.Column("closed_by", sa.String(length=200), nullable=True),
        sa.Column("opening_float", sa.BigInteger(), nullable=False),
        sa.Column("cash_sales", sa.BigInteger(), nullable=False),
        sa.Column("cash_refunds", sa.BigInteger(), nullable=False),
        sa.Column("paid_in", sa.BigInteger(), nullable=False),
        sa.Column("paid_out", sa.BigInteger(), nullable=False),
        sa.Column("sales", sa.Integer(), nullable=False),
        sa.Column("returns", sa.Integer(), nullable=False),
        sa.Column("by_method", sa.JSON(), nullable=False),
        sa.Column("counted_cash", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_register_session"),
        sa.UniqueConstraint("org_id", "register_id", "number", name="uq_register_session_org_id_register_id_number"),
    )
    op.create_index("ix_register_session_token", "register_session", ["token_hash"], unique=False)


def _till_lock() -> None:
    op.create_table(
        "till_lock",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("register_id", Id, nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "register_id", name="pk_till_lock"),
    )


def _cash_movement() -> None:
    op.create_table(
        "cash_movement",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("session_id", Id, nullable=False),
        sa.Column("direction", sa.String(length=3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name="ck_cash_movement_amount"),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_cash_movement"),
    )
    op.create_index("ix_cash_movement_session", "cash_movement", ["org_id", "session_id"], unique=False)


def _account() -> None:
    op.create_table(
        "account",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_account"),
    )


def _journal_entry() -> None:
    op.create_table(
        "journal_entry",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("ref_type", sa.String(length=10), nullable=False),
        sa.Column("ref_id", sa.String(length=36), nullable=True),
        sa.Column("ledger_ids", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_journal_entry"),
    )
    op.create_index(
        "ix_journal_entry_ref",
        "journal_entry",
        ["org_id", "ref_id", "id"],
        unique=False,
        postgresql_where=sa.text("ref_id IS NOT NULL"),
        sqlite_where=sa.text("ref_id IS NOT NULL"),
    )


def _posting() -> None:
    op.create_table(
        "posting",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("entry_id", Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "entry_id", "position", name="pk_posting"),
    )
    covering = ["org_id", "account", "at", "entry_id", "day", "amount"]
    op.create_index("ix_posting_account", "posting", covering, unique=False)


def _period() -> None:
    op.create_table(
        "period",
        sa.Column("org_id", Id, nullable=False),
        sa.Column("id", sa.String(length=10), nullable=False),
        sa.Column("balances", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "id", name="pk_period"),
    )
